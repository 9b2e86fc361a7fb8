"""Whether gunicorn answers /healthz where GUNICORN_BIND says it listens; ends with 1 if not. For
the image.
"""

import http.client
import os
import socket
import sys


def main(address: str) -> int:
    """0 where the process answers with 200 within four seconds."""
    conn = http.client.HTTPConnection("localhost", timeout=4)
    try:
        if address.startswith("unix:"):
            conn.sock = socket.socket(socket.AF_UNIX)
            conn.sock.settimeout(4)
            conn.sock.connect(address.removeprefix("unix:"))
        else:
            conn.sock = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 4)
        conn.request("GET", "/healthz")
        return 0 if conn.getresponse().status == 200 else 1
    except (OSError, http.client.HTTPException) as error:
        print(f"{address}: {error}", file=sys.stderr)
        return 1
    finally:
        conn.close()


if __name__ == "__main__":
    sys.exit(main(os.environ.get("GUNICORN_BIND", "127.0.0.1:8000")))
