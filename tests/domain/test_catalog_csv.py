"""Product files of sellers: what is read, what is reported, what is refused."""

import json
import time
from decimal import Decimal

import pytest
from support.csv_rows import codes, good, one, rows_of

from marketplace.catalogue_csv import FILE_CODES, BadRow, CatalogRefused, GoodRow


def refusal(content: str | bytes) -> CatalogRefused:
    with pytest.raises(CatalogRefused) as caught:
        rows_of(content)
    assert caught.value.code in FILE_CODES
    return caught.value


# -- columns


def test_our_own_header_fills_every_field():
    (row,) = good(
        "name,description,price,stock,sku,source_url,category,brand,image_url\r\n"
        '"Pan, large","two\r\nlines",12500.50,7,PAN-1,https://shop.example/p/1,Home > Kitchen > '
        "Pans,Acme,"
        "https://cdn.example/1.jpg | https://cdn.example/2.jpg\r\n"
    )
    assert row == GoodRow(
        line=2,
        known_id=None,
        name="Pan, large",
        description="two\r\nlines",
        price=Decimal("12500.50"),
        stock=7,
        sku="PAN-1",
        source_url="https://shop.example/p/1",
        category=("Home", "Kitchen", "Pans"),
        brand="Acme",
        image_urls=("https://cdn.example/1.jpg", "https://cdn.example/2.jpg"),
        hidden=None,
    )


def test_the_headers_of_the_first_system_are_known_in_any_order_and_spelling():
    catalog, (row,) = rows_of(
        "Rating;LINK_GAMBAR;nama  produk;Lokasi;Harga;Link Produk;Náma Toko;Kategori;Warna;Review\n"
        "4.9;https://cdn.example/1.jpg;Panci;Jakarta;Rp8.799.000;https://shop.example/1;Toko;Dapur;merah;12\n",
    )
    assert row[1:13] == (
        None, "Panci", None, Decimal("8799000.00"), None, None, "https://shop.example/1", ("Dapur",), "Toko",
        ("https://cdn.example/1.jpg",), None, None,
    )  # fmt: skip
    assert catalog.describe() == {
        "dialect": "indonesian",
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
        "prices": {"decimal_sign": ",", "decided_by": "thousands", "three_digits": 0},
        "currencies": ["RP"],
        "notes": {"default_stock": 1},
    }
    json.dumps(catalog.describe())


def test_several_columns_may_hold_pictures():
    (row,) = good(
        "name,price,image_url,image_urls\nPan,1,https://a.example/1,https://a.example/2|https://a.example/1\n"
    )
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
    assert catalog.notes == {"blank_rows": 2, "no_key": 2}


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
        "Nama Produk,Harga,Stok,Link "
        "Produk,Kategori\nPan,1,1,,\n,abc,-3,ftp://x.example,A>B>C>D>E>F>G>H>I\nPot,2,2,,\n"
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
    assert bad.cells == ("", "abc", "-3", "ftp://x.example", "A>B>C>D>E>F>G>H>I")


def test_missing_cells_at_the_end_are_empty_unless_they_must_be_there():
    _, (short, shorter) = rows_of("name,price,stock,sku\nPan,1\nPot\n")
    assert (short.stock, short.sku) == (None, None)
    assert codes(shorter) == [(None, "too_few_columns")]


def test_cells_past_the_header_are_an_error_unless_they_are_empty():
    _, (empty, full) = rows_of("name,price\nPan,1,, \nPot,2,x\n")
    assert isinstance(empty, GoodRow)
    assert codes(full) == [(None, "too_many_columns")]
    assert full.cells == ("Pot", "2", "x")


def test_the_line_of_a_row_is_its_first_one():
    _, rows = rows_of('name,price,description\nPan,1,"a\nb\n\nc"\nPot,x,\n"Lid",2,d\n')
    assert [row.line for row in rows] == [2, 6, 7]


def test_an_empty_stock_says_nothing_and_is_counted():
    catalog, rows = rows_of("name,price,stock\nPan,1,\nPot,1,4\n")
    assert [row.stock for row in rows] == [None, 4]
    assert catalog.notes == {"default_stock": 1, "no_key": 2}


@pytest.mark.parametrize("stock", ["5", " 5 ", "005", "5.0", "5,00"])
def test_stock_is_a_whole_number(stock):
    assert one("stock", stock).stock == 5


@pytest.mark.parametrize(
    ("stock", "code"),
    [
        ("1.5", "invalid_integer"), ("1e3", "invalid_integer"), ("NaN", "invalid_integer"),
        ("٣", "invalid_integer"),
        ("+5", "invalid_integer"), ("1_000", "invalid_integer"), ("many", "invalid_integer"),
        ("0x10", "invalid_integer"),
        ("-1", "negative_stock"), ("9" * 40, "stock_too_large"), ("1000000001", "stock_too_large"),
    ],
)  # fmt: skip
def test_what_is_no_stock_is_refused(stock, code):
    assert codes(one("stock", stock)) == [("stock", code)]


# -- quotes


def test_padded_cells_are_read():
    _, rows = rows_of(
        'name   ,description   ,price\nPan    ,"big, ""round"""  ,5    \nPot  , "two  \n lines" '
        ', "6"  \n'
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
    lines = ["name,price"] + [
        f'"P{i},{i}' if i % 50 == 0 else f"P{i},{i}" for i in range(1, 20_001)
    ]
    began = time.process_time()
    _, rows = rows_of("\n".join(lines))
    bad = [row.line for row in rows if isinstance(row, BadRow)]
    assert bad == [i + 1 for i in range(50, 20_001, 50)]
    assert len(rows) == 20_000
    assert time.process_time() - began < 10


def test_quotes_made_to_be_read_over_and_over_are_refused():
    began = time.process_time()
    assert refusal("name,price\n" + 'x" ,"y\n' * 500_000).code == "unbalanced_quote"
    assert time.process_time() - began < 10


def test_an_open_quote_in_the_last_line_is_a_bad_row():
    _, rows = rows_of('name,price\nA,1\n"B,2')
    assert codes(rows[1]) == [(None, "unbalanced_quote")]
