"""Makes a release: `make release VERSION=0.2.0`.

Checks that nothing is uncommitted, that the version stands in the package, in pyproject.toml and,
with a date, in CHANGELOG.md, and that the tag is free. Runs `make lint` and `make test` (leave them
out with ARGS=--skip-checks where CI has run them on this commit). Then builds wheel and source
archive, writes a bill of materials (CycloneDX) and SHA256SUMS into dist/, and tags the commit. It
pushes and uploads nothing.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?\Z")
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)([^\n]*)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class RefusedError(Exception):
    """No release; the message says why."""


def main(arguments: "list[str] | None" = None) -> int:
    """Make it; 1 with a line that says why not."""
    options = argparse.ArgumentParser(prog="make release", description=__doc__)
    options.add_argument("version", help="such as 0.2.0")
    options.add_argument("--skip-checks", action="store_true", help="CI has run them")
    options.add_argument("--no-tag", action="store_true", help="build only")
    args = options.parse_args(arguments)
    try:
        require_ready(args.version, ROOT)
        if not args.skip_checks:
            for target in ("lint", "test"):
                subprocess.run(["make", target], cwd=ROOT, check=True)  # noqa: S607
        made = build(args.version, ROOT)
        if not args.no_tag:
            tag = [
                "git",
                "tag",
                "--annotate",
                f"v{args.version}",
                "--message",
                f"Release {args.version}",
            ]
            subprocess.run(tag, cwd=ROOT, check=True)
    except RefusedError as refused:
        print(f"No release: {refused}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failed:
        print(f"No release: {failed.cmd} ended with {failed.returncode}", file=sys.stderr)
        return 1
    for path in made:
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes")
    print("Not tagged." if args.no_tag else f"Tagged v{args.version}. To publish: git push --tags")
    return 0


def require_ready(version: str, root: Path) -> None:
    """Raise RefusedError with everything that is not ready."""
    wrong = []
    if not VERSION.match(version):
        wrong.append(f"{version} is no version such as 0.2.0")
    if _git(root, "status", "--porcelain"):
        wrong.append("there are uncommitted changes")
    if _git(root, "tag", "--list", f"v{version}"):
        wrong.append(f"v{version} is tagged already")
    for file, line in (
        ("pyproject.toml", f'version = "{version}"'),
        ("marketplace/__init__.py", f'__version__ = "{version}"'),
    ):
        if line not in (root / file).read_text(encoding="utf-8").splitlines():
            wrong.append(f"{file} does not say {line}")
    if not changes(version, root):
        wrong.append(f"CHANGELOG.md has no dated section [{version}] with something in it")
    if wrong:
        raise RefusedError("; ".join(wrong) + ".")


def changes(version: str, root: Path) -> str:
    """Return the changelog's section of a version; nothing if it is missing, undated or empty."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## \[|\Z)"
    found = re.search(heading, text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def build(version: str, root: Path) -> "list[Path]":
    """Build everything into dist/; return the files."""
    folder = root / "dist"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(root)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    materials = folder / f"marketplace_server-{version}.cdx.json"
    materials.write_text(json.dumps(bill(version, root), indent=1) + "\n", encoding="utf-8")
    (folder / "CHANGES.md").write_text(changes(version, root) + "\n", encoding="utf-8")
    files = sorted(folder.iterdir())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files]
    (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n", encoding="ascii")
    return [*files, folder / "SHA256SUMS"]


def bill(version: str, root: Path) -> "dict[str, Any]":
    """Return the bill of materials: what requirements*.txt of the service pin, by hash, and
    Swagger UI.
    """
    components = [
        component(name, found, rest)
        for file in ("requirements.txt", "requirements-embedded.txt", "requirements-s3.txt")
        for name, found, rest in PIN.findall(
            (root / file).read_text(encoding="utf-8").replace("\\\n", " ")
        )
    ]
    unique = {each["bom-ref"]: each for each in components}
    swagger = (root / "marketplace/static/swagger_ui/README.md").read_text(encoding="utf-8")
    shown = swagger.split()[3]
    page = f"pkg:npm/swagger-ui-dist@{shown}"
    unique[page] = {
        "type": "library", "bom-ref": page, "name": "swagger-ui-dist", "version": shown, "purl": page,
    }  # fmt: skip
    ours = f"pkg:pypi/marketplace-server@{version}"
    product = {
        "type": "application", "bom-ref": ours, "name": "marketplace-server", "version": version, "purl": ours,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }  # fmt: skip
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, ours)}",
        "version": 1,
        "metadata": {"component": product},
        "components": sorted(unique.values(), key=lambda each: each["bom-ref"]),
    }


def component(name: str, version: str, rest: str) -> "dict[str, Any]":
    """Return one pinned package."""
    reference = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": version,
        "purl": reference,
        "externalReferences": [
            {
                "type": "distribution",
                "url": reference,
                "hashes": [{"alg": "SHA-256", "content": found}],
            }
            for found in sorted(HASH.findall(rest))
        ],
    }


def _git(root: Path, *words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
