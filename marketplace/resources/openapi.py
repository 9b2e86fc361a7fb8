"""The API's own description."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import falcon
import orjson

from marketplace.config.settings import Config
from marketplace.contract.operations import PUBLIC, operation
from marketplace.openapi import document


class Document:
    """/api/openapi.json"""

    def __init__(self, routes: Sequence[tuple[str, Any]], config: Config) -> None:
        self.routes = [*routes, ("/api/openapi.json", self)]
        self.config = config

    @operation("getApiDocument", "This document", roles=PUBLIC, responses={200: {}}, max_age=60)
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the OpenAPI document."""
        resp.data = self._ready
        resp.content_type = falcon.MEDIA_JSON

    @cached_property
    def _ready(self) -> bytes:
        """Built once a process, at the first request for it."""
        return orjson.dumps(document.build(self.routes, self.config))
