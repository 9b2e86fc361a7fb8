"""Fuzzes servers of its own by the API's document, each as one role: make fuzz EXAMPLES=100.

All roles are at work at once, each on its own server and database, so that what one makes or removes
is nothing to the others. schemathesis makes the requests: examples, limits and just past them, random ones, and chains of
calls that hand each other what they made. The seed is fixed. Exits 1 when an answer was one that
the document does not declare.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from conftest import created, multipart, owner
from support.images import picture
from support.server import Server

from marketplace.config import rate_limits
from marketplace.postgres import migrations

HERE = Path(__file__).resolve().parent
#: A quick machine uses up the writes of one user, and would see 429 where the call has more to say.
UNLIMITED = " ".join(f"{name}=1000000" for name in rate_limits.DEFAULTS)
#: Without a token it signs itself in by the document's own calls, so that nobody is a buyer, too.
ROLES = ("buyer", "seller", "admin")
#: Said by our own checks instead, which know what is declared (fuzz_checks.py).
EXCLUDED = "positive_data_acceptance"


def main() -> int:
    """Fuzz as each role; 0 when nothing was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=20, help="of each operation and role")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--role", choices=ROLES, action="append")
    args = parser.parse_args()
    roles = args.role or ROLES
    with owner() as url, ThreadPoolExecutor(len(roles)) as pool:
        verdicts = pool.map(lambda role: look(url, role, args.examples, args.seed), roles)
        found = [role for role, wrong in zip(roles, verdicts, strict=True) if wrong]
    print(f"found something as: {', '.join(found)}" if found else "nothing that is not declared")
    return 1 if found else 0


def look(url: str, role: str, examples: int, seed: int) -> bool:
    """Fuzz as one role, and print the report when it is whole; whether anything was found."""
    with (
        created(url, f"marketplace_fuzz_{role}_{os.getpid()}") as database,
        tempfile.TemporaryDirectory() as folder,
    ):
        migrations.migrate(database, lambda line: None)
        server = Server(database, Path(folder), RATE_LIMITS=UNLIMITED)
        try:
            if role != "seller":
                token(server, database, "seller")  # something that others see
            report = fuzz(server, database, role, examples, seed)
        finally:
            server.process.terminate()
            server.process.wait(20)
        crashes = [line for line in server.log.read_text().splitlines() if '"traceback"' in line]
    said = [f"As {role}, {examples} examples an operation:", report.stdout]
    said += [json.loads(line)["traceback"] for line in crashes[:5]]
    print("\n".join(said), flush=True)
    return report.returncode != 0 or bool(crashes)


#: Its phase of limits ends with an error of its own at a multipart body that has lists of objects
#: beside a file ("Unsupported type: 'Binary'"); examples, random bodies and chains go on.
WITHOUT_COVERAGE = """
[[operations]]
include-name = "POST /api/products"
phases.coverage.enabled = false
"""


def fuzz(
    server: Server, database: str, role: str, examples: int, seed: int
) -> subprocess.CompletedProcess[str]:
    """Run schemathesis as one role; what it said."""
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run"),
        f"http://127.0.0.1:{server.port}/api/openapi.json",
        *(
            "--max-examples",
            str(examples),
            "--seed",
            str(seed),
            "--checks",
            "all",
            "--exclude-checks",
            EXCLUDED,
        ),
        *(
            "--continue-on-failure",
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
            "--request-timeout",
            "30",
        ),
        *(
            "--exclude-path-regex",
            "/auth/(logout|sessions)",
            "--exclude-operation-id",
            "deleteProfile",
        ),
        *("--workers", "1"),
    ]
    command += ["--header", f"Authorization: Bearer {token(server, database, role)}"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "schemathesis.toml").write_text(WITHOUT_COVERAGE)
        env = {
            **os.environ,
            "SCHEMATHESIS_HOOKS": "fuzz_checks",
            "PYTHONPATH": str(HERE),
            "NO_COLOR": "1",
        }
        return subprocess.run(
            command,
            cwd=folder,
            env=env,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def token(server: Server, database: str, role: str) -> str:
    """A new user of a role, with a shop that has something in it."""
    email = f"{role}@example.com"
    body = {"name": role, "email": email, "password": f"kopi-{role}-tanpa-gula", "role": "buyer"}
    _, answer = server.call(
        "POST", "/api/auth/register", json.dumps(body).encode(), Content_Type="application/json"
    )
    bearer = f"Bearer {answer['access_token']}"
    if role != "buyer":
        for path, body in (
            ("/api/stores", {"name": f"Toko {role}"}),
            ("/api/products", {"name": "Kopi", "price": "1", "stock": 3, "brand": "Gayo"}),
        ):
            server.call(
                "POST",
                path,
                json.dumps(body).encode(),
                Content_Type="application/json",
                Authorization=bearer,
            )
        image, kind = multipart([("images", "a.jpg", picture())], {})
        server.call(
            "POST", "/api/products/1/images", image, Content_Type=kind, Authorization=bearer
        )
    if role == "admin":
        with psycopg.connect(database) as conn:
            conn.execute("UPDATE users SET role = 'admin' WHERE email = %s", [email])
    return str(answer["access_token"])


if __name__ == "__main__":
    sys.exit(main())
