"""Settings, read once from the environment into one frozen dataclass.

Every setting is a variable of the same name in capitals. A secret may instead be in a file named by
`NAME_FILE`. A missing or wrong setting stops the start with one line that names the variable.
"""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from marketplace.config import checked, folders, providers, rate_limits, selling
from marketplace.config.env import ConfigError, boolean, integer, secret
from marketplace.config.rate_limits import Limit

ROOT = folders.HOME
MEBIBYTE = 1024 * 1024
_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[0-9A-Za-z.-]{1,190}\Z")
_LINK = re.compile(r"https?://[!-~]{1,500}\Z")
_VERSION = r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}"
_APP_VERSION = re.compile(rf"(android|ios)=({_VERSION})/({_VERSION})\Z")
_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?\Z"
)


@dataclass(frozen=True)
class Config:
    """All settings. Times are in seconds and sizes in bytes unless the name says otherwise."""

    environment: str
    database_url: str
    migrate_database_url: str
    worker_database_url: str
    database_replica_url: str
    database_pooler: str
    replica_max_lag_seconds: int
    data_dir: Path
    uploads_dir: Path
    secret_keys: tuple[str, ...]
    public_url: str
    uploads_url: str
    s3_bucket: str
    s3_private_bucket: str
    s3_endpoint_url: str
    s3_prefix: str
    currency: str
    country: str
    host: str
    port: int
    pool_size: int
    bcrypt_cost: int
    access_token_seconds: int
    refresh_token_seconds: int
    refresh_grace_seconds: int
    body_max_bytes: int
    image_max_bytes: int
    image_max_pixels: int
    images_per_product: int
    image_decoder_memory_bytes: int
    image_decoder_cpu_seconds: int
    image_decoder_seconds: int
    image_decoder_idle_seconds: int
    import_max_bytes: int
    import_atomic_max_rows: int
    import_new_categories: int
    import_new_categories_store: int
    imports_waiting: int
    imports_waiting_bytes: int
    import_report_days: int
    import_retention_days: int
    unconfirmed_user_days: int
    change_retention_days: int
    trusted_proxies: tuple[str, ...]
    cors_origins: tuple[str, ...]
    rate_limits: Mapping[str, Limit]
    smtp_url: str
    mail_from: str
    operator_email: str
    app_url: str
    app_versions: Mapping[str, tuple[str, str]]
    support_whatsapp: str
    support_url: str
    verified_sellers: bool
    stores_need_approval: bool
    payment_methods: tuple[str, ...]
    midtrans_server_key: str
    midtrans_url: str
    midtrans_snap_url: str
    midtrans_channels: tuple[str, ...]
    pretend_url: str
    transfer_accounts: tuple[Mapping[str, str], ...]
    cod_max_total: Decimal
    return_url_schemes: tuple[str, ...]
    shop_time_zone: str
    activity_retention_days: int
    audit_retention_days: int
    log_level: str

    @property
    def production(self) -> bool:
        """Whether weak or missing secrets must stop the start."""
        return self.environment == "production"

    @property
    def uploads_urls(self) -> tuple[str, ...]:
        """The address that images may be served from, with the slash; none in development, where it
        is the request's host.
        """
        public = f"{self.public_url}/uploads" if self.public_url else ""
        return tuple(f"{url}/" for url in (self.uploads_url, public) if url)

    @property
    def private_dir(self) -> Path:
        """Files that are never served: those that sellers upload to be imported."""
        return self.data_dir / "private"


def load(env: Mapping[str, str] | None = None, **overrides: Any) -> Config:
    """Return the settings of this process; `overrides` are for tests and commands. Raises
    ConfigError.
    """
    env = os.environ if env is None else env
    environment = env.get("MARKETPLACE_ENV", "development")
    if environment not in ("development", "production"):
        raise ConfigError(
            f"MARKETPLACE_ENV must be development or production, not {environment!r}."
        )
    data_dir = Path(env.get("DATA_DIR") or ROOT / ".data").resolve()
    database_url = _database(env, "DATABASE_URL")
    pooler = _pooler(env)
    direct = "" if pooler else database_url
    megapixels = integer(env, "IMAGE_MAX_MEGAPIXELS", 50, 1, 200)
    values: dict[str, Any] = {
        "environment": environment,
        "database_url": database_url,
        "migrate_database_url": _database(env, "MIGRATE_DATABASE_URL") or direct,
        "worker_database_url": _database(env, "WORKER_DATABASE_URL") or direct,
        "database_replica_url": _database(env, "DATABASE_REPLICA_URL"),
        "database_pooler": pooler,
        "replica_max_lag_seconds": integer(env, "REPLICA_MAX_LAG_SECONDS", 30, 1, 86400),
        "data_dir": data_dir,
        "uploads_dir": Path(env.get("UPLOADS_DIR") or ROOT / "uploads").resolve(),
        "public_url": checked.web(env, "PUBLIC_URL"),
        "uploads_url": checked.web(env, "UPLOADS_URL"),
        "s3_bucket": env.get("S3_BUCKET") or "",
        "s3_private_bucket": env.get("S3_PRIVATE_BUCKET") or "",
        "s3_endpoint_url": checked.web(env, "S3_ENDPOINT_URL"),
        "s3_prefix": (env.get("S3_PREFIX") or "").strip("/"),
        "currency": env.get("CURRENCY") or "IDR",
        "country": _matching(env, "COUNTRY", _COUNTRY, "a country of ISO 3166-1, such as ID")
        or "ID",
        "host": checked.host(env.get("BIND") or "127.0.0.1"),
        "port": integer(env, "PORT", 8000, 1, 65535),
        "pool_size": integer(env, "POOL_SIZE", 4, 1, 100),
        "bcrypt_cost": integer(env, "BCRYPT_COST", 12, 4, 16),
        "access_token_seconds": integer(env, "ACCESS_TOKEN_MINUTES", 15, 1, 1440) * 60,
        "refresh_token_seconds": integer(env, "REFRESH_TOKEN_DAYS", 60, 1, 365) * 86400,
        "refresh_grace_seconds": integer(env, "REFRESH_GRACE_SECONDS", 10, 0, 60),
        "body_max_bytes": integer(env, "BODY_MAX_KB", 256, 16, 10240) * 1024,
        "image_max_bytes": integer(env, "IMAGE_MAX_MB", 15, 1, 100) * MEBIBYTE,
        "image_max_pixels": megapixels * 1_000_000,
        "images_per_product": integer(env, "IMAGES_PER_PRODUCT", 10, 1, 100),
        "image_decoder_memory_bytes": MEBIBYTE
        * integer(env, "IMAGE_DECODER_MEMORY_MB", 64 + 16 * megapixels, 64, 16384),
        "image_decoder_cpu_seconds": integer(env, "IMAGE_DECODER_CPU_SECONDS", 20, 1, 300),
        "image_decoder_seconds": integer(env, "IMAGE_DECODER_SECONDS", 40, 1, 300),
        "image_decoder_idle_seconds": integer(env, "IMAGE_DECODER_IDLE_SECONDS", 300, 1, 86400),
        "import_max_bytes": integer(env, "IMPORT_MAX_MB", 500, 1, 10000) * MEBIBYTE,
        "import_atomic_max_rows": integer(env, "IMPORT_ATOMIC_MAX_ROWS", 100_000, 1, 10_000_000),
        **_new_categories(env),
        "imports_waiting": integer(env, "IMPORTS_WAITING", 20, 1, 10_000),
        "imports_waiting_bytes": integer(env, "IMPORTS_WAITING_MB", 1000, 1, 1_000_000) * MEBIBYTE,
        "import_report_days": integer(env, "IMPORT_REPORT_DAYS", 90, 1, 3650),
        "import_retention_days": integer(env, "IMPORT_RETENTION_DAYS", 400, 8, 36500),
        "unconfirmed_user_days": integer(env, "UNCONFIRMED_USER_DAYS", 90, 7, 36500),
        "change_retention_days": integer(env, "CHANGE_RETENTION_DAYS", 90, 1, 3650),
        "trusted_proxies": checked.proxies(env.get("TRUSTED_PROXIES") or ""),
        "cors_origins": _origins(env),
        "rate_limits": _rate_limits(env),
        "smtp_url": checked.smtp(secret(env, "SMTP_URL") or ""),
        "mail_from": checked.sender(env.get("MAIL_FROM") or "Marketplace <no-reply@localhost>"),
        "operator_email": _matching(env, "OPERATOR_EMAIL", _EMAIL, "such as ops@shop.example"),
        "app_url": checked.app(env, "APP_URL"),
        "app_versions": _app_versions(env),
        "support_whatsapp": _matching(env, "SUPPORT_WHATSAPP", _PHONE, "such as +6281234567890"),
        "support_url": _matching(env, "SUPPORT_URL", _LINK, "such as https://shop.example/help"),
        **selling.loaded(env),
        "verified_sellers": boolean(env, "VERIFIED_SELLERS", False),
        "stores_need_approval": boolean(env, "STORES_NEED_APPROVAL", False),
        "activity_retention_days": integer(env, "ACTIVITY_RETENTION_DAYS", 400, 1, 36500),
        "audit_retention_days": integer(env, "AUDIT_RETENTION_DAYS", 1100, 1, 36500),
        "log_level": checked.level(env.get("LOG_LEVEL") or "INFO"),
    }
    values.update(overrides)
    checked.currency(values["currency"])
    checked.seconds(env, "DRAIN_SECONDS", 60)
    integer(env, "WEB_CONCURRENCY", 1, 1, 1000)  # gunicorn reads it, and has no words for others
    if "secret_keys" not in values:
        values["secret_keys"] = _secret_keys(env, values["data_dir"], environment == "production")
    config = Config(**values)
    checked.uploads(config.uploads_dir, config.private_dir)
    if config.s3_bucket and not config.uploads_url.startswith(("https://", "http://")):
        raise ConfigError(
            "UPLOADS_URL (https://cdn.shop.example), where images are fetched, goes with S3_BUCKET."
        )
    if config.s3_bucket and config.s3_bucket == config.s3_private_bucket:
        raise ConfigError(
            "S3_PRIVATE_BUCKET must not be S3_BUCKET: that one is served to everybody."
        )
    if config.imports_waiting_bytes < config.import_max_bytes:
        raise ConfigError(
            "IMPORTS_WAITING_MB must be at least IMPORT_MAX_MB: a file as large would never be "
            "taken."
        )
    providers.check(config)
    if config.production:
        _check_production(config)
    return config


def _database(env: Mapping[str, str], name: str) -> str:
    return checked.database(name, secret(env, name) or "")


def _new_categories(env: Mapping[str, str]) -> dict[str, int]:
    """IMPORT_NEW_CATEGORIES: how many categories a file may make, and all files of a store
    together.
    """
    text = (env.get("IMPORT_NEW_CATEGORIES") or "yes").lower()
    words = {"yes": "20/200", "true": "20/200", "on": "20/200", "no": "0", "false": "0", "off": "0"}
    a_file, _, a_store = words.get(text, text).partition("/")
    a_store = a_store or f"{a_file}0"
    if not all(each.isascii() and each.isdigit() and len(each) <= 7 for each in (a_file, a_store)):
        raise ConfigError(
            "IMPORT_NEW_CATEGORIES must be no, or how many a file and a store may make, such as "
            "20/200;"
            f" not {text!r}."
        )
    return {"import_new_categories": int(a_file), "import_new_categories_store": int(a_store)}


def _matching(env: Mapping[str, str], name: str, form: "re.Pattern[str]", words: str) -> str:
    """Return a text of a form; empty if the variable is not set."""
    text = (env.get(name) or "").strip()
    if text and not form.match(text):
        raise ConfigError(f"{name} must be {words}; not {text!r}.")
    return text


def _app_versions(env: Mapping[str, str]) -> Mapping[str, tuple[str, str]]:
    """APP_VERSIONS: the lowest version of an app that still works here, and the newest."""
    text = env.get("APP_VERSIONS") or ""
    found: dict[str, tuple[str, str]] = {}
    for piece in text.replace(",", " ").split():
        match = _APP_VERSION.match(piece)
        if match is None:
            raise ConfigError(
                "APP_VERSIONS must be the lowest and the newest version of each app, such as"
                f" android=1.4.0/1.6.2,ios=1.4.0/1.6.0; not {piece!r}."
            )
        found[match[1]] = (match[2], match[3])
    return found


def _pooler(env: Mapping[str, str]) -> str:
    """DATABASE_POOLER: `transaction` if a pooler lends connections for a transaction at a time,
    else nothing.
    """
    pooler = env.get("DATABASE_POOLER") or ""
    if pooler not in ("", "transaction"):
        raise ConfigError(
            "DATABASE_POOLER must be transaction, or not set (also for a pooler in session "
            f"mode), not {pooler!r}."
        )
    return pooler


def _rate_limits(env: Mapping[str, str]) -> Mapping[str, Limit]:
    try:
        return rate_limits.parsed(env.get("RATE_LIMITS") or "")
    except ValueError as error:
        names = ", ".join(rate_limits.DEFAULTS)
        raise ConfigError(
            "RATE_LIMITS must be off, or pairs such as write=1200/2400 (uses a minute / at once)"
            f" of {names}; not {error}."
        ) from error


def _origins(env: Mapping[str, str]) -> tuple[str, ...]:
    """CORS_ORIGINS as browsers write them in Origin: one that differs by a slash or a capital would
    never match.
    """
    origins = tuple((env.get("CORS_ORIGINS") or "").replace(",", " ").split())
    for origin in origins:
        if not _is_origin(origin) and origins != ("*",):
            raise ConfigError(
                "CORS_ORIGINS must be * alone, or origins with commas such as https://app.example,"
                f" without a path, capitals or the scheme's own port; not {origin!r}."
            )
    return origins


def _is_origin(text: str) -> bool:
    found = _ORIGIN.match(text)
    if found is None or found["port"] is None:
        return found is not None
    port = int(found["port"])
    return port < 65536 and port != {"http": 80, "https": 443}.get(found["scheme"])


def _secret_keys(env: Mapping[str, str], data_dir: Path, production: bool) -> tuple[str, ...]:
    """Return the key that signs tokens, then older ones that are still accepted.

    In development the first start makes one and keeps it in the data folder, readable by its owner
    alone.
    """
    text = secret(env, "SECRET_KEY")
    if not text:
        if production:
            raise ConfigError(
                "SECRET_KEY (or SECRET_KEY_FILE) is required when MARKETPLACE_ENV=production."
            )
        text = _kept_secret(data_dir / "secret")
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys or any(len(key.encode()) < 32 for key in keys):
        raise ConfigError(
            "SECRET_KEY must be at least 32 bytes long; python3 -c 'import secrets;"
            "print(secrets.token_urlsafe(48))' makes one."
        )
    return keys


def _kept_secret(file: Path) -> str:
    """Return the secret in `file`, made on first use. It is written under another name and linked,
    so that two starts agree on one.
    """
    if not file.exists():
        checked.made("DATA_DIR", file.parent)
        fresh = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(secrets.token_urlsafe(48))
        try:
            os.link(fresh, file)
        except FileExistsError:
            pass  # another process was first: its key is the key
        finally:
            fresh.unlink()
    return file.read_text(encoding="utf-8").strip()


def _check_production(config: Config) -> None:
    if not config.public_url.startswith(("https://", "http://")):
        raise ConfigError(
            "PUBLIC_URL (https://shop.example) is required when MARKETPLACE_ENV=production."
        )
    if not config.database_url:
        raise ConfigError("DATABASE_URL is required when MARKETPLACE_ENV=production.")
    if not config.smtp_url:
        raise ConfigError(
            "SMTP_URL (smtp://user:password@mail.example:587) is required when "
            "MARKETPLACE_ENV=production:"
            " passwords are reset by mail."
        )
    if any(len(set(key)) < 10 for key in config.secret_keys):
        raise ConfigError("SECRET_KEY is too regular to be secret; make a random one.")
