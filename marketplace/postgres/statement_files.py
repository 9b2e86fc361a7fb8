"""Reads a file of named statements, and finds every mistake that a hand can make in it.

A file is text after headers. `-- name: find` starts a statement, which ends with its `;`; a line
`-- budget: 12 buffers` may follow the name. `-- fragment: order` starts a text that `/* include:
order */` puts into statements of the same file.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

_HEADER = re.compile(r"-- (name|fragment): ([a-z][a-z0-9_]*)\s*\Z")
_BUDGET = re.compile(r"-- budget: ([1-9][0-9]*) buffers\s*\Z")
_INCLUDE = re.compile(r"/\* include: ([a-z][a-z0-9_]*) \*/")
#: Lines that may have been meant as a header, or as an include.
_COMMENT = re.compile(r"\s*--+\s*([A-Za-z]+)\s*(:?)\s*(.*?)\s*\Z")
_INLINE = re.compile(r"/\*+\s*([A-Za-z]+)\s*:?\s*([A-Za-z]\w*)\s*\*+/")
_WORD = re.compile(r"[A-Za-z0-9_]+\Z")
_PARAMETER = re.compile(r"%\([a-z_]+\)s|%%|%")
_QUOTED = re.compile(
    r"""(?P<quoted>\b[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
    | (?<!\w)\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$)
    | (?P<line>--[^\n]*) | (?P<block>/\*) | (?P<end>;) |
    (?P<open>['"]|(?<!\w)\$(?:[A-Za-z_]\w*)?\$)""",
    re.VERBOSE | re.DOTALL,
)


class Complaint(NamedTuple):
    """One error: the line of the file, and what is wrong there."""

    line: int
    words: str


class Statement(NamedTuple):
    """A statement: its text, fragments and all, without the `;`; and the places of its pieces."""

    name: str
    line: int
    comment: str
    budget: int | None
    text: str
    #: Offsets in the text at which a piece starts, ascending, each with its line of the file.
    places: Sequence[tuple[int, int]]

    def line_at(self, offset: int) -> int:
        """Return the line of the file that the character at this offset of the text comes from."""
        return next((line for start, line in reversed(self.places) if start <= offset), self.line)


class StatementFile(NamedTuple):
    """The content of a file: the usable statements, by name, and all errors."""

    statements: dict[str, Statement]
    complaints: list[Complaint]


class _Piece(NamedTuple):
    """A part of a row of a statement, and the line of the file it comes from."""

    line: int
    text: str


_Row = list[_Piece]


class _Block:
    """The lines after one header. `kind` is empty for lines before the first, or after a broken
    one.
    """

    def __init__(self, kind: str, name: str, line: int) -> None:
        self.kind = kind
        self.name = name
        self.line = line
        self.budget: int | None = None
        self.comment: list[str] = []
        self.rows: list[_Piece] = []

    def add(self, line: int, text: str) -> None:
        """Take a line: comments before the text are about it, blank lines before it are ignored."""
        if self.rows or not (not text.strip() or text.lstrip().startswith("--")):
            self.rows.append(_Piece(line, text))
        elif text.strip():
            self.comment.append(text)


def read(path: Path) -> StatementFile:
    """Read a file of named statements."""
    complaints: list[Complaint] = []
    blocks = list(_blocks(path.read_text(encoding="utf-8").splitlines(), complaints))
    named = _by_name(blocks, complaints)
    reader = _Reader({name: block for (kind, name), block in named.items() if kind == "fragment"})
    found = {
        name: reader.statement(block) for (kind, name), block in named.items() if kind == "name"
    }
    complaints += reader.complaints
    if not complaints:  # a mistyped one is not included either
        included = {
            name for block in blocks for row in block.rows for name in _INCLUDE.findall(row.text)
        }
        complaints += [
            Complaint(block.line, f"no statement includes the fragment {name}")
            for name, block in reader.fragments.items()
            if name not in included
        ]
    statements = {name: statement for name, statement in found.items() if statement is not None}
    return StatementFile(statements, sorted(set(complaints)))


def _blocks(lines: Sequence[str], complaints: list[Complaint]) -> Iterator[_Block]:
    """Cut the file at its headers. A mistyped one is an error, and ends the block
    before it, too.
    """
    block = _Block("", "", 0)
    for number, text in enumerate(lines, 1):
        if header := _HEADER.match(text):
            yield block
            block = _Block(header[1], header[2], number)
        elif budget := _BUDGET.match(text):
            if block.kind in ("name", "mistyped") and number == block.line + 1:
                block.budget = int(budget[1])
            else:
                complaints.append(Complaint(number, "a budget stands right below `-- name: NAME`"))
        elif _like_a_header(text):
            words = "is no header; there are `-- name: NAME`, `-- fragment: NAME`"
            words += " and, below a name, `-- budget: NUMBER buffers`"
            complaints.append(Complaint(number, f"`{text.strip()}` {words}"))
            if block.rows or not block.kind:
                yield block
                block = _Block("mistyped", "", number)
        else:
            block.add(number, text)
            if block.rows and not block.kind:
                complaints.append(Complaint(number, "this stands before the first `-- name: NAME`"))
                block = _Block("mistyped", "", number)
    yield block


def _like_a_header(text: str) -> bool:
    """Return whether a line of comment was meant as a header: `-- nme: find`, `--name: find`, `--
    name find`.
    """
    comment = _COMMENT.match(text)
    if comment is None:
        return False
    word, colon, rest = comment.groups()
    if _WORD.match(rest) and colon:
        return True
    close = get_close_matches(word.lower(), ("name", "fragment", "budget"), cutoff=0.75)
    return bool(close) and bool(colon or _WORD.match(rest))


def _by_name(
    blocks: Sequence[_Block], complaints: list[Complaint]
) -> dict[tuple[str, str], _Block]:
    named: dict[tuple[str, str], _Block] = {}
    for block in blocks:
        while block.rows and not block.rows[-1].text.strip():
            block.rows.pop()
        if block.kind not in ("name", "fragment"):
            continue
        kind = "statement" if block.kind == "name" else "fragment"
        if (block.kind, block.name) in named:
            complaints.append(Complaint(block.line, f"there are two {kind}s named {block.name}"))
        elif not block.rows:
            complaints.append(Complaint(block.line, f"the {kind} {block.name} has no text"))
        else:
            named[block.kind, block.name] = block
    return named


class _Reader:
    """Puts statements together from the fragments of their file, and reports errors."""

    def __init__(self, fragments: dict[str, _Block]) -> None:
        self.fragments = fragments
        self.complaints = [each for block in fragments.values() for each in _wrong_fragment(block)]
        self._wrong = {name for name, block in fragments.items() if any(_wrong_fragment(block))}

    def statement(self, block: _Block) -> Statement | None:
        """Return a statement; None if something is wrong with it or with its includes."""
        rows = self._expanded(block, ())
        if rows is None:
            return None
        text, places = _joined(rows)
        end, wrong = _end(text)
        comment = "\n".join(block.comment)
        statement = Statement(
            block.name, block.line, comment, block.budget, text[:end].rstrip(), places
        )
        self.complaints += [Complaint(statement.line_at(offset), words) for offset, words in wrong]
        return None if wrong else statement

    def _expanded(self, block: _Block, path: tuple[str, ...]) -> list[_Row] | None:
        """Return the rows of a block with fragments in place of includes, indented as the row that
        includes them.
        """
        rows: list[_Row] = []
        whole = True
        for line, text in block.rows:
            rows.append([])
            indent = text[: len(text) - len(text.lstrip())]
            for place, piece in enumerate(_INCLUDE.split(text)):
                if place % 2 == 0:
                    mistyped = _mistyped_includes(line, piece)
                    self.complaints += mistyped
                    whole = whole and not mistyped
                    rows[-1].append(_Piece(line, piece))
                elif included := self._included(piece, line, path):
                    first, *rest = included
                    rows[-1] += first
                    rows += [
                        [_Piece(row[0].line, indent), *row] if _shown(row) else row for row in rest
                    ]
                else:
                    whole = False
        return rows if whole else None

    def _included(self, name: str, line: int, path: tuple[str, ...]) -> list[_Row] | None:
        if name in path:
            self.complaints.append(Complaint(line, f"the fragment {name} includes itself"))
        elif name not in self.fragments:
            self.complaints.append(Complaint(line, f"the fragment {name} is not in this file"))
        elif name not in self._wrong:
            return self._expanded(self.fragments[name], (*path, name))
        return None


def _shown(row: _Row) -> bool:
    return any(piece.text.strip() for piece in row)


def _mistyped_includes(line: int, text: str) -> list[Complaint]:
    return [
        Complaint(line, f"`{found[0]}` is no include; write `/* include: NAME */`")
        for found in _INLINE.finditer(text)
        if get_close_matches(found[1].lower(), ("include",), cutoff=0.75)
    ]


def _joined(rows: Sequence[_Row]) -> tuple[str, list[tuple[int, int]]]:
    text, places = "", []
    for number, row in enumerate(rows):
        text += "\n" if number else ""
        for piece in row:
            places.append((len(text), piece.line))
            text += piece.text
    return text, places


def _wrong_fragment(block: _Block) -> Iterator[Complaint]:
    """A fragment is a part of a statement, and its rows may be indented."""
    text, places = _joined([[row] for row in block.rows])
    for kind, start, end in _tokens(text):
        line = next(line for offset, line in reversed(places) if offset <= start)
        if kind == "end":
            yield Complaint(
                line, f"the fragment {block.name} has a `;`: it is a part of a statement"
            )
        elif kind == "line" and end == len(text):
            yield Complaint(
                line,
                f"the fragment {block.name} ends in a comment, which would hide what follows it",
            )
        elif kind == "quoted" and "\n" in text[start:end]:
            yield Complaint(
                line,
                f"the fragment {block.name} has a text of several lines, which would be indented",
            )


def _end(text: str) -> tuple[int, list[tuple[int, str]]]:
    """Return where the `;` of a statement is, and the errors: (offset, words)."""
    end = None
    after = 0
    for kind, start, stop in _tokens(text):
        if kind == "open":
            return len(text), [(start, f"{text[start:stop]} is not closed")]
        if end is not None and (between := _first_code(text, after, start)) is not None:
            return end, [
                (between, "a second statement; each has a name of its own (`-- name: NAME`)")
            ]
        if kind == "end" and end is None:
            end = start
        elif end is not None and kind in ("end", "quoted"):
            return end, [
                (start, "a second statement; each has a name of its own (`-- name: NAME`)")
            ]
        after = stop
    if end is None:
        return len(text), [(max(len(text.rstrip()) - 1, 0), "the statement does not end with `;`")]
    if (behind := _first_code(text, after, len(text))) is not None:
        return end, [(behind, "a second statement; each has a name of its own (`-- name: NAME`)")]
    return end, _lone_percents(text[:end])


def _lone_percents(text: str) -> list[tuple[int, str]]:
    """psycopg treats every percent sign of a statement with parameters as one."""
    found = list(_PARAMETER.finditer(text))
    words = "a lone %: a parameter is %(name)s, a percent sign of SQL's own is %%"
    has_parameters = any(each[0].endswith("s") for each in found)
    return [(each.start(), words) for each in found if has_parameters and each[0] == "%"]


def _first_code(text: str, start: int, end: int) -> int | None:
    """Return the offset of the first character between two tokens that is not white space."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()) if piece.strip() else None


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield quoted texts, comments and semicolons, as PostgreSQL reads them: (kind, start, end).

    `open` is a quote or a comment that nothing closes; it is the last.
    """
    place = 0
    while found := _QUOTED.search(text, place):
        kind = str(found.lastgroup if found.lastgroup != "tag" else "quoted")
        end = found.end() if kind != "block" else _end_of_comment(text, found.start())
        if end is None:
            yield "open", found.start(), found.end()
            return
        yield kind, found.start(), end
        if kind == "open":
            return
        place = end


def _end_of_comment(text: str, start: int) -> int | None:
    """Return where a comment that starts here ends; comments may contain comments."""
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return found.end()
    return None
