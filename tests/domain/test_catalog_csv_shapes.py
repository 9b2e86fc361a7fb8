"""Product files in every shape: quotes, encodings, files nobody here wrote, any bytes, any size."""

import gc
import io
import json
import random
import tracemalloc

import pytest
from conftest import SHARED
from support.csv_rows import codes, good, rows_of

from marketplace.catalogue_csv import (
    FILE_CODES,
    NOTES,
    ROW_CODES,
    BadRow,
    CatalogRefused,
    GoodRow,
    read,
)
from marketplace.catalogue_csv.encoding import Lines
from marketplace.catalogue_csv.records import Records

DATA = SHARED / "data"
CSV_FILES = sorted((DATA / "csv").glob("*.[ct]sv")) + sorted((DATA / "csv" / "fuzz").glob("*"))
#: The pair of spectrum_location_coordinates is of two different records.
SPECTRUM = [
    path for path in sorted((DATA / "csv").glob("spectrum_*.json")) if "location" not in path.name
]
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the sample files are not at {DATA}")


# -- encodings


@pytest.mark.parametrize(
    ("encoding", "mark", "name"),
    [
        ("utf-8", b"", "utf-8"), ("utf-8", b"\xef\xbb\xbf", "utf-8"),
        ("utf-16-le", b"\xff\xfe", "utf-16-le"),
        ("utf-16-be", b"\xfe\xff", "utf-16-be"), ("utf-16-le", b"", "utf-16-le"),
        ("utf-16-be", b"", "utf-16-be"),
        ("cp1252", b"", "cp1252"),
    ],
)  # fmt: skip
def test_the_encoding_is_found_and_said(encoding, mark, name):
    content = mark + "name,price\r\nCrème brûlée – “été”,€ 5\r\nPlain,6\r\n".encode(encoding)
    catalog, rows = rows_of(content)
    assert catalog.encoding == name
    assert [(row.name, row.price) for row in rows] == [("Crème brûlée – “été”", 5), ("Plain", 6)]


def test_windows_1252_is_found_however_late_its_first_accent_comes():
    content = b"name,price\n" + b"Plain product,5\n" * 200_000 + "Crème,6\n".encode("cp1252")
    catalog = read(io.BytesIO(content))
    *_, last = catalog
    assert (catalog.encoding, last.name) == ("cp1252", "Crème")


def test_a_broken_byte_in_a_utf8_file_makes_one_row_bad():
    content = "name,price,Lokasi\n" + "Crème,1,x\n" * 5
    catalog, rows = rows_of(content.encode() + b"Cr\xe8me,2,x\nPlain,3,\xe8\n")
    assert catalog.encoding == "utf-8"
    assert [row.line for row in rows if isinstance(row, BadRow)] == [7]
    assert codes(rows[5]) == [("name", "invalid_encoding")]
    assert rows[5].cells == ("Cr\N{REPLACEMENT CHARACTER}me", "2", "x")


@pytest.mark.parametrize(
    ("encoding", "word"),
    [("gbk", "平底锅"), ("cp1251", "сковорода"), ("shift_jis", "鍋とフライパン")],
)
def test_other_encodings_are_reported_and_never_shown_as_nonsense(encoding, word):
    content = ("name,price\n" + f"{word},5\n" * 20 + "Pan,6\n").encode(encoding)
    _, rows = rows_of(content)
    assert codes(rows[0]) == [("name", "invalid_encoding")]
    assert rows[-1].name == "Pan"


def test_a_nul_in_a_row_is_reported():
    _, rows = rows_of(b"name,price\nPa\0n,1\nPot,1\0\nLid,3\n")
    assert codes(rows[0]) == [("name", "control_character")]
    assert codes(rows[1]) == [("price", "control_character")]
    assert rows[2].name == "Lid"


def test_half_a_surrogate_pair_in_utf16_makes_one_row_bad():
    content = "\ufeffname,price\nA\ud800B,1\nPot,2\n".encode("utf-16-le", "surrogatepass")
    _, rows = rows_of(content)
    assert codes(rows[0]) == [("name", "invalid_encoding")]
    assert rows[1].name == "Pot"


class Dripping(io.RawIOBase):
    """Gives a few bytes at a time, as a socket may."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size, self._at = content, size, 0

    def read(self, size: int = -1) -> bytes:
        piece = self._content[self._at : self._at + min(self._size, size)]
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset
        return offset


@pytest.mark.parametrize("size", [1, 3, 65_537])
def test_how_the_bytes_arrive_makes_no_difference(size):
    content = ("name,price\r\n" + "Crème ☕ brûlée,5\r\n" * 9_000).encode()
    expected = good(content)
    assert list(read(Dripping(content, size))) == expected
    assert [row.line for row in expected] == list(range(2, 9_002))


# -- files nobody here wrote


def read_whole(content: bytes) -> list[GoodRow | BadRow] | CatalogRefused:
    """Every row, checked for what must hold of any; or the refusal."""
    refused = None
    try:
        catalog, rows = rows_of(content)
    except CatalogRefused as error:
        refused = error
    if refused:
        assert refused.code in FILE_CODES
        assert len(refused.message) > 10
        refused.message.encode()
        return refused
    assert set(catalog.notes) <= set(NOTES)
    json.dumps(catalog.describe()).encode()
    last = 0
    for row in rows:
        assert row.line > last
        last = row.line
        if isinstance(row, BadRow):
            assert row.errors
            assert {error.code for error in row.errors} <= set(ROW_CODES)
            "".join((*row.cells, *(error.column or "" for error in row.errors))).encode()
        elif isinstance(row, GoodRow):
            assert 0 < len(row.name) <= 500
            assert 0 <= row.price < 10**13
            texts = (
                row.name,
                row.description,
                row.sku,
                row.source_url,
                row.brand,
                *(row.category or ()),
            )
            "".join(text or "" for text in (*texts, *row.image_urls)).encode()
    return rows


@needs_data
@pytest.mark.parametrize("path", CSV_FILES, ids=lambda path: path.name)
def test_an_odd_file_is_refused_in_clear_words(path):
    outcome = read_whole(path.read_bytes())
    assert isinstance(outcome, CatalogRefused)
    assert outcome.code in {"no_known_columns", "empty_file", "not_csv", "stray_quote"}


@needs_data
@pytest.mark.parametrize("path", CSV_FILES, ids=lambda path: path.name)
def test_an_odd_file_under_a_header_of_ours_is_read_row_by_row(path):
    read_whole(b"name,price,stock\nPan,1,1\n" + path.read_bytes())


@needs_data
@pytest.mark.parametrize("path", SPECTRUM, ids=lambda path: path.name)
def test_records_are_those_the_csv_spectrum_expects(path):
    lines = Lines(io.BytesIO(path.with_suffix(".csv").read_bytes()))
    header, *records = [record.cells for record in Records(lines, ",")]
    assert [dict(zip(header, cells, strict=True)) for cells in records] == json.loads(
        path.read_text("utf-8")
    )


# -- anything at all


PIECES = [
    b",", b";", b"\t", b"|", b'"', b'""', b"\n", b"\r\n", b"\r", b"\0", b" ", b"'", b"=", b"Pan",
    b"Rp 5.200", b"12", b"-1", b"1,299",
    b"https://x.example/a", b"A > B", b"\xc3\xa9", b"\xe9", b"\xff", b"\xef\xbb\xbf",
    b"\xf0\x9f\x91\x8d", b"\xed\xa0\x80", b"\xe2\x80\xa8",
    b"\x1c", b"\x85", b"x" * 600, b"\n\"", b"\",", b"sep=;",
]  # fmt: skip
HEADS = [
    b"",
    b"name,price\n",
    b"name;price;stock\r\n",
    b"Nama Produk\tHarga\r",
    b"\xef\xbb\xbfname,price,image_url\n",
]


def test_any_bytes_at_all_give_rows_or_a_refusal():
    pick = random.Random(2026)
    for _ in range(3_000):
        if pick.random() < 0.1:
            content = pick.randbytes(pick.randint(0, 400))
        else:
            content = b"".join(pick.choices(PIECES, k=pick.randint(0, 60)))
        content = pick.choice(HEADS) + content
        if pick.random() < 0.1:
            content = content.decode("utf-8", "replace").encode("utf-16")[: pick.randint(1, 400)]
        read_whole(content)


def test_no_row_of_a_damaged_file_vanishes():
    """Each row begins with a number of its own; each number is in a good row or in the report."""
    pick = random.Random(11)
    for _ in range(200):
        lines = [f'"P{i:03d} a, b",{i},"text ""{i}"""' for i in range(50)]
        for _ in range(pick.randint(1, 5)):
            at, damage = pick.randrange(50), pick.choice(['"', ",", '",', '"\n', "x"])
            place = pick.randrange(6, len(lines[at]))
            lines[at] = lines[at][:place] + damage + lines[at][place:]
        content = "name,price,description\n" + "\n".join(lines) + "\n"
        try:
            _, rows = rows_of(content)
        except CatalogRefused:
            continue
        seen = " ".join(
            row.name if isinstance(row, GoodRow) else " ".join(row.cells) for row in rows
        )
        assert [i for i in range(50) if f"P{i:03d}" not in seen] == []


# -- size


class Generated(io.RawIOBase):
    """A large file that is nowhere: rows are made as they are read."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self.seek(0)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._rest = b"Nama Produk,Harga,Link Produk,Link Gambar,Kategori,Deskripsi\n"
        self._made = 0
        return 0

    def _make(self) -> bytes:
        numbers = range(self._made, min(self._made + 1000, self._rows))
        self._made = numbers.stop
        return "".join(
            "Panci édisi "
            f"{i},{'oops' if i % 100 == 0 else f'Rp {i % 900 + 1}.200'},https://shop.example/p/{i},"
            f'https://cdn.example/{i}.jpg,Dapur > {i % 9000},"Panci,\nbesar"\n'
            for i in numbers
        ).encode()

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and self._made < self._rows:
            self._rest += self._make()
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def test_memory_stays_flat_whatever_the_size():
    """Traced from row 180,000 on, as tracing is slow. What is held are caches of a fixed size."""
    rows = bad = 0
    try:
        for row in read(Generated(200_000)):
            rows += 1
            bad += isinstance(row, BadRow)
            if rows == 180_000:
                gc.collect()
                tracemalloc.start()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (rows, bad) == (200_000, 2_000)
    assert held < 3_000_000
    assert peak < 6_000_000
