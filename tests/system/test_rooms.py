"""The rooms of the package: which may import which, without circles; and what none of them
loads.
"""

import ast
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

from marketplace.config.settings import ROOT
from marketplace.server import packages

PACKAGE = ROOT / "marketplace"
#: Room -> floor. An import goes only to a room on a lower floor.
FLOORS = {
    "__init__": 0,
    "config": 1, "telemetry": 1, "text": 1,
    "catalogue_csv": 2, "contract": 2, "files": 2, "integrations": 2, "postgres": 2,
    "ops": 3, "queries": 3, "schemas": 3, "security": 3,
    "web": 4,
    "openapi": 5, "server": 5, "workflows": 5,
    "demo": 6, "jobs": 6, "resources": 6,
    "app": 7,
    "commands": 8,
    "__main__": 9,
}  # fmt: skip
#: Rooms below that a room does not import all the same: it would know too much.
NOT_BELOW = {
    "catalogue_csv": {"config", "telemetry"},
    "files": {"postgres"},
    "jobs": {"web"},
    "schemas": {"queries", "postgres"},
    "security": {"files", "integrations"},
    "workflows": {"web"},
}
#: Packages of others that a room must not load, by whatever way.
NOT_LOADED = {
    "config": {"falcon", "psycopg"},
    "telemetry": {"falcon", "psycopg"},
    "text": {"falcon", "psycopg"},
    "catalogue_csv": {"falcon", "psycopg"},
    "contract": {"falcon", "psycopg"},
    "files": {"falcon", "psycopg"},
    "integrations": {"falcon", "psycopg"},
    "queries": {"falcon"},
    "schemas": {"falcon", "psycopg"},
    "security": {"falcon"},
    "ops": {"falcon"},
    "workflows": {"falcon"},
    "jobs": {"falcon"},
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


@cache
def modules() -> dict[str, Path]:
    return {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def imports_of(path: Path) -> set[str]:
    """Modules of ours that a file imports, also inside its functions; names are counted to their
    module.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {
                alias.name for alias in node.names if alias.name.partition(".")[0] == "marketplace"
            }
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module is None or node.module.partition(".")[0] != "marketplace":
                continue
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in modules() else node.module)
    return {module if module != "marketplace" else "marketplace.__init__" for module in found}


@cache
def arrows() -> dict[str, set[str]]:
    return {module: imports_of(path) for module, path in modules().items()}


def test_the_package_has_rooms_and_nothing_else():
    lying = {path.stem for path in PACKAGE.glob("*.py")}
    assert lying == {"__init__", "__main__", "app"}
    assert {room_of(module) for module in modules()} == set(FLOORS)


def test_a_room_imports_only_rooms_further_down():
    wrong = [
        f"{module} -> {target}"
        for module, targets in arrows().items()
        for target in targets
        if (room := room_of(module)) != (below := room_of(target))
        and (FLOORS[below] >= FLOORS[room] or below in NOT_BELOW.get(room, ()))
    ]
    assert wrong == []


def test_no_module_imports_itself_in_a_circle():
    done: set[str] = set()

    def walk(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module in done:
            return
        for target in sorted(arrows()[module]):
            walk(target, (*above, module))
        done.add(module)

    for module in arrows():
        walk(module, ())


@pytest.mark.parametrize("room", ["queries", "resources", "commands"])
def test_rooms_whose_modules_do_not_know_each_other(room):
    siblings = {
        f"{module} -> {target}"
        for module, targets in arrows().items()
        for target in targets
        if room_of(module) == room == room_of(target)
    }
    assert siblings <= SIBLINGS


#: Commands that share what is neither's: a restore is the way back of a backup.
SIBLINGS = {
    "marketplace.commands.check_sql -> marketplace.commands.explain",
    "marketplace.commands.restore -> marketplace.commands.backup",
    "marketplace.commands.run -> marketplace.commands.demo",
}


@pytest.mark.parametrize("room", sorted(NOT_LOADED))
def test_a_room_loads_neither_web_framework_nor_driver_that_it_must_not_know(room):
    names = [
        module
        for module in modules()
        if room_of(module) == room and module != "marketplace.files.s3"
    ]
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[2:]:\n"
        "    importlib.import_module(name)\n"
        "print(*sorted(set(sys.argv[1].split(',')) & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, ",".join(NOT_LOADED[room]), *names],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout.split() == []


def test_gunicorns_master_loads_only_the_standard_library_from_the_package():
    code = (
        "import runpy, sys\n"
        "runpy.run_path('gunicorn.conf.py')\n"
        "print(*sorted({'falcon', 'psycopg', 'prometheus_client', 'orjson', 'jwt', 'PIL'} & "
        "set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == []
    assert [(PACKAGE / room / "__init__.py").read_text() for room in ("server", "telemetry")] == [
        "",
        "",
    ]


def test_gunicorns_master_shares_all_packages_that_the_application_imports():
    code = (
        "import sys\n"
        "from marketplace.server import packages\n"
        "packages.share()\n"
        "shared = set(sys.modules)\n"
        "assert not list(packages.changed())\n"
        "import marketplace.app\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - shared}\n"
        "    - {'marketplace', *sys.stdlib_module_names}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    # It chooses how to count when it is loaded, and each worker does so for itself.
    assert done.stdout.split() == ["prometheus_client"]


def test_a_reload_with_other_packages_than_the_masters_is_refused(monkeypatch: pytest.MonkeyPatch):
    running = f"falcon=0.1 orjson={metadata.version('orjson')} gone=1"
    monkeypatch.setenv(packages.RUNNING, running)
    assert [*packages.changed()] == [
        f"falcon {metadata.version('falcon')} is installed, and 0.1 runs: restart, do not reload"
    ]
