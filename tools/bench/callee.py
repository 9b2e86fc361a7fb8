"""The application in a process of its own, without a server: calls.py says what it is to measure.

The application comes from PYTHONPATH, and nothing else of a checkout is needed: so the same program
measures another one.
"""

import io
import json
import sys
import time
from typing import Any

import falcon.testing

from marketplace.app import create_app


def main() -> None:
    """Read the calls from the first line, and how often to make each from every other one; print
    microseconds of CPU a call.
    """
    calls = json.loads(sys.stdin.readline())
    app = create_app()
    print("{}", flush=True)
    for line in sys.stdin:
        print(json.dumps({each["name"]: spent(app, each, int(line)) for each in calls}), flush=True)


def spent(app: Any, call: dict[str, Any], times: int) -> float:
    """Return what a call takes. Raises RuntimeError if it is refused."""
    body = json.dumps(call["json"]).encode() if "json" in call else b""
    environ = falcon.testing.create_environ(
        method=call["method"],
        path=call["path"].partition("?")[0],
        query_string=call["path"].partition("?")[2],
        headers=call["headers"],
        body=body,
    )
    said: list[str] = []

    def start_response(status: str, headers: object) -> None:
        said[:] = [status]

    started = time.process_time()
    for _ in range(times):
        for _piece in app({**environ, "wsgi.input": io.BytesIO(body)}, start_response):
            pass
    taken = (time.process_time() - started) / times
    if not said[0].startswith("2"):
        raise RuntimeError(f"{call['path']}: {said[0]}")
    return taken * 1e6


if __name__ == "__main__":
    main()
