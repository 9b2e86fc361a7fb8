"""Commands in documents: the shell blocks, what must come back, and what is marked as not run."""

import doctest
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MARK = "<!-- not run"
_CHECKER = doctest.OutputChecker()


class Block(NamedTuple):
    """A shell block: the line it starts at, the heading it is below, its text, and the output that
    follows, if any.
    """

    line: int
    heading: str
    commands: str
    output: str | None
    is_run: bool


def blocks(path: Path) -> Iterator[Block]:
    """Every shell block of a document."""
    lines = path.read_text(encoding="utf-8").splitlines()
    fences = [number for number, line in enumerate(lines) if re.match(r"```", line)]
    pairs = list(zip(fences[::2], fences[1::2], strict=True))
    for (start, end), after in zip(pairs, [*pairs[1:], None], strict=True):
        if lines[start] != "```sh":
            continue
        output = None
        if after and after[0] == end + 1 and lines[after[0]] == "```":
            output = "\n".join(lines[after[0] + 1 : after[1]]) + "\n"
        marked = start > 0 and lines[start - 1].startswith(_MARK)
        code = "\n".join(lines[start + 1 : end]) + "\n"
        heading = next((line for line in lines[start::-1] if re.match(r"#+ ", line)), "")
        yield Block(start + 2, heading.lstrip("# "), code, output, not marked)


def same(wanted: str, got: str) -> bool:
    """Whether an output is the one of the document, where `...` stands for anything."""
    return _CHECKER.check_output(wanted, got, doctest.ELLIPSIS)
