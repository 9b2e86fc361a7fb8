"""Every test stands on a shelf, and what two of them need is in support/."""

import ast

from marketplace.config.settings import ROOT

TESTS = ROOT / "tests"
SHELVES = {"api", "domain", "database", "operations", "system"}


def imported(text: str) -> set[str]:
    """Modules that a file imports, and what it takes from them, by full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    return found


def test_every_test_stands_on_a_shelf():
    elsewhere = {
        str(path.relative_to(TESTS))
        for path in TESTS.rglob("test_*.py")
        if path.parent.name not in SHELVES
    }
    assert elsewhere == set()
    assert {path.parent.parent for path in TESTS.rglob("test_*.py")} == {TESTS}


def test_no_file_imports_a_test_file():
    """What two tests need stands in support/, so that a test can be read and moved alone."""
    for path in TESTS.rglob("*.py"):
        for name in imported(path.read_text(encoding="utf-8")):
            assert not any(part.startswith("test_") for part in name.split(".")), (
                f"{path.name} imports {name}"
            )
