"""The WSGI application: every route on one page."""

import gc
import re
from typing import Any

import falcon
from falcon.routing import BaseConverter

from marketplace.config import checked, settings
from marketplace.config.settings import Config
from marketplace.files.stores import of_private, of_uploads
from marketplace.integrations.payments.providers import made
from marketplace.postgres.database import Database
from marketplace.resources import (
    activities,
    addresses,
    audit,
    auth,
    badges,
    books,
    brands,
    carts,
    categories,
    changes,
    checkouts,
    delivery_options,
    docs,
    exports,
    health,
    images,
    import_changes,
    import_errors,
    imports,
    legacy_android,
    links,
    openapi,
    order_desk,
    orders,
    orders_export,
    papers,
    pay_accounts,
    payments,
    product_variants,
    products,
    provider_callbacks,
    refunds,
    returns,
    search_synonyms,
    stock,
    store_products,
    store_settings,
    stores,
    suggestions,
    user_export,
    users,
    vouchers,
)
from marketplace.resources import config as configuration
from marketplace.resources import uploads as private_images
from marketplace.security.passwords import Passwords
from marketplace.security.tokens import Tokens
from marketplace.telemetry import logs
from marketplace.web import headers, hooks, idempotency, problems
from marketplace.web.access_log import AccessLog
from marketplace.web.authentication import Authentication
from marketplace.web.middleware import Inner, Outer
from marketplace.web.places import Places
from marketplace.web.rate_limits import Limits
from marketplace.web.read_your_writes import ReadYourWrites
from marketplace.web.request_state import Request, Response
from marketplace.web.static_files import Files
from marketplace.workflows.sign_in import SignIn


def routes(config: Config, db: Database) -> list[tuple[str, Any]]:
    """Return every path of the API and its resource, which declares what it takes and who may call
    it.
    """
    passwords, tokens = Passwords(config.bcrypt_cost), Tokens(config)
    sign_in = SignIn(db, passwords)
    uploads, private = of_uploads(config), of_private(config)
    providers = made(config)
    return [
        ("/healthz", health.Alive()),
        ("/readyz", health.Ready(db)),
        ("/metrics", health.Metrics(db, config.data_dir)),
        ("/docs", docs.Page()),
        ("/api/auth/register", auth.Register(db, passwords, tokens)),
        ("/api/auth/login", auth.Login(db, sign_in, tokens)),
        ("/api/auth/forgot-password", auth.ForgotPassword(db)),
        ("/api/auth/reset-password", auth.ResetPassword(db, passwords)),
        ("/api/auth/verify-email", auth.VerifyEmail(db)),
        ("/api/auth/send-verification", auth.SendVerification(db)),
        ("/api/auth/refresh", auth.Refresh(db, tokens)),
        ("/api/auth/logout", auth.Logout(db)),
        ("/api/auth/sessions", auth.Sessions(db)),
        ("/api/auth/sessions/{session_id:id}", auth.Session(db)),
        ("/api/auth/open_store", legacy_android.OpenStore(db)),
        ("/api/auth/brands/my", legacy_android.MyBrand(db)),
        ("/api/users/profile", users.Profile(db, passwords, sign_in)),
        ("/api/users/profile/delete", users.ProfileDeletion(db, sign_in)),
        ("/api/users/export", user_export.UserExport(db)),
        ("/api/users/profile/username", legacy_android.Username(db)),
        ("/api/users/upload-avatar", users.UploadAvatar(db, uploads)),
        ("/api/users/avatar", users.Avatar(db)),
        ("/api/users/addresses", addresses.Addresses(db)),
        ("/api/users/addresses/{address_id:id}", addresses.Address(db)),
        ("/api/users/activities", activities.Activities(db)),
        ("/api/users/export-activities", activities.Export(db)),
        ("/api/users/badges", badges.Badges(db)),
        ("/api/users", users.Users(db)),
        ("/api/users/{user_id:id}", users.User(db)),
        ("/api/stores", stores.Stores(db)),
        ("/api/stores/mine", stores.Mine(db)),
        ("/api/stores/mine/products", store_products.Mine(db)),
        ("/api/stores/mine/delivery-options", delivery_options.Mine(db)),
        ("/api/stores/mine/delivery-options/{option_id:id}", delivery_options.One(db)),
        ("/api/stores/mine/pay-account", pay_accounts.PayAccount(db, sign_in)),
        ("/api/payments/{payment_id:id}/qris", pay_accounts.Code(db)),
        ("/api/stores/mine/vouchers", vouchers.Mine(db)),
        ("/api/stores/mine/vouchers/{voucher_id:id}", vouchers.MyVoucher(db)),
        ("/api/stores/mine/stock", stock.Stock(db)),
        ("/api/stores/mine/logo", stores.Logo(db, uploads)),
        ("/api/stores/mine/settings", store_settings.Settings(db)),
        ("/api/stores/mine/orders", orders.OfStore(db)),
        ("/api/stores/mine/orders/accept", order_desk.AcceptMany(db)),
        ("/api/stores/mine/orders/ship", order_desk.ShipMany(db)),
        ("/api/stores/mine/orders/export", orders_export.OrderExport(db)),
        ("/api/stores/mine/packing-slips", papers.PackingSlips(db)),
        ("/api/stores/mine/balance", books.Balance(db)),
        ("/api/stores/{store_id:id}/top-ups", books.TopUps(db)),
        ("/api/stores/{store_id:id}", stores.Store(db)),
        ("/api/stores/{store_id:id}/delivery-options", delivery_options.Offered(db)),
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
        ("/api/products/my-brand", legacy_android.MyBrandProducts(db)),
        ("/api/products/create", legacy_android.CreateProduct(db, uploads)),
        ("/api/products/import-csv", imports.ImportCsv(db, private)),
        ("/api/products/imports", imports.Imports(db)),
        ("/api/products/imports/{import_id:id}", imports.Import(db)),
        ("/api/products/imports/{import_id:id}/apply", imports.ImportApplication(db)),
        ("/api/products/imports/{import_id:id}/cancel", imports.ImportCancellation(db)),
        ("/api/products/imports/{import_id:id}/errors.csv", import_errors.ImportErrors(db)),
        ("/api/products/imports/{import_id:id}/changes", import_changes.ImportChanges(db)),
        ("/api/products/imports/{import_id:id}/changes.csv", import_changes.ImportChangesFile(db)),
        ("/api/products/export", exports.ProductExport(db)),
        ("/api/products/{product_id:id}", products.Product(db)),
        ("/api/products/{product_id:id}/variants", product_variants.Variants(db)),
        ("/api/products/{product_id:id}/variants/{variant_id:id}", product_variants.Variant(db)),
        ("/api/products/{product_id:id}/stock-movements", stock.Movements(db)),
        ("/api/products/{product_id:id}/images", images.Images(db, uploads)),
        ("/api/products/{product_id:id}/images/{image_id:id}", images.Image(db)),
        ("/api/search-synonyms", search_synonyms.Synonyms(db)),
        ("/api/areas", addresses.Areas(db)),
        ("/api/cart", carts.Cart(db)),
        ("/api/cart/lines", carts.CartLines(db)),
        ("/api/checkout/quote", checkouts.Quote(db)),
        ("/api/checkouts", checkouts.Checkouts(db)),
        ("/api/checkouts/{checkout_id:id}", checkouts.Checkout(db)),
        ("/api/checkouts/{checkout_id:id}/cancel", checkouts.Cancellation(db)),
        ("/api/checkouts/{checkout_id:id}/payments", checkouts.Payments(db)),
        ("/api/payments", payments.Payments(db)),
        ("/api/payments/{payment_id:id}", payments.Payment(db)),
        ("/api/payments/{payment_id:id}/proof", payments.Proof(db)),
        ("/api/payments/{payment_id:id}/confirm", payments.Confirmation(db)),
        ("/api/payments/{payment_id:id}/refuse", payments.Refusal(db)),
        ("/api/payments/{payment_id:id}/again", payments.Again(db)),
        ("/api/payments/{payment_id:id}/settle", payments.Settlement(db)),
        ("/api/payments/midtrans/events", provider_callbacks.MidtransEvents(db, providers)),
        ("/api/payments/pretend/events", provider_callbacks.PretendEvents(db, providers)),
        ("/api/uploads", private_images.Uploads(db, private)),
        ("/api/uploads/file", private_images.File(private)),
        ("/api/vouchers", vouchers.Platform(db)),
        ("/api/vouchers/{voucher_id:id}", vouchers.PlatformVoucher(db)),
        ("/api/orders", orders.Orders(db)),
        ("/api/orders/{order_id:id}", orders.Order(db)),
        ("/api/orders/{order_id:id}/accept", order_desk.Accept(db)),
        ("/api/orders/{order_id:id}/ship", order_desk.Ship(db)),
        ("/api/orders/{order_id:id}/confirm", order_desk.Confirm(db)),
        ("/api/orders/{order_id:id}/cancel", order_desk.Cancel(db)),
        ("/api/orders/{order_id:id}/refuse-cancel", order_desk.RefuseCancel(db)),
        ("/api/orders/{order_id:id}/shipments/{shipment_id:id}", order_desk.Shipment(db)),
        (
            "/api/orders/{order_id:id}/shipments/{shipment_id:id}/delivered",
            order_desk.Delivered(db),
        ),
        ("/api/orders/{order_id:id}/shipments/{shipment_id:id}/returned", order_desk.Returned(db)),
        ("/api/orders/{order_id:id}/refunds", refunds.OfOrder(db)),
        ("/api/orders/{order_id:id}/returns", returns.OfOrder(db)),
        ("/api/orders/{order_id:id}/returns/{return_id:id}", returns.Return(db)),
        ("/api/returns", returns.Returns(db)),
        ("/api/orders/{order_id:id}/invoice", papers.Invoice(db)),
        ("/api/orders/{order_id:id}/packing-slip", papers.PackingSlip(db)),
        ("/api/refunds", refunds.Refunds(db)),
        ("/api/refunds/{refund_id:id}/bank", refunds.Bank(db)),
        ("/api/refunds/{refund_id:id}/done", refunds.Done(db)),
        ("/api/refunds/{refund_id:id}/fail", refunds.Fail(db)),
        ("/api/refunds/{refund_id:id}/give-up", refunds.GiveUp(db)),
        ("/api/ledger/entries", books.Entries(db)),
        ("/api/ledger/entries/{entry_id:id}", books.Entry(db)),
        ("/api/audit", audit.Audit(db)),
        ("/api/config", configuration.Config(config)),
        ("/api/changes", changes.Changes(db)),
    ]


def route_table(config: Config, db: Database) -> list[tuple[str, Any]]:
    """Return all routes, and those that are about the others."""
    table = routes(config, db)
    table.append(("/api/links", links.Links(db, table)))
    return [*table, ("/api/openapi.json", openapi.Document(table, config))]


def create_app(config: Config | None = None, db: Database | None = None) -> "falcon.App[Any, Any]":
    """Return the application. It opens its pool at the first request, in the process that serves
    it.
    """
    served = config is None
    if config is None:
        config = settings.load()
        logs.install(config.log_level)
    db = db or Database(config)
    limits = Limits(db, config.rate_limits)
    # Independent middleware responds in reverse order: the outer one last.
    app = App(
        middleware=[
            Outer(AccessLog(config, db), ReadYourWrites(db), _cors(config)),
            Inner(Authentication(db, Tokens(config), limits)),
        ],
        independent_middleware=True,
        request_type=Request,
        response_type=Response,
    )
    app.req_options.strip_url_path_trailing_slash = True
    app.req_options.keep_blank_qs_values = False
    app.req_options.media_handlers["multipart/form-data"] = _multipart(config)
    app.resp_options.media_handlers[problems.MEDIA_TYPE] = app.resp_options.media_handlers[
        falcon.MEDIA_JSON
    ]
    app.router_options.converters["id"] = IdConverter
    problems.install(app)
    idempotency.install(app)
    places = Places(max(1, (config.pool_size + 2) // 3))  # of the threads of a process
    for path, resource in route_table(config, db):
        hooks.put_on(resource, places)
        headers.complete(resource)
        app.add_route(path, resource)
    root = docs.Root()
    headers.complete(root)
    app.add_route("/", root)
    logins = docs.DemoLogins(config)
    headers.complete(logins)
    app.add_route("/docs/demo-logins", logins)
    app.add_sink(Files("/docs/", docs.FOLDER, keep="no-cache"), "/docs/")
    if not config.production and not config.s3_bucket:
        checked.made("UPLOADS_DIR", config.uploads_dir)
        app.add_sink(
            Files("/uploads/", config.uploads_dir, keep="public, max-age=31536000, immutable"),
            "/uploads/",
        )
    if served:
        # What has been loaded stays. The garbage collector would look through all of it again and
        # again, for a fifth of the time of a small request.
        gc.freeze()
    return app


def _cors(config: Config) -> headers.Cors | None:
    if config.cors_origins:
        return headers.Cors(config.cors_origins)
    return None if config.production else headers.Cors((), own_machine=True)


class App(falcon.App[Any, Any]):
    """Falcon refuses the method WEBSOCKET before any middleware sees the request; here it is a 405
    like any other.
    """

    _META_METHODS = frozenset()


class IdConverter(BaseConverter):
    """A path segment that is an id: ASCII digits, int64. Anything else is 404."""

    _ID = re.compile(r"[1-9][0-9]{0,18}\Z")

    def convert(self, value: str) -> int | None:
        """Return the id, or None."""
        if self._ID.match(value) and int(value) <= 2**63 - 1:
            return int(value)
        return None


def _multipart(config: Config) -> Any:
    handler = falcon.media.MultipartFormHandler()
    handler.parse_options.max_body_part_count = config.images_per_product + 64
    handler.parse_options.max_body_part_buffer_size = 256 * 1024
    return handler
