"""HTML in descriptions to text: what a reader would see, with its paragraphs and lists, and nothing
that runs.
"""

import re
from html.parser import HTMLParser

_LOOKS_LIKE = re.compile(
    r"</?[a-zA-Z][^<>]*>|<!--|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});"
).search
_BLOCKS = frozenset(
    (
        *(
            "p",
            "div",
            "br",
            "li",
            "ul",
            "ol",
            "tr",
            "table",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "dl",
            "dt",
            "dd",
        ),
        *("hr", "section", "article", "header", "footer", "blockquote", "pre", "figure"),
    )
)
_SILENT = frozenset(["script", "style", "template", "iframe"])
_PEELS = 3
_BLANKS = re.compile(r"[ \t\r\n\f\v\u00a0]+")
_AROUND_BREAKS = re.compile(r" *\n *")
_MANY_BREAKS = re.compile(r"\n{3,}")


def to_text(cell: str) -> str:
    """Return the cell without markup, if it has any; else unchanged. Markup that was escaped, even
    twice, goes as well.
    """
    for _ in range(_PEELS):
        if not _LOOKS_LIKE(cell):
            break
        reader = _Reader()
        reader.feed(cell)
        reader.close()
        cell = _MANY_BREAKS.sub("\n\n", _AROUND_BREAKS.sub("\n", "".join(reader.pieces))).strip()
    return cell


class _Reader(HTMLParser):
    """Collects the text of a page. The standard library reads entities."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add a break before a block, a dash before an item."""
        if self._silent is None and tag in _SILENT:
            self._silent = tag
        elif self._silent is None and tag in _BLOCKS:
            self.pieces.append("\n- " if tag == "li" else "\n")

    def handle_endtag(self, tag: str) -> None:
        """Add a break after a block, an empty line after a paragraph."""
        if tag == self._silent:
            self._silent = None
        elif self._silent is None and tag in _BLOCKS and tag not in ("br", "li"):
            self.pieces.append("\n\n" if tag == "p" else "\n")

    def handle_data(self, data: str) -> None:
        """Add text, whose own line breaks mean nothing in HTML."""
        if self._silent is None:
            self.pieces.append(_BLANKS.sub(" ", data))
