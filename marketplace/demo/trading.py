"""What the people of the demo need to buy and sell: ways to send, vouchers, an address."""

from decimal import Decimal
from typing import Any

from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.workflows import addresses, delivery_options, vouchers

ZERO = Decimal(0)
_OPTION: dict[str, Any] = {
    "price": ZERO,
    "per_kg": ZERO,
    "free_from": None,
    "max_grams": None,
    "areas": [],
    "cod": False,
    "days_min": None,
    "days_max": None,
    "position": 0,
    "active": True,
    "rates": [],
}
OPTIONS: tuple[dict[str, Any], ...] = (
    {
        "name": "JNE Reguler",
        "pricing": "weight",
        "price": Decimal(2000),
        "per_kg": Decimal(9000),
        "cod": True,
        "days_min": 2,
        "days_max": 4,
    },
    {
        "name": "Kargo",
        "pricing": "table",
        "free_from": Decimal(500_000),
        "days_min": 5,
        "days_max": 8,
        "position": 1,
        "rates": [
            {"area": "ID", "up_to_grams": 10_000, "price": Decimal(45_000)},
            {"area": "ID", "up_to_grams": 30_000, "price": Decimal(90_000)},
        ],
    },
    {"name": "Ambil sendiri", "pricing": "pickup", "position": 2},
)
_VOUCHER: dict[str, Any] = {
    "max_discount": None,
    "min_total": ZERO,
    "product_ids": None,
    "category_ids": None,
    "listed": True,
    "starts_at": None,
    "ends_at": None,
    "quota": None,
    "per_buyer": 1,
    "active": True,
}
HOME: dict[str, Any] = {
    "label": "Rumah",
    "recipient": "Sari Puspita",
    "phone": "+6281200000000",
    "country": "ID",
    "province": "Banten",
    "city": "Kota Serang",
    "district": "Cipocok Jaya",
    "postcode": "42121",
    "line1": "Jl. Veteran 5",
}


def let_sell(db: Database, seller: Caller, store_id: int, letters: str) -> None:
    """Give a store ways to send, and a voucher of ten per cent."""
    voucher = {
        "code": f"HEMAT{letters}",
        "name": "Hemat 10 %",
        "gives": "percent",
        "value": Decimal(10),
        "max_discount": Decimal(25_000),
    }
    with db.transaction(seller) as conn:
        for option in OPTIONS:
            delivery_options.add(conn, store_id, {**_OPTION, **option})
        vouchers.add(conn, store_id, {**_VOUCHER, **voucher})


def let_save(db: Database, admin: Caller) -> None:
    """Add a voucher of the platform: free delivery."""
    voucher = {
        "code": "ONGKIRDEMO",
        "name": "Gratis ongkir",
        "gives": "free_delivery",
        "value": ZERO,
        "max_discount": Decimal(20_000),
        "min_total": Decimal(100_000),
    }
    with db.transaction(admin) as conn:
        vouchers.add(conn, None, {**_VOUCHER, **voucher})


def let_buy(db: Database, buyer: Caller, name: str) -> None:
    """Give a buyer an address."""
    with db.transaction(buyer) as conn:
        addresses.add(conn, buyer.user_id, {**HOME, "recipient": name})
