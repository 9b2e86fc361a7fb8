"""Check the style of sql/queries with sqlfluff: each statement as it is sent, fragments included.

    python -m tools.lint_sql [NOUN ...]

A complaint names the file and line to edit; that of a fragment comes once.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from marketplace.config.settings import ROOT
from marketplace.postgres import statement_files
from marketplace.postgres.statement_files import Statement
from marketplace.postgres.statements import QUERIES


def main(nouns: list[str]) -> int:
    """Print the complaints about some nouns, or all; 1 if there is one."""
    paths = [QUERIES / f"{noun}.sql" for noun in nouns] or sorted(QUERIES.glob("*.sql"))
    complaints: set[tuple[str, int, str]] = set()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".sqlfluff").write_text((ROOT / "sql" / ".sqlfluff").read_text())
        written = {path.name: _write(path, Path(folder)) for path in paths}
        command = [sys.executable, "-m", "sqlfluff", "lint", "--format", "json", "--processes", "2"]
        done = subprocess.run(
            [*command, "."], cwd=folder, capture_output=True, text=True, check=False
        )
    if not done.stdout.startswith("["):
        print(done.stdout, done.stderr, file=sys.stderr)
        return 1
    for file in json.loads(done.stdout):
        name = Path(file["filepath"]).name
        for found in file["violations"]:
            line = _line(written[name], found["start_line_no"])
            complaints.add((name, line, f"{found['code']} {found['description']}"))
    for name, line, words in sorted(complaints):
        print(f"sql/queries/{name}:{line}: {words}")
    return 1 if complaints else 0


def _write(path: Path, folder: Path) -> list[tuple[int, Statement]]:
    """Write the statements of a file; return the line at which each text starts, ascending."""
    starts: list[tuple[int, Statement]] = []
    lines: list[str] = []
    for statement in statement_files.read(path).statements.values():
        lines.append(f"-- name: {statement.name}")
        starts.append((len(lines) + 1, statement))
        lines += [*f"{statement.text};".split("\n"), ""]
    (folder / path.name).write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    return starts


def _line(starts: list[tuple[int, Statement]], line: int) -> int:
    """Return the line of our file that a line of the written one comes from."""
    first, statement = next((each for each in reversed(starts) if each[0] <= line), starts[0])
    before = statement.text.split("\n")[: max(line - first, 0)]
    return statement.line_at(sum(len(each) + 1 for each in before))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
