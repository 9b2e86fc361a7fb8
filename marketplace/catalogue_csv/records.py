"""Lines to records: quoted cells, line breaks in them, and wrong quotes, row by row."""

import csv
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from marketplace.catalogue_csv.model import CELL_LENGTH, ROW_LENGTH, CatalogRefused
from marketplace.text.messages import say

_GIVEN_BACK = 500_000
_GIVEN_BACK_PER_LINE = 20


class Record(NamedTuple):
    """A row of the file. `problem` is None, or the error of its quotes: a code and words."""

    line: int
    cells: list[str]
    problem: tuple[str, str] | None


class Records:
    """The records of a file except for empty lines, each with the number of its first line, counted
    from 1.

    The csv module reads them, strictly. If it finds a quote out of place, the row is read again
    with blanks allowed after closing quotes (padded tables have them). If that fails, the row is
    returned as a problem; and if the quote has run over rows that look whole, reading goes on with
    the first of those, so that one bad row takes no neighbours with it.
    """

    def __init__(self, lines: Iterable[str], delimiter: str, *, first_line: int = 1) -> None:
        # A setting of the whole process, at 131,072 from the start; nothing else here reads CSV.
        csv.field_size_limit(CELL_LENGTH)
        self.width = 0
        self._line = first_line
        self._delimiter = delimiter
        self._lines = iter(lines)
        self._again: list[str] = []
        self._row: list[str] = []
        self._size = 0
        self._given_back = 0
        self._reopen()

    def __iter__(self) -> Iterator[Record]:
        row = self._row
        while True:
            try:
                for cells in self._reader:
                    line = self._line
                    self._line = line + len(row)
                    row.clear()
                    if cells:
                        yield Record(line, cells, None)
                return
            except csv.Error as error:
                yield self._repaired(str(error))

    def _fed(self) -> Iterator[str]:
        """Lines for the csv module; it remembers those of the present row."""
        row, again = self._row, self._again
        while True:
            while again:
                yield self._remembered(again.pop())
            for line in self._lines:
                if row:
                    self._remembered(line)
                else:
                    self._size = len(line)
                    row.append(line)
                yield line
                if again:
                    break
            else:
                self._ended = True
                return

    def _remembered(self, line: str) -> str:
        row = self._row
        self._size = self._size + len(line) if row else len(line)
        if self._size > ROW_LENGTH:
            words = say(
                "The row that begins in line {line} has more than 2,000,000 characters.",
                line=self._line,
            )
            raise CatalogRefused("line_too_long", words)
        row.append(line)
        return line

    def _repaired(self, reason: str) -> Record:
        """Return the record whose quotes the csv module could not read."""
        too_large, ended = "limit" in reason, self._ended
        if not too_large and not ended:
            cells = self._padded()
            if cells is not None:
                return self._taken(len(self._row), cells, None)
        if len(self._row) > 1 and self._looks_whole(self._row[1]):
            words = say("a quote opens a cell and is not closed in this row")
            return self._taken(1, None, ("unbalanced_quote", words))
        if too_large:
            words = say(
                "The row that begins in line {line} has a cell of more than 1,000,000 "
                "characters; is a quote not closed?",
                line=self._line,
            )
            raise CatalogRefused("cell_too_large", words)
        if not ended:
            last = self._line + len(self._row) - 1
            words = say(
                "in line {line} something stands behind a closing quote; write a quote in a cell "
                "twice",
                line=last,
            )
            return self._taken(len(self._row), None, ("stray_quote", words))
        if len(self._row) > 1:
            words = say(
                "The row that begins in line {line} opens a quote that is never closed.",
                line=self._line,
            )
            raise CatalogRefused("unbalanced_quote", words)
        return self._taken(
            1, None, ("unbalanced_quote", say("a quote opens a cell and is never closed"))
        )

    def _taken(
        self, count: int, cells: list[str] | None, problem: tuple[str, str] | None
    ) -> Record:
        """Return a record of the first of the lines read; the csv module gets the others again."""
        row = self._row
        if cells is None:
            cells = self._as_they_are(row[:count])
        self._give_back(row[count:])
        record = Record(self._line, cells, problem)
        self._line += count
        row.clear()
        if self._ended and self._again:
            self._reopen()
        return record

    def _give_back(self, lines: list[str]) -> None:
        """Read lines again. A file made to have most of them read over and over is refused."""
        self._given_back += len(lines)
        if self._given_back > _GIVEN_BACK + _GIVEN_BACK_PER_LINE * self._line:
            words = say(
                "Up to line {line} quotes are opened in so many rows that the file cannot be read.",
                line=self._line,
            )
            raise CatalogRefused("unbalanced_quote", words)
        self._again.extend(reversed(lines))

    def _as_they_are(self, lines: list[str]) -> list[str]:
        """Return the cells of a row with wrong quotes, as well as they can be told apart, for the
        report.
        """
        try:
            return next(csv.reader(lines, delimiter=self._delimiter, skipinitialspace=True), [])
        except csv.Error:
            return ["".join(lines)]

    def _reopen(self) -> None:
        """Start the csv module, or restart it when the feed has ended and lines were given back."""
        self._ended = False
        self._feed = self._fed()
        self._reader = csv.reader(
            self._feed, delimiter=self._delimiter, strict=True, skipinitialspace=True
        )

    def _looks_whole(self, line: str) -> bool:
        """Return whether a line looks like a whole row."""
        if self.width < 2:
            return False
        try:
            return (
                len(next(csv.reader([line], delimiter=self._delimiter, strict=True), []))
                == self.width
            )
        except csv.Error:
            return line.count(self._delimiter) == self.width - 1

    def _padded(self) -> list[str] | None:
        """Return the cells of the row if only blanks follow closing quotes; None if something else
        does.
        """
        row, count = self._row, len(self._row)
        cells = _PaddedCells(self._delimiter)
        fits = all(cells.take(line) for line in row)
        while fits and cells.quoted:
            further = next(self._feed, None) if self._size <= CELL_LENGTH else None
            fits = further is not None and cells.take(further)
        if fits:
            return cells.cells
        self._give_back(row[count:])
        del row[count:]
        return None


class _PaddedCells:
    """Reads a row line by line, accepting blanks between a closing quote and the delimiter."""

    def __init__(self, delimiter: str) -> None:
        self.cells: list[str] = []
        self.quoted = False
        self._delimiter = delimiter
        self._pieces: list[str] = []

    def take(self, line: str) -> bool:
        """Go on with a line. False if something other than a blank follows a closing quote."""
        at = 0
        while True:
            if not self.quoted:
                while line.startswith(" ", at):
                    at += 1
                if not line.startswith('"', at):
                    end = line.find(self._delimiter, at)
                    self.cells.append(line[at:].rstrip("\r\n") if end < 0 else line[at:end])
                    if end < 0:
                        return True
                    at = end + 1
                    continue
                self.quoted = True
                at += 1
            at = self._close(line, at)
            if self.quoted or at >= len(line) or line[at] in "\r\n":
                return True
            if line[at] != self._delimiter:
                return False
            at += 1

    def _close(self, line: str, at: int) -> int:
        """Take a quoted cell as far as the line goes; return the position after it and the blanks
        that follow.
        """
        while True:
            end = line.find('"', at)
            self._pieces.append(line[at:] if end < 0 else line[at:end])
            if end < 0:
                return len(line)
            if not line.startswith('"', end + 1):
                break
            self._pieces.append('"')
            at = end + 2
        self.cells.append("".join(self._pieces))
        self._pieces.clear()
        self.quoted = False
        at = end + 1
        while line.startswith(" ", at):
            at += 1
        return at
