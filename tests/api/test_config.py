"""What an app asks at its start."""

from datetime import datetime, timezone

import pytest
from conftest import Api

from marketplace.config import settings
from marketplace.config.env import ConfigError


def test_an_app_hears_how_the_installation_is_set_up(api: Api):
    answer = api.get("/api/config")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    config = answer.json
    now = datetime.fromisoformat(config.pop("now").replace("Z", "+00:00"))
    assert abs((datetime.now(timezone.utc) - now).total_seconds()) < 60
    assert config == {
        "currency": "IDR",
        "currency_digits": 0,
        "country": "ID",
        "languages": ["en", "id"],
        "methods": ["cod", "transfer", "store_transfer"],
        "features": {"cod": True, "vouchers": True, "reviews": False, "chat": False},
        "limits": {
            "pictures": api.config.images_per_product,
            "picture_bytes": api.config.image_max_bytes,
            "picture_pixels": api.config.image_max_pixels,
            "body_bytes": api.config.body_max_bytes,
            "import_bytes": api.config.import_max_bytes,
            "per_page": 100,
            "cart_lines": 200,
            "addresses": 50,
        },
        "app": {
            "android": {"lowest": None, "newest": None},
            "ios": {"lowest": None, "newest": None},
        },
        "support": {"whatsapp": None, "url": None},
    }


def test_versions_and_support_are_settings(api: Api):
    env = {
        "DATABASE_URL": api.config.database_url,
        "APP_VERSIONS": "android=1.4.0/1.6.2",
        "SUPPORT_WHATSAPP": "+6281234567890",
        "SUPPORT_URL": "https://shop.example/help",
        "CURRENCY": "MYR",
        "COUNTRY": "MY",
    }
    served = settings.load(env, secret_keys=("k" * 40,), data_dir=api.config.data_dir)
    config = Api(served, api.db, api.owner_url).get("/api/config").json
    assert config["app"]["android"] == {"lowest": "1.4.0", "newest": "1.6.2"}
    assert config["support"] == {"whatsapp": "+6281234567890", "url": "https://shop.example/help"}
    assert (config["currency_digits"], config["country"]) == (2, "MY")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_VERSIONS", "android=1.4.0"),
        ("APP_VERSIONS", "windows=1/2"),
        ("COUNTRY", "Indonesia"),
        ("COUNTRY", "id"),
        ("SUPPORT_WHATSAPP", "0812"),
        ("SUPPORT_URL", "javascript:alert(1)"),
    ],
)
def test_a_setting_that_apps_could_not_read_stops_the_start(name: str, value: str):
    with pytest.raises(ConfigError, match=name):
        settings.load({name: value}, secret_keys=("k" * 40,))
