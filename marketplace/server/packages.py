"""The packages of others that all workers share: gunicorn's master loads them before it forks.

Memory that nobody writes to is there once for all workers, and a new one starts sooner. So packages
are those that the master has started with; other ones need a restart, and a reload with them is
refused (rehearse.py). This module itself needs nothing but the standard library.
"""

import gc
import importlib
import os
from collections.abc import Iterator
from importlib import metadata

#: What the application imports, by the name of each package.
SHARED = {
    "falcon": ("falcon", "falcon.media"),
    "psycopg": ("psycopg", "psycopg.types.json"),
    "psycopg-pool": ("psycopg_pool",),
    "PyJWT": ("jwt",),
    "bcrypt": ("bcrypt",),
    "cerberus": ("cerberus",),
    "orjson": ("orjson",),
    "xxhash": ("xxhash",),
    "idna": ("idna",),
    "urllib3": ("urllib3.connection", "urllib3.response"),
}
#: Tells the rehearsal of a reload what runs: NAME=VERSION, with blanks between.
RUNNING = "MARKETPLACE_PACKAGES"


def share() -> None:
    """Load them, and take them out of the garbage collector's view, which would write to each."""
    for modules in SHARED.values():
        for name in modules:
            importlib.import_module(name)
    os.environ[RUNNING] = " ".join(f"{name}={metadata.version(name)}" for name in SHARED)
    gc.collect()
    gc.freeze()


def changed() -> Iterator[str]:
    """Yield why a reload could not serve: packages that are installed in another version than the
    master has.
    """
    for package in os.environ.get(RUNNING, "").split():
        name, _, version = package.partition("=")
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # the new code may do without
        if installed != version:
            yield f"{name} {installed} is installed, and {version} runs: restart, do not reload"
