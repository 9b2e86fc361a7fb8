"""The WSGI application: every route on one page."""

import re
from typing import Any

import falcon
from falcon.routing import BaseConverter

from marketplace import config as configuration
from marketplace import errors, headers, idempotency, logs
from marketplace.auth import Authentication, Passwords, Tokens
from marketplace.conditions import Conditions
from marketplace.config import Config
from marketplace.consistency import Consistency
from marketplace.db import Database
from marketplace.files import Files
from marketplace.guessing import Guesses
from marketplace.limits import Limits
from marketplace.packing import Packing
from marketplace.rendering import Rendering
from marketplace.resources import (
    activities,
    audit,
    auth,
    brands,
    categories,
    changes,
    docs,
    exports,
    first_app,
    health,
    images,
    import_errors,
    imports,
    openapi,
    products,
    stores,
    suggestions,
    user_export,
    users,
)
from marketplace.storage import of_private, of_uploads


def routes(config: Config, db: Database) -> list[tuple[str, Any]]:
    """Every path of the API and the resource that answers it; what it takes and who may call it stands there."""
    passwords, tokens = Passwords(config.bcrypt_cost), Tokens(config)
    guesses = Guesses(db, passwords)
    uploads, private = of_uploads(config), of_private(config)
    return [
        ("/healthz", health.Alive()),
        ("/readyz", health.Ready(db)),
        ("/metrics", health.Metrics(db, config.data_dir)),
        ("/docs", docs.Page()),
        ("/api/auth/register", auth.Register(db, passwords, tokens)),
        ("/api/auth/login", auth.Login(db, guesses, tokens)),
        ("/api/auth/forgot-password", auth.ForgotPassword(db)),
        ("/api/auth/reset-password", auth.ResetPassword(db, passwords)),
        ("/api/auth/verify-email", auth.VerifyEmail(db)),
        ("/api/auth/send-verification", auth.SendVerification(db)),
        ("/api/auth/refresh", auth.Refresh(db, tokens)),
        ("/api/auth/logout", auth.Logout(db)),
        ("/api/auth/sessions", auth.Sessions(db)),
        ("/api/auth/sessions/{session_id:id}", auth.Session(db)),
        ("/api/auth/open_store", first_app.OpenStore(db)),
        ("/api/auth/brands/my", first_app.MyBrand(db)),
        ("/api/users/profile", users.Profile(db, passwords, guesses)),
        ("/api/users/export", user_export.UserExport(db)),
        ("/api/users/profile/username", first_app.Username(db)),
        ("/api/users/upload-avatar", users.UploadAvatar(db, uploads)),
        ("/api/users/avatar", users.Avatar(db)),
        ("/api/users/activities", activities.Activities(db)),
        ("/api/users/export-activities", activities.Export(db)),
        ("/api/users", users.Users(db)),
        ("/api/users/{user_id:id}", users.User(db)),
        ("/api/stores", stores.Stores(db)),
        ("/api/stores/mine", stores.Mine(db)),
        ("/api/stores/mine/products", products.Mine(db)),
        ("/api/stores/{store_id:id}", stores.Store(db)),
        ("/api/categories", categories.Categories(db)),
        ("/api/categories/{category_id:id}", categories.Category(db)),
        ("/api/brands", brands.Brands(db)),
        ("/api/brands/{brand_id:id}", brands.Brand(db)),
        ("/api/products", products.Products(db, uploads)),
        ("/api/products/suggest", suggestions.Suggestions(db)),
        ("/api/products/categories", categories.Categories(db)),
        ("/api/products/categories/{category_id:id}", categories.Category(db)),
        ("/api/products/brands", brands.Brands(db)),
        ("/api/products/brands/{brand_id:id}", brands.Brand(db)),
        ("/api/products/my-brand", first_app.MyBrandProducts(db)),
        ("/api/products/create", first_app.CreateProduct(db, uploads)),
        ("/api/products/import-csv", imports.ImportCsv(db, private)),
        ("/api/products/imports", imports.Imports(db)),
        ("/api/products/imports/{import_id:id}", imports.Import(db)),
        ("/api/products/imports/{import_id:id}/apply", imports.ImportApplication(db)),
        ("/api/products/imports/{import_id:id}/cancel", imports.ImportCancellation(db)),
        ("/api/products/imports/{import_id:id}/errors.csv", import_errors.ImportErrors(db)),
        ("/api/products/export", exports.ProductExport(db)),
        ("/api/products/{product_id:id}", products.Product(db)),
        ("/api/products/{product_id:id}/images", images.Images(db, uploads)),
        ("/api/products/{product_id:id}/images/{image_id:id}", images.Image(db)),
        ("/api/audit", audit.Audit(db)),
        ("/api/changes", changes.Changes(db)),
    ]


def route_table(config: Config, db: Database) -> list[tuple[str, Any]]:
    """All routes, and the one that describes them."""
    table = routes(config, db)
    return [*table, ("/api/openapi.json", openapi.Document(table, config))]


def create_app(config: Config | None = None, db: Database | None = None) -> "falcon.App[Any, Any]":
    """The application. It opens its pool at the first request, in the process that serves it."""
    if config is None:
        config = configuration.load()
        logs.install(config.log_level)
    db = db or Database(config)
    tokens = Tokens(config)
    # Independent middleware would answer in reverse order: the log line is written last, when all is known.
    app = App(
        middleware=[
            logs.AccessLog(config, db),
            *([headers.Cors(config.cors_origins)] if config.cors_origins else []),
            headers.Headers(),
            Packing(),
            Consistency(db),
            Conditions(),
            Rendering(),
            Authentication(db, tokens, Limits(db, config.rate_limits)),
        ],
        independent_middleware=True,
    )
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.keep_blank_qs_values = False
    app.req_options.media_handlers["multipart/form-data"] = _multipart(config)
    app.resp_options.media_handlers[errors.MEDIA_TYPE] = app.resp_options.media_handlers[falcon.MEDIA_JSON]
    app.router_options.converters["id"] = IdConverter
    errors.install(app)
    idempotency.install(app)
    for path, resource in route_table(config, db):
        headers.complete(resource)
        app.add_route(path, resource)
    app.add_sink(Files("/docs/", docs.FOLDER, keep="no-cache"), "/docs/")
    if not config.production and not config.s3_bucket:
        config.uploads_dir.mkdir(parents=True, exist_ok=True)
        app.add_sink(Files("/uploads/", config.uploads_dir, keep="public, max-age=31536000, immutable"), "/uploads/")
    return app


class App(falcon.App[Any, Any]):
    """Falcon refuses the method WEBSOCKET before any middleware has seen the request; here it is a 405 like any."""

    _META_METHODS = frozenset()


class IdConverter(BaseConverter):
    """A path segment that is an id: ASCII digits, int64. Anything else is 404."""

    _ID = re.compile(r"[1-9][0-9]{0,18}\Z")

    def convert(self, value: str) -> int | None:
        """The id, or None."""
        if self._ID.match(value) and int(value) <= 2**63 - 1:
            return int(value)
        return None


def _multipart(config: Config) -> Any:
    handler = falcon.media.MultipartFormHandler()
    handler.parse_options.max_body_part_count = config.images_per_product + 64
    handler.parse_options.max_body_part_buffer_size = 256 * 1024
    return handler
