"""Product files of sellers: what is read, what is reported, what is refused."""

import csv
import gc
import io
import json
import random
import time
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest

from marketplace.catalog_csv import (
    FILE_CODES,
    HEADER,
    NOTES,
    ROW_CODES,
    BadRow,
    CatalogRefused,
    GoodRow,
    defuse,
    read,
    restore,
    write_path,
)
from marketplace.catalog_csv.encoding import Lines
from marketplace.catalog_csv.prices import Prices
from marketplace.catalog_csv.records import Records

DATA = Path(__file__).parents[2] / "shared" / "data"
CSV_FILES = sorted((DATA / "csv").glob("*.[ct]sv")) + sorted((DATA / "csv" / "fuzz").glob("*"))
CATALOGS = sorted((DATA / "catalogs").glob("*.csv"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the sample files are not at {DATA}")


def rows_of(content: str | bytes, **options):
    catalog = read(io.BytesIO(content.encode() if isinstance(content, str) else content), **options)
    return catalog, list(catalog)


def good(content: str | bytes, **options) -> list[GoodRow]:
    _, rows = rows_of(content, **options)
    assert not [row for row in rows if isinstance(row, BadRow)]
    return rows


def codes(row: GoodRow | BadRow) -> list[tuple[str | None, str]]:
    assert isinstance(row, BadRow), row
    return [(error.column, error.code) for error in row.errors]


def refusal(content: str | bytes) -> CatalogRefused:
    with pytest.raises(CatalogRefused) as caught:
        rows_of(content)
    assert caught.value.code in FILE_CODES
    return caught.value


def one(column: str, cell: str) -> GoodRow | BadRow:
    """The row of a file that has this cell in this column."""
    out = io.StringIO()
    others = {"name": "Pan", "price": "1"} | {column: cell}
    writer = csv.DictWriter(out, others, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerow(others)
    (row,) = rows_of(out.getvalue())[1]
    return row


# -- columns


def test_our_own_header_fills_every_field():
    (row,) = good(
        "name,description,price,stock,sku,source_url,category,brand,image_url\r\n"
        '"Pan, large","two\r\nlines",12500.50,7,PAN-1,https://shop.example/p/1,Home > Kitchen > Pans,Acme,'
        "https://cdn.example/1.jpg | https://cdn.example/2.jpg\r\n"
    )
    assert row == GoodRow(
        line=2,
        name="Pan, large",
        description="two\r\nlines",
        price=Decimal("12500.50"),
        stock=7,
        sku="PAN-1",
        source_url="https://shop.example/p/1",
        category=("Home", "Kitchen", "Pans"),
        brand="Acme",
        image_urls=("https://cdn.example/1.jpg", "https://cdn.example/2.jpg"),
    )


def test_the_headers_of_the_first_system_are_known_in_any_order_and_spelling():
    catalog, (row,) = rows_of(
        "Rating;LINK_GAMBAR;nama  produk;Lokasi;Harga;Link Produk;Náma Toko;Kategori;Warna;Review\n"
        "4.9;https://cdn.example/1.jpg;Panci;Jakarta;Rp8.799.000;https://shop.example/1;Toko;Dapur;merah;12\n",
        default_stock=5,
    )
    assert row[1:] == (
        "Panci", None, Decimal("8799000.00"), 5, None, "https://shop.example/1", ("Dapur",), "Toko",
        ("https://cdn.example/1.jpg",),
    )  # fmt: skip
    assert catalog.describe() == {
        "encoding": "utf-8",
        "delimiter": ";",
        "used": {
            "image_url": ["LINK_GAMBAR"],
            "name": ["nama  produk"],
            "price": ["Harga"],
            "source_url": ["Link Produk"],
            "brand": ["Náma Toko"],
            "category": ["Kategori"],
        },
        "ignored": ["Rating", "Lokasi", "Review"],
        "unknown": ["Warna"],
        "own_header": False,
        "stock_column": False,
        "default_stock": 5,
        "decimal_signs": [],
        "currencies": ["RP"],
        "notes": {"default_stock": 1},
    }
    json.dumps(catalog.describe())


def test_several_columns_may_hold_pictures():
    (row,) = good("name,price,image_url,image_urls\nPan,1,https://a.example/1,https://a.example/2|https://a.example/1\n")
    assert row.image_urls == ("https://a.example/1", "https://a.example/2", "https://a.example/1")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_header_tells_the_delimiter_and_any_line_end_is_taken(delimiter, end):
    lines = [["name", "price", "stock"], ["Pan; big, or | so\tlarge", "2", "3"], ["Pot", "4", "5"]]
    text = end.join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    catalog, rows = rows_of(text)
    assert catalog.delimiter == delimiter
    assert [(row.line, row.price, row.stock) for row in rows] == [(2, 2, 3), (3, 4, 5)]


def test_the_delimiter_line_of_excel_is_understood():
    (row,) = good("sep=;\nname;price\nPan;1\n")
    assert (row.line, row.name) == (3, "Pan")


def test_blank_lines_and_blank_rows_are_left_out_and_lines_still_counted():
    catalog, rows = rows_of("\n \n\nname,price,stock\n\nPan,1,2\n,,\n , \n\nPot,3,4\n")
    assert [(row.line, row.name) for row in rows] == [(6, "Pan"), (10, "Pot")]
    assert catalog.notes == {"blank_rows": 2}


# -- refusals of the whole file


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n\n \n", "empty_file"),
        (b"\xef\xbb\xbf", "empty_file"),
        (b"name,price\n", "empty_file"),
        (b"name,price\n,\n\n", "empty_file"),
        (b"PK\x03\x04" + bytes(100), "not_csv"),
        (b"\x1f\x8b\x08" + bytes(100), "not_csv"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not_csv"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "not_csv"),
        (b"<!DOCTYPE html><html></html>", "not_csv"),
        (b'[{"name": "Pan", "price": 1}]', "not_csv"),
        (b"na\0me,price\nPan,1\n", "not_csv"),
        (b"a,b,c\n1,2,3\n", "no_known_columns"),
        (b"name,stock\nPan,3\n", "missing_column"),
        (b"price\n3\n", "missing_column"),
        (b"name,price,name\nPan,1,Pan\n", "duplicate_column"),
        (b"name,price,Nama Produk\nPan,1,Pan\n", "duplicate_column"),
        (b"name,price" + b"," * 2000 + b"\nPan,1\n", "too_many_columns"),
        (b'name,price\n"' + b"x" * 1_100_000 + b'",1\n', "cell_too_large"),
        (b"name,price\n" + b"x" * 3_000_000, "line_too_long"),
        (b'name,description,price\nPan,"one\ntwo\nthree\n', "unbalanced_quote"),
        (b'"name"x,price\nPan,1\n', "stray_quote"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_code(content, code):
    with pytest.raises(CatalogRefused) as caught:
        rows_of(content)
    assert caught.value.code == code
    assert code in FILE_CODES


def test_a_refusal_says_which_headers_were_seen_and_which_are_needed():
    message = refusal("Artikel,Preis\nPfanne,1\n").message
    assert "Artikel, Preis" in message
    assert "name and price" in message


def test_a_workbook_is_called_a_workbook():
    assert "Excel" in refusal(b"PK\x03\x04" + bytes(100)).message


# -- rows


def test_every_error_of_a_row_is_named_with_its_column_and_the_row_itself():
    _, (before, bad, after) = rows_of(
        "Nama Produk,Harga,Stok,Link Produk,Kategori\nPan,1,1,,\n,abc,-3,ftp://x.example,A>B>C>D>E>F>G\nPot,2,2,,\n"
    )
    assert (before.name, after.name) == ("Pan", "Pot")
    assert bad.line == 3
    assert codes(bad) == [
        ("Nama Produk", "required"),
        ("Harga", "invalid_price"),
        ("Stok", "negative_stock"),
        ("Link Produk", "invalid_url"),
        ("Kategori", "category_too_deep"),
    ]
    assert bad.cells == ("", "abc", "-3", "ftp://x.example", "A>B>C>D>E>F>G")


def test_missing_cells_at_the_end_are_empty_unless_they_must_be_there():
    _, (short, shorter) = rows_of("name,price,stock,sku\nPan,1\nPot\n", default_stock=9)
    assert (short.stock, short.sku) == (9, None)
    assert codes(shorter) == [(None, "too_few_columns")]


def test_cells_past_the_header_are_an_error_unless_they_are_empty():
    _, (empty, full) = rows_of("name,price\nPan,1,, \nPot,2,x\n")
    assert isinstance(empty, GoodRow)
    assert codes(full) == [(None, "too_many_columns")]
    assert full.cells == ("Pot", "2", "x")


def test_the_line_of_a_row_is_its_first_one():
    _, rows = rows_of('name,price,description\nPan,1,"a\nb\n\nc"\nPot,x,\n"Lid",2,d\n')
    assert [row.line for row in rows] == [2, 6, 7]


def test_an_empty_stock_takes_the_default_and_is_counted():
    catalog, rows = rows_of("name,price,stock\nPan,1,\nPot,1,4\n", default_stock=7)
    assert [row.stock for row in rows] == [7, 4]
    assert catalog.notes == {"default_stock": 1}


@pytest.mark.parametrize("stock", ["5", " 5 ", "005", "5.0", "5,00"])
def test_stock_is_a_whole_number(stock):
    assert one("stock", stock).stock == 5


@pytest.mark.parametrize(
    ("stock", "code"),
    [
        ("1.5", "invalid_integer"), ("1e3", "invalid_integer"), ("NaN", "invalid_integer"), ("٣", "invalid_integer"),
        ("+5", "invalid_integer"), ("1_000", "invalid_integer"), ("many", "invalid_integer"), ("0x10", "invalid_integer"),
        ("-1", "negative_stock"), ("9" * 40, "stock_too_large"), ("1000000001", "stock_too_large"),
    ],
)  # fmt: skip
def test_what_is_no_stock_is_refused(stock, code):
    assert codes(one("stock", stock)) == [("stock", code)]


# -- prices


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("Rp 5.200", "5200"), ("Rp8.799.000", "8799000"), ("12500", "12500"), ("12.500,50", "12500.50"),
        ("12,500.50", "12500.50"), ("$1,299", "1299"), ("8799000", "8799000"), ("IDR 12.500", "12500"),
        ("Rp\u00a05.200", "5200"), ("Rp. 5.000,-", "5000"), ("12.500 IDR", "12500"), ("9,9", "9.90"), ("0", "0"),
        ("  7.5 ", "7.50"), ("1 234 567,89", "1234567.89"), ("1'299.90", "1299.90"), ("0.500", "0.50"),
        ("34.0000", "34"), ("00012", "12"), ("9999999999999.99", "9999999999999.99"), ("9,99 €", "9.99"),
    ],
)  # fmt: skip
def test_prices_are_read_as_people_write_them(cell, amount):
    price = one("price", cell).price
    assert price == Decimal(amount)
    assert price.as_tuple().exponent == -2


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "required"), ("  ", "required"), ("abc", "invalid_price"), ("NaN", "invalid_price"), ("inf", "invalid_price"),
        ("1e5", "invalid_price"), ("0x10", "invalid_price"), ("١٢", "invalid_price"), ("１２", "invalid_price"),
        ("1_000", "invalid_price"), ("+5", "invalid_price"), ("1.23.456", "invalid_price"), ("1.234.50", "invalid_price"),
        ("12.3456", "invalid_price"), ("12345.678", "invalid_price"), ("5.", "invalid_price"), (".5", "invalid_price"),
        ("5 apples", "invalid_price"), ("1" * 500, "invalid_price"), ("-5", "negative_price"), ("-Rp 5", "negative_price"),
        ("Rp -5.000", "negative_price"), ("10000000000000", "price_too_large"), ("9" * 40, "price_too_large"),
    ],
)  # fmt: skip
def test_what_is_no_price_is_refused(cell, code):
    assert codes(one("price", cell)) == [("price", code)]


def test_prices_that_could_be_read_otherwise_are_counted_for_the_whole_file():
    catalog, rows = rows_of('name,price\nA,"1,299"\nB,"9,99"\nC,5.200\n')
    assert [row.price for row in rows] == [1299, Decimal("9.99"), 5200]
    assert catalog.notes["ambiguous_prices"] == 1
    assert catalog.describe()["decimal_signs"] == [","]


def test_a_known_decimal_sign_settles_what_is_ambiguous():
    assert Prices(decimal=".").read("5.200") == Decimal("5.20")
    assert Prices(decimal=",").read("1,290") == Decimal("1.29")
    assert Prices(decimal=",").read("5.200") == 5200
    assert Prices(decimal=".").read("1.234.567") == 1234567
    _, (row,) = rows_of('name,price\nA,"1,299"\n', decimal=",")
    assert codes(row) == [("price", "invalid_price")]


# -- texts, links, categories


def test_text_is_stored_composed_and_stripped():
    assert one("name", " \u3000Cafe\u0301\u00a0").name == "Caf\u00e9"


def test_a_line_break_in_a_name_becomes_a_blank():
    assert one("name", "Pan,\r\nlarge\tone").name == "Pan, large one"


def test_a_description_keeps_its_lines():
    assert one("description", "a\n\tb\r\nc").description == "a\n\tb\r\nc"


def test_nothing_real_is_lost_to_a_narrow_column():
    link = "https://shop.example/" + "x" * 2027
    assert len(one("name", "n" * 500).name) == 500
    assert len(one("description", "d" * 20_000).description) == 20_000
    assert one("source_url", link).source_url == link
    assert len(one("sku", "s" * 100).sku) == 100
    assert len(one("brand", "ß" * 200).brand) == 200
    assert one("name", "e\u0301" * 500).name == "\u00e9" * 500


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("name", "n" * 501), ("description", "d" * 20_001), ("source_url", "https://shop.example/" + "x" * 2028),
        ("sku", "s" * 101), ("brand", "b" * 201), ("category", "c" * 201), ("category", "A > " + "c" * 201),
        ("name", "é" * 100_000), ("image_url", "https://shop.example/" + "x" * 2028),
    ],
)  # fmt: skip
def test_what_is_longer_is_reported(column, cell):
    assert codes(one(column, cell)) == [(column, "too_long")]


@pytest.mark.parametrize("column", ["name", "description", "sku", "brand", "category", "source_url"])
@pytest.mark.parametrize("sign", ["\0", "\x07", "\x1b", "\x7f", "\x85", "\x9f"])
def test_control_characters_are_refused_wherever_they_are(column, sign):
    assert codes(one(column, f"https://x.example/a{sign}b")) == [(column, "control_character")]


def test_accents_without_end_do_not_cost_time():
    began = time.process_time()
    row = one("description", "a" + "\u0300" * 9_000 + "\u0316" * 9_000)
    assert codes(row) == [("description", "too_many_marks")]
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "link",
    [
        "https://shop.example/p?id=1#top", "http://127.0.0.1:8000/a", "HTTPS://Shop.Example/", "https://kopi.example/café/☕",
        "https://räksmörgås.example/", "http://[2001:db8::1]/a", "https://shop.example/a,b|c;d"[:25],
    ],
)  # fmt: skip
def test_links_are_kept_as_they_are(link):
    assert one("source_url", link).source_url == link


@pytest.mark.parametrize(
    "link",
    [
        "shop.example/p", "ftp://shop.example/p", "javascript:alert(1)", "https://", "https:///p", "http://:80/", "//shop.example",
        "https://shop.example/a b", "http://[::1/", "data:image/png;base64,AAAA",
    ],
)  # fmt: skip
def test_what_is_no_link_is_refused(link):
    assert codes(one("source_url", link)) == [("source_url", "invalid_url")]
    assert codes(one("image_url", f"https://x.example/1|{link}")) == [("image_url", "invalid_url")]


def test_links_to_pictures_come_once_each_in_their_order():
    row = one("image_url", "https://x.example/2||https://x.example/1 | https://x.example/2|")
    assert row.image_urls == ("https://x.example/2", "https://x.example/1")


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("Dapur", ("Dapur",)), ("A>B", ("A", "B")), ("Kitchen -> Coffee Machines", ("Kitchen", "Coffee Machines")),
        (" > A >  > B > ", ("A", "B")), ("", None), (" > ", None), (r"3 \> 2 > a\\b", ("3 > 2", "a\\b")), ("A- > B", ("A-", "B")),
        ("Rock-n-Roll > Vinyl", ("Rock-n-Roll", "Vinyl")),
    ],
)  # fmt: skip
def test_categories_are_paths(cell, path):
    assert one("category", cell).category == path


@pytest.mark.parametrize("path", [("A",), ("a > b", "c\\", "d->e"), ("->", "\\>", ">>"), ("x-", "y")])
def test_a_written_path_is_read_as_it_was(path):
    assert one("category", write_path(path)).category == path


def test_of_several_categories_in_a_cell_the_first_is_taken_and_said():
    catalog, (row,) = rows_of('name,price,category\nBag,34,"Gear\nBags"\n')
    assert row.category == ("Gear",)
    assert catalog.notes["several_categories"] == 1


# -- quotes


def test_padded_cells_are_read():
    _, rows = rows_of(
        'name      ,description      ,price\nPan       ,"big, ""round"""  ,5    \nPot  , "two  \n lines" , "6"  \n'
    )
    assert [(row.name, row.description, row.price) for row in rows] == [
        ("Pan", 'big, "round"', 5),
        ("Pot", "two  \n lines", 6),
    ]


def test_a_quote_inside_a_cell_is_a_quote():
    assert good('name,price\n13" laptop,5\n')[0].name == '13" laptop'


def test_text_behind_a_closing_quote_makes_its_row_bad_alone():
    _, rows = rows_of('name,price\nA,1\n"B"b,2\nC,3\n')
    assert [row.name for row in rows if isinstance(row, GoodRow)] == ["A", "C"]
    assert codes(rows[1]) == [(None, "stray_quote")]
    assert rows[1].line == 3


def test_an_open_quote_takes_no_neighbours_with_it():
    lines = ["name,description,price"] + [f'P{i},"text, {i}",{i}' for i in range(2, 60)]
    lines[9] = 'P10,"text, 10,10'
    lines[20] = '"P21,"text, 21",21'
    _, rows = rows_of("\n".join(lines))
    assert [(row.line, codes(row)) for row in rows if isinstance(row, BadRow)] == [
        (10, [(None, "unbalanced_quote")]),
        (21, [(None, "stray_quote")]),
    ]
    assert len([row for row in rows if isinstance(row, GoodRow)]) == 56


def test_many_open_quotes_are_each_reported():
    lines = ["name,price"] + [f'"P{i},{i}' if i % 50 == 0 else f"P{i},{i}" for i in range(1, 20_001)]
    began = time.process_time()
    _, rows = rows_of("\n".join(lines))
    bad = [row.line for row in rows if isinstance(row, BadRow)]
    assert bad == [i + 1 for i in range(50, 20_001, 50)]
    assert len(rows) == 20_000
    assert time.process_time() - began < 10


def test_an_open_quote_in_the_last_line_is_a_bad_row():
    _, rows = rows_of('name,price\nA,1\n"B,2')
    assert codes(rows[1]) == [(None, "unbalanced_quote")]


# -- encodings


@pytest.mark.parametrize(
    ("encoding", "mark", "name"),
    [
        ("utf-8", b"", "utf-8"), ("utf-8", b"\xef\xbb\xbf", "utf-8"), ("utf-16-le", b"\xff\xfe", "utf-16-le"),
        ("utf-16-be", b"\xfe\xff", "utf-16-be"), ("utf-16-le", b"", "utf-16-le"), ("utf-16-be", b"", "utf-16-be"),
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


@pytest.mark.parametrize(("encoding", "word"), [("gbk", "平底锅"), ("cp1251", "сковорода"), ("shift_jis", "鍋とフライパン")])
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


@pytest.mark.parametrize("size", [1, 3, 65_537])
def test_how_the_bytes_arrive_makes_no_difference(size):
    content = ("name,price\r\n" + "Crème ☕ brûlée,5\r\n" * 9_000).encode()
    expected = good(content)
    assert list(read(Dripping(content, size))) == expected
    assert [row.line for row in expected] == list(range(2, 9_002))


# -- formulas


DANGEROUS = [
    "=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1", "＝1", "＋1", "－1", "＠x",
    "'=1", "''=1", "' =1", "=", "-", "@",
]  # fmt: skip


@pytest.mark.parametrize("cell", DANGEROUS)
def test_a_cell_that_a_spreadsheet_would_run_is_defused(cell):
    assert defuse(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "Pan", "'", "''", "'Pan", "a=1", "5", "O'Neill's", "'t Hof"])
def test_a_harmless_cell_is_left_alone(cell):
    assert defuse(cell) == cell
    assert restore(cell) == cell


def test_what_was_defused_is_restored_exactly():
    pick = random.Random(7)
    for _ in range(20_000):
        cell = "".join(pick.choices("''=+-@ \t\r\na1＝\u200b", k=pick.randint(0, 6)))
        assert restore(defuse(cell)) == cell


def test_only_files_with_our_own_header_are_restored():
    assert one("name", "'=Pan=").name == "=Pan="
    assert good("name,price,line,column,code,message\n'+Pan,1,2,3,4,5\n")[0].name == "+Pan"
    assert good("Nama Produk,price\n'+Pan,1\n")[0].name == "'+Pan"
    assert good("name,price,vendor\n'+Pan,1,x\n")[0].name == "'+Pan"


def test_an_exported_row_is_read_back_as_it_was():
    row = GoodRow(
        2, "=cmd|' /C calc'!A0", '-"quoted"\r\nline, 2', Decimal("12500.50"), 3, "+49", "https://shop.example/é",
        ("A > B", "-C"), "@brand", ("https://cdn.example/1.jpg", "https://cdn.example/2.jpg"),
    )  # fmt: skip
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    cells = [row.name, row.description, row.price, row.stock, row.sku, row.source_url, write_path(row.category), row.brand]
    writer.writerow([defuse(str(cell)) for cell in (*cells, "|".join(row.image_urls))])
    assert good(out.getvalue()) == [row]


# -- files nobody here wrote


def read_whole(content: bytes) -> list[GoodRow | BadRow] | CatalogRefused:
    """Every row, checked for what must hold of any; or the refusal."""
    try:
        catalog, rows = rows_of(content)
    except CatalogRefused as refused:
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
        else:
            assert 0 < len(row.name) <= 500
            assert 0 <= row.price < 10**13
            repr(row).encode()
            "".join(filter(None, (row.name, row.description, row.sku, row.brand, *(row.category or ())))).encode()
    return rows


@needs_data
@pytest.mark.parametrize("path", CSV_FILES, ids=lambda path: path.name)
def test_an_odd_file_is_refused_in_clear_words(path):
    outcome = read_whole(path.read_bytes())
    assert isinstance(outcome, CatalogRefused)
    assert outcome.code in {"no_known_columns", "missing_column", "empty_file", "not_csv", "stray_quote", "unbalanced_quote"}


@needs_data
@pytest.mark.parametrize("path", CSV_FILES, ids=lambda path: path.name)
def test_an_odd_file_under_a_header_of_ours_is_read_row_by_row(path):
    read_whole(b"name,price,stock\nPan,1,1\n" + path.read_bytes())


@needs_data
@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.name)
def test_the_catalogue_of_another_system_is_read_or_refused(path):
    outcome = read_whole(path.read_bytes())
    assert isinstance(outcome, list) == ("magento" in path.name or "spree" in path.name or "vendure" in path.name)


RENAMED = {
    "spree": {"category1": "category", "inventory_count": "stock"},
    "vendure": {"stockOnHand": "stock"},
    "magento": {"qty": "stock"},
}


@needs_data
@pytest.mark.parametrize("path", [path for path in CATALOGS if path.name.split("_")[0] in RENAMED], ids=lambda path: path.name)
def test_a_real_catalogue_with_its_columns_renamed_loses_no_product(path):
    text = path.read_text("utf-8")
    header, _, rest = text.partition("\n")
    for theirs, ours in RENAMED[path.name.split("_")[0]].items():
        header = header.replace(theirs, ours)
    rows = read_whole(f"{header}\n{rest}".encode())
    expected = [
        {name.strip(): cell.strip() for name, cell in record.items() if name}
        for record in csv.DictReader(io.StringIO(text, newline=""))
    ]
    assert len(rows) == len(expected)
    for row, record in zip(rows, expected, strict=True):
        if record["name"]:
            assert isinstance(row, GoodRow), row
            assert (row.name, row.price) == (record["name"], Decimal(record["price"]))
        else:
            assert codes(row) == [("name", "required")]


@needs_data
@pytest.mark.parametrize("path", sorted((DATA / "csv").glob("spectrum_*.json")), ids=lambda path: path.name)
def test_records_are_those_the_csv_spectrum_expects(path):
    lines = Lines(io.BytesIO(path.with_suffix(".csv").read_bytes()))
    header, *records = [record.cells for record in Records(lines, ",")]
    assert [dict(zip(header, cells, strict=True)) for cells in records] == json.loads(path.read_text("utf-8"))


# -- anything at all


PIECES = [
    b",", b";", b"\t", b"|", b'"', b'""', b"\n", b"\r\n", b"\r", b"\0", b" ", b"'", b"=", b"Pan", b"Rp 5.200", b"12", b"-1", b"1,299",
    b"https://x.example/a", b"A > B", b"\xc3\xa9", b"\xe9", b"\xff", b"\xef\xbb\xbf", b"\xf0\x9f\x91\x8d", b"\xed\xa0\x80", b"\xe2\x80\xa8",
    b"\x1c", b"\x85", b"x" * 600, b"\n\"", b"\",", b"sep=;",
]  # fmt: skip
HEADS = [b"", b"name,price\n", b"name;price;stock\r\n", b"Nama Produk\tHarga\r", b"\xef\xbb\xbfname,price,image_url\n"]


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
    """Each row begins with a number of its own; whatever is damaged, every number is in a good row or in the report."""
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
        except CatalogRefused as refused:
            assert refused.code == "unbalanced_quote"
            continue
        seen = " ".join(row.name if isinstance(row, GoodRow) else " ".join(row.cells) for row in rows)
        assert [i for i in range(50) if f"P{i:03d}" not in seen] == []


# -- size


class Generated(io.RawIOBase):
    """A large file that is nowhere: rows are made as they are read."""

    def __init__(self, rows: int) -> None:
        self._rest = b"Nama Produk,Harga,Link Produk,Link Gambar,Kategori,Deskripsi\n"
        self._made, self._rows = 0, rows

    def _make(self) -> bytes:
        numbers = range(self._made, min(self._made + 1000, self._rows))
        self._made = numbers.stop
        return "".join(
            f"Panci édisi {i},{'oops' if i % 100 == 0 else f'Rp {i % 900 + 1}.200'},https://shop.example/p/{i},"
            f'https://cdn.example/{i}.jpg,Dapur > {i % 9000},"Panci,\nbesar"\n'
            for i in numbers
        ).encode()

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and self._made < self._rows:
            self._rest += self._make()
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def test_memory_stays_flat_whatever_the_size():
    list(read(Generated(2_000)))
    gc.collect()
    tracemalloc.start()
    try:
        rows = bad = 0
        for row in read(Generated(200_000)):
            rows += 1
            bad += isinstance(row, BadRow)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (rows, bad) == (200_000, 2_000)
    assert peak < 12_000_000
