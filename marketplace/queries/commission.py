"""What the platform takes of a sale, for the owner of the tables. Statements:
sql/queries/commission.sql.
"""

from decimal import Decimal

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("commission")


def now(conn: Conn) -> Row:
    """Return the rule that is in force."""
    return one(conn, SQL["now"])


def change(conn: Conn, rate: Decimal, tax_rate: Decimal, note: str | None) -> int:
    """End the rule in force and begin another one, for what is placed from now on; its id."""
    conn.execute(SQL["close"])
    values = {"rate": rate, "tax_rate": tax_rate, "note": note}
    return int(one(conn, SQL["add"], values)["id"])
