"""The page that shows the document and tries the calls: Swagger UI, from files in static/, without
the Internet.
"""

import ipaddress
from typing import Any

import falcon

from marketplace.config.folders import LOGINS, PACKAGE
from marketplace.config.settings import Config
from marketplace.contract.operations import PUBLIC, operation

#: The files of the page; served below /docs/.
FOLDER = PACKAGE / "static" / "swagger_ui"
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
<link rel="stylesheet" href="{root}docs/page.css">
</head>
<body>
<div id="demo" hidden></div>
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


class DemoLogins:
    """/docs/demo-logins: for the buttons of the page."""

    def __init__(self, config: Config) -> None:
        self._file = None if config.production else config.data_dir / LOGINS

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return a login of each role of the demo shop to the page itself, in a browser on this
        machine; nothing to anybody else, and nothing where there is no demo shop.
        """
        resp.set_header("Cache-Control", "no-store")
        resp.media = {"logins": self._logins() if _is_own_page(req) else []}

    def _logins(self) -> list[dict[str, Any]]:
        if self._file is None or not self._file.exists():
            return []
        rows = [line.split() for line in self._file.read_text(encoding="utf-8").splitlines()]
        first = {role: (email, password) for email, password, role in reversed(rows)}
        return [
            {"role": role, "email": first[role][0], "password": first[role][1]}
            for role in ("buyer", "seller", "admin")
            if role in first
        ]


def _is_own_page(req: falcon.Request) -> bool:
    """Return whether a page of this server asks, in a browser on this machine.

    Browsers say where a request comes from, and pages cannot change that header; to a host that is
    not this machine they do not send it without TLS.
    """
    try:
        peer = ipaddress.ip_address(req.env.get("REMOTE_ADDR") or "")
    except ValueError:  # a Unix socket: a proxy is in front
        return False
    forwarded = req.get_header("X-Forwarded-For") or req.get_header("Forwarded")
    own = req.get_header("Sec-Fetch-Site") == "same-origin"
    return peer.is_loopback and own and not forwarded
