"""The page that shows the document and tries the calls: Swagger UI, from files in static/, without
the Internet.
"""

import falcon

from marketplace.config.settings import ROOT
from marketplace.contract.operations import PUBLIC, operation

#: The files of the page; served below /docs/.
FOLDER = ROOT / "marketplace" / "static" / "swagger_ui"
#: Nothing but our own files, and nothing inline; the images in the style sheet are data.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "
    "'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Marketplace API</title>
<link rel="icon" href="{root}docs/favicon-32x32.png">
<link rel="stylesheet" href="{root}docs/swagger-ui.css">
<link rel="stylesheet" href="{root}docs/index.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>Needs JavaScript; the document itself is
<a href="{root}api/openapi.json">openapi.json</a>.</noscript>
<script src="{root}docs/swagger-ui-bundle.js"></script>
<script src="{root}docs/start.js"></script>
</body>
</html>
"""


class Root:
    """/"""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Redirect to the page."""
        raise falcon.HTTPFound("docs")


class Page:
    """/docs"""

    @operation(
        "getDocsPage",
        "A page to try the API on",
        roles=PUBLIC,
        responses={200: None},
        produces=("text/html",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the page. Its addresses are relative, so that it works behind a prefix too."""
        resp.set_header("Content-Security-Policy", POLICY)
        resp.content_type = "text/html; charset=utf-8"
        resp.text = _PAGE.format(root="../" if req.env["PATH_INFO"].endswith("/") else "")
