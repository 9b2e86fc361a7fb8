"""Makes clients of the API from its own document: clients/{kotlin,swift,dart,python}.

    python tools/clients.py [NAME ...]      all without a name; `make clients` installs what it
    needs

openapi-generator does the work; a name the server adds to a choice later is `unknown` to a client,
not an error. Calls of the legacy Android app and second addresses of others are left out, and with
them the schemas that nothing else names.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

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
#: What the files of a client end in, and how an app takes it. docs/clients.md says more.
ENDINGS = {"kotlin": ".kt", "swift": ".swift", "dart": ".dart", "python": ".py"}
TAKEN = {
    "kotlin": 'includeBuild("clients/kotlin") in settings.gradle.kts, or `gradle build` there',
    "swift": '.package(path: "clients/swift") in Package.swift',
    "dart": "`dart run build_runner build` there first, then `path: clients/dart` in pubspec.yaml",
    "python": "pip install ./clients/python",
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
    command = [sys.executable, "-m", "marketplace", "openapi", str(document)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    whole = json.loads(document.read_text(encoding="utf-8"))
    calls = without_legacy(whole)
    document.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    print(f"{calls} calls; those of the legacy Android app are left out.", flush=True)
    for name in names or CLIENTS:
        lines = make(name, document, folder / name)
        print(f"{folder.name}/{name}: {said(folder / name, name)}", *lines, sep="\n  ", flush=True)
    return 0


def without_legacy(document: "dict[str, Any]") -> int:
    """Take the calls of the group `legacy`, and the schemas that only they name, out of a document.
    Return how many calls are left.
    """
    for calls in document["paths"].values():
        for method in calls.keys() - {"parameters"}:
            if "legacy" in calls[method]["tags"]:
                del calls[method]
                continue
            for response in calls[method]["responses"].values():
                response.pop("links", None)  # they may name what is gone
    document["paths"] = {
        path: calls for path, calls in document["paths"].items() if set(calls) - {"parameters"}
    }
    document["tags"] = [tag for tag in document["tags"] if tag["name"] != "legacy"]
    schemas = document["components"]["schemas"]
    while unnamed := schemas.keys() - set(
        re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document))
    ):
        for name in unnamed:
            del schemas[name]
    return sum(len(calls.keys() - {"parameters"}) for calls in document["paths"].values())


def said(folder: Path, name: str) -> str:
    """Return what was made: how many files, and how an app takes it."""
    files = sum(1 for path in folder.rglob(f"*{ENDINGS[name]}") if path.is_file())
    return f"{files} files; {TAKEN[name]}"


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
