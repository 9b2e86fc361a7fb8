"""Builds the container image of deploy/Dockerfile: `make image`.

    python3 deploy/image.py [--tag NAME] [--base IMAGE] [--with PROGRAM] [OPTION OF THE BUILDER ...]

docker or podman builds on the base that the Dockerfile names. Where neither runs, buildah builds
without an engine (chroot isolation, as root), on a base that debootstrap makes of Debian's packages
and that is kept: no registry is needed. Other options go to the builder: `--volume`, `--build-arg`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: The Debian whose Python fits, and what its image is called.
DEBIAN = "trixie"
BASE = f"localhost/debian-python:{DEBIAN}"
PACKAGES = "python3,python3-venv,ca-certificates"


def main(arguments: "list[str] | None" = None) -> int:
    """Build it; 2 where nothing here can."""
    options = argparse.ArgumentParser(prog="make image", description=__doc__)
    options.add_argument("--tag", default="marketplace", help="default %(default)s")
    options.add_argument("--base", help="the image to build on")
    options.add_argument("--with", dest="program", help="docker, podman or buildah")
    args, rest = options.parse_known_args(arguments)
    program = args.program or chosen()
    if program is None:
        print(
            "Nothing here builds images: start docker or podman,"
            " or, as root, apt-get install buildah debootstrap."
        )
        return 2
    base = args.base
    if program == "buildah" and base is None:
        base = made_base()
    command = [program, *(("build", "--isolation=chroot") if program == "buildah" else ("build",))]
    command += ["--file", "deploy/Dockerfile", "--tag", args.tag, *rest]
    if base:
        command += ["--build-arg", f"BASE={base}"]
    done = subprocess.run([*command, "."], cwd=ROOT, check=False)
    if done.returncode == 0:
        print(f"The image is {args.tag}: `{program} images` lists it.")
    return done.returncode


def chosen() -> "str | None":
    """Return the first builder that works here."""
    for engine in ("docker", "podman"):
        if shutil.which(engine) and quiet(engine, "info"):
            return engine
    return "buildah" if shutil.which("buildah") and os.geteuid() == 0 else None


def made_base() -> str:
    """Return the name of the base, which is made once."""
    if quiet("buildah", "inspect", "--type", "image", BASE):
        return BASE
    if not shutil.which("debootstrap"):
        raise SystemExit(
            "The base is made by debootstrap: apt-get install debootstrap, or name one with --base."
        )
    print(f"Making {BASE} of Debian's packages: a minute, once.", flush=True)
    with tempfile.TemporaryDirectory(prefix="marketplace-base-", dir="/var/tmp") as name:
        root = Path(name, "root")
        make = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, str(root)]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
        for rest in (
            "var/cache/apt/archives",
            "var/lib/apt/lists",
            "usr/share/doc",
            "usr/share/man",
        ):
            shutil.rmtree(root / rest, ignore_errors=True)
        container = said("buildah", "from", "scratch")
        try:
            said("buildah", "add", "--quiet", container, str(root), "/")
            said("buildah", "commit", "--quiet", container, BASE)
        finally:
            quiet("buildah", "rm", container)
    return BASE


def quiet(*command: str) -> bool:
    """Run; return whether it went well."""
    return (
        subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        ).returncode
        == 0
    )


def said(*command: str) -> str:
    """Run; return what it prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
