"""The same work on several connections at once."""

import threading
from typing import Any

import psycopg
from psycopg.rows import dict_row


def racing(url: str, work: Any, sides: int) -> list[Any]:
    """Do the work on as many connections at once; what each returned or raised."""
    gate = threading.Barrier(sides)
    results: list[Any] = [None] * sides

    def run(side: int) -> None:
        with psycopg.connect(url, row_factory=dict_row) as conn:
            gate.wait()
            try:
                results[side] = work(conn, side)
                conn.commit()
            except psycopg.Error as error:
                results[side] = error

    threads = [threading.Thread(target=run, args=(side,)) for side in range(sides)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
