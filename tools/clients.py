"""Makes clients of the API from its own document: clients/{kotlin,swift,dart,python}.

    python tools/clients.py [NAME ...]      all without a name; `make clients` installs what it
    needs

openapi-generator does the work; a name the server adds to a choice later is `unknown` to a client,
not an error.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "clients"
COMMON = {"hideGenerationTimestamp": "true", "enumUnknownDefaultCase": "true"}
#: Names that are reserved words as types, in languages that would make types of these parameters.
MAPPINGS = "type=ActivityType,from=FromTime"
#: Name -> generator, its own properties.
CLIENTS = {
    "kotlin": (
        "kotlin",
        {
            "packageName": "marketplace",
            "groupId": "marketplace",
            "artifactId": "marketplace-client",
        },
    ),
    "swift": ("swift6", {"projectName": "Marketplace"}),
    "dart": ("dart-dio", {"pubName": "marketplace", "pubLibrary": "marketplace"}),
    "python": (
        "python",
        {"packageName": "marketplace_client", "projectName": "marketplace-client"},
    ),
}


def main(names: "list[str]", folder: Path = FOLDER) -> int:
    """Make the named clients; 2 for an unknown name."""
    unknown = [name for name in names if name not in CLIENTS]
    if unknown:
        print(
            f"There is no client called {unknown[0]}; there are {', '.join(CLIENTS)}.",
            file=sys.stderr,
        )
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    document = folder / "openapi.json"
    subprocess.run(
        [sys.executable, "-m", "marketplace", "openapi", str(document)], cwd=ROOT, check=True
    )
    for name in names or CLIENTS:
        lines = make(name, document, folder / name)
        print(f"clients/{name}  {', '.join(lines) or 'without a warning'}", flush=True)
    return 0


def make(name: str, document: Path, target: Path) -> "list[str]":
    """Make one client; print the generator's warnings, except its own about OpenAPI 3.1. Raises
    CalledProcessError.
    """
    generator, properties = CLIENTS[name]
    options = ",".join(f"{key}={value}" for key, value in {**COMMON, **properties}.items())
    command = [
        *(
            "generate",
            "--generator-name",
            generator,
            "--input-spec",
            str(document),
            "--output",
            str(target),
        ),
        *("--additional-properties", options, "--model-name-mappings", MAPPINGS),
    ]
    program = Path(sys.executable).with_name("openapi-generator-cli")
    done = subprocess.run([str(program), *command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout[-3000:], done.stderr[-3000:], file=sys.stderr)
        done.check_returncode()
    warnings = [line.partition(" - ")[2] for line in done.stdout.splitlines() if "WARN" in line]
    return [line for line in warnings if "OpenAPI 3.1 support is still in beta" not in line]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
