"""Bytes to lines of text: detects the encoding, and survives bytes that are not text.

The encoding of a file without a byte order mark stays open as long as everything is ASCII; the
first megabyte with anything else in it decides. A byte that is no text becomes a lone surrogate, so
that its row can be reported and the rest of the file be read.
"""

import codecs
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from marketplace.catalogue_csv.alphabets import encoding_of
from marketplace.catalogue_csv.model import ROW_LENGTH, CatalogRefused
from marketplace.text.messages import say

BLOCK = 1 << 16
LOOK_AHEAD = 1 << 20
#: Stands for a NUL in texts, which the csv module of Python 3.10 does not accept; broken bytes are
#: others.
NUL = "\ud800"
UNDECODABLE = re.compile("[\ud800-\udfff]")

_ERRORS = "marketplace.catalogue_csv"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WORKBOOK = say("an Excel workbook or a zip archive")
_MAGIC = (
    (b"PK\x03\x04", _WORKBOOK),
    (b"PK\x05\x06", _WORKBOOK),
    (b"\xd0\xcf\x11\xe0", say("an old Excel workbook")),
    (b"\x1f\x8b", say("compressed (gzip)")),
    (b"BZh", say("compressed (bzip2)")),
    (b"\xfd7zXZ", say("compressed (xz)")),
    (b"\x28\xb5\x2f\xfd", say("compressed (zstd)")),
    (b"7z\xbc\xaf", say("compressed (7z)")),
    (b"Rar!", say("compressed (rar)")),
    (b"%PDF", say("a PDF document")),
    (b"\x89PNG", say("an image")),
    (b"\xff\xd8\xff", say("an image")),
    (b"GIF8", say("an image")),
    (b"RIFF", say("an image or a recording")),
    (b"SQLite format", say("a database")),
    (b"\x7fELF", say("a program")),
)
_MARKUP = re.compile(rb"\s*(?:<!doctype|<html|<\?xml|<svg|\{\s*[\"}]|\[\s*[\[{])", re.IGNORECASE)


def _surrogates(error: UnicodeError) -> tuple[str, int]:
    """Replace each byte that is no text by a lone surrogate of its own."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _surrogates)


class Lines:
    """The lines of a byte stream, each with its end (CR, LF or CRLF) unchanged. To be iterated over
    once.

    `encoding` is final when all lines are read; `bytes_read` tells how far the reading is.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.bytes_read = 0
        self._stream = stream
        self._head = self._fill(BLOCK)
        _refuse_other_kinds(self._head)
        self.encoding, mark = _marked(self._head)
        self._open = not mark and self.encoding == "utf-8"
        self._head = self._head[mark:]

    def __iter__(self) -> Iterator[str]:
        """Yield lines of any length up to ROW_LENGTH; a longer one refuses the file."""
        rest = ""
        for text in self._texts():
            lines = io.StringIO(rest + text, newline="").readlines()
            # A CR at the end may be the first half of a CRLF.
            rest = lines.pop() if lines and not lines[-1].endswith("\n") else ""
            if len(rest) > ROW_LENGTH:
                raise CatalogRefused("line_too_long", "A line has more than 2,000,000 characters.")
            yield from lines
        if rest:
            yield rest

    def _texts(self) -> Iterator[str]:
        """Yield the file as text, block by block."""
        decoder = self._decoder()
        blocks = [self._head]
        while blocks:
            if self._open and not all(block.isascii() for block in blocks):
                size = sum(map(len, blocks))
                while size < LOOK_AHEAD and (block := self._fill(BLOCK)):
                    blocks.append(block)
                    size += len(block)
                self.encoding = _guess(b"".join(blocks), whole=size < LOOK_AHEAD)
                self._open = False
                decoder = self._decoder()
            for block in blocks:
                yield decoder.decode(block).replace("\0", NUL)
            block = self._fill(BLOCK)
            blocks = [block] if block else []
        yield decoder.decode(b"", True).replace("\0", NUL)

    def _decoder(self) -> codecs.IncrementalDecoder:
        return codecs.getincrementaldecoder(self.encoding)(_ERRORS)

    def _fill(self, size: int) -> bytes:
        """Return that many bytes, fewer only at the end of the stream."""
        pieces = []
        while size > 0 and (piece := self._stream.read(size)):
            pieces.append(piece)
            size -= len(piece)
            self.bytes_read += len(piece)
        return b"".join(pieces)


def _refuse_other_kinds(head: bytes) -> None:
    if not head:
        raise CatalogRefused("empty_file", "The file is empty.")
    kind = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if kind is None and _MARKUP.match(head.removeprefix(codecs.BOM_UTF8)):
        kind = say("a web page, XML or JSON")
    if kind is not None:
        words = say(
            "The file is {kind}, not CSV. Save the table as CSV (UTF-8) and send that.",
            kind=kind,
        )
        raise CatalogRefused("not_csv", words)


def _marked(head: bytes) -> tuple[str, int]:
    """Return the encoding that the first bytes reveal, and how many bytes of mark they are."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    if b"\0" in head:
        half = len(head) / 2
        first, second = head[0::2].count(0) / half, head[1::2].count(0) / half
        if max(first, second) > 0.3 and min(first, second) < 0.05:
            return ("utf-16-be" if first > second else "utf-16-le"), 0
        if b"\0" in re.split(rb"[\r\n]", head.lstrip(), maxsplit=1)[0]:
            raise CatalogRefused(
                "not_csv", "The file begins with bytes that are no text: it is not CSV."
            )
    return "utf-8", 0


def _guess(sample: bytes, *, whole: bool) -> str:
    """Return UTF-8, or the result of alphabets.py, from the first bytes that are not ASCII.
    `whole`: the file ends with them.

    Another encoding only if it cannot be UTF-8: if there are more broken bytes than good letters.
    Text of no alphabet that we know is read as UTF-8: its rows are reported, and nothing is read as
    nonsense.
    """
    text = codecs.getincrementaldecoder("utf-8")(_ERRORS).decode(sample, whole)
    broken = len(text) - len(UNDECODABLE.sub("", text))
    good = len(re.sub("[\x00-\x7f]+", "", text)) - broken
    return "utf-8" if good >= broken else encoding_of(sample) or "utf-8"
