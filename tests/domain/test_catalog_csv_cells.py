"""Cells of product files: prices, texts, links, categories, and formulas."""

import csv
import io
import random
import time
from decimal import Decimal

import pytest
from support.csv_rows import codes, good, one, rows_of

from marketplace.catalogue_csv import HEADER, GoodRow, defuse, restore, write_path

# -- prices


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("Rp 5.200", "5200"), ("Rp8.799.000", "8799000"), ("12500", "12500"), ("12.500,50", "12500.50"),
        ("12,500.50", "12500.50"), ("$1,299", "1299"), ("8799000", "8799000"), ("IDR 12.500", "12500"),
        ("Rp\u00a05.200", "5200"), ("Rp. 5.000,-", "5000"), ("12.500 IDR", "12500"), ("9,9", "9.90"),
        ("0", "0"),
        ("  7.5 ", "7.50"), ("1 234 567,89", "1234567.89"), ("1'299.90", "1299.90"), ("0.500", "0.50"),
        ("34.0000", "34"), ("00012", "12"), ("9999999999999.99", "9999999999999.99"),
        ("9,99 €", "9.99"),
    ],
)  # fmt: skip
def test_prices_are_read_as_people_write_them(cell, amount):
    price = one("price", cell).price
    assert price == Decimal(amount)
    assert price.as_tuple().exponent == -2


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("", "required"), ("  ", "required"), ("abc", "invalid_price"), ("NaN", "invalid_price"),
        ("inf", "invalid_price"),
        ("1e5", "invalid_price"), ("0x10", "invalid_price"), ("١٢", "invalid_price"),
        ("１２", "invalid_price"),
        ("1_000", "invalid_price"), ("+5", "invalid_price"), ("1.23.456", "invalid_price"),
        ("1.234.50", "invalid_price"),
        ("12.3456", "invalid_price"), ("12345.678", "invalid_price"), ("5.", "invalid_price"),
        (".5", "invalid_price"),
        ("5 apples", "invalid_price"), ("1" * 500, "invalid_price"), ("-5", "negative_price"),
        ("-Rp 5", "negative_price"),
        ("Rp -5.000", "negative_price"), ("10000000000000", "price_too_large"),
        ("9" * 40, "price_too_large"),
    ],
)  # fmt: skip
def test_what_is_no_price_is_refused(cell, code):
    assert codes(one("price", cell)) == [("price", code)]


def prices_of(*cells: str, **options) -> tuple[dict, list]:
    """What the file says of its signs, and each price, or the code of what is wrong with it."""
    lines = [f'P{place},"{cell}"' for place, cell in enumerate(cells)]
    catalog, rows = rows_of("name,price\n" + "\n".join(lines) + "\n", **options)
    return catalog.describe()["prices"], [
        row.price if isinstance(row, GoodRow) else row.errors[0].code for row in rows
    ]


@pytest.mark.parametrize(
    ("cells", "sign", "reason", "prices"),
    [
        (["1,299", "5.200"], None, "no_decimals", [1299, 5200]),
        (["1,299", "12.50"], ".", "decimals", [1299, Decimal("12.5")]),
        (["1.299", "12,50"], ",", "decimals", [1299, Decimal("12.5")]),
        (["1,299", "9,99", "5.200"], ",", "decimals", ["ambiguous_price", Decimal("9.99"), 5200]),
        (["1.299", "9.99"], ".", "decimals", ["ambiguous_price", Decimal("9.99")]),
        (["1.299", "1.299.000"], ",", "thousands", [1299, 1299000]),
        (["1,299", "1.299.000,50"], ",", "decimals", ["ambiguous_price", Decimal("1299000.5")]),
        (
            ["1.299", "1,299", "9,99", "9.99"],
            None,
            "both",
            ["ambiguous_price"] * 2 + [Decimal("9.99")] * 2,
        ),
        (["34.0000", "1.500"], ".", "decimals", [34, "ambiguous_price"]),
    ],
)
def test_the_file_decides_what_its_signs_mean_and_says_so(cells, sign, reason, prices):
    said, read = prices_of(*cells)
    assert read == prices
    assert (said["decimal_sign"], said["decided_by"]) == (sign, reason)


def test_the_last_row_decides_as_well_as_the_first():
    said, read = prices_of("1.500", *["7"] * 30_000, "12.50")
    assert (read[0], read[-1], said["decimal_sign"]) == ("ambiguous_price", Decimal("12.50"), ".")


def test_a_sign_that_was_asked_for_settles_it():
    assert prices_of("5.200", "1.234.567", "7,50", decimal=".") == (
        {"decimal_sign": ".", "decided_by": "asked", "three_digits": 1},
        [Decimal("5.20"), 1234567, "invalid_price"],
    )
    assert prices_of("1,290", "5.200", "1,299", decimal=",")[1] == [
        Decimal("1.29"),
        5200,
        "invalid_price",
    ]


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
        ("name", "n" * 501), ("description", "d" * 20_001),
        ("source_url", "https://shop.example/" + "x" * 2028),
        ("sku", "s" * 101), ("brand", "b" * 201), ("category", "c" * 201),
        ("category", "A > " + "c" * 201),
        ("name", "é" * 100_000), ("image_url", "https://shop.example/" + "x" * 2028),
    ],
)  # fmt: skip
def test_what_is_longer_is_reported(column, cell):
    assert codes(one(column, cell)) == [(column, "too_long")]


@pytest.mark.parametrize(
    "column", ["name", "description", "sku", "brand", "category", "source_url"]
)
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
        "https://shop.example/p?id=1#top", "http://127.0.0.1:8000/a", "HTTPS://Shop.Example/",
        "https://kopi.example/café/☕",
        "https://räksmörgås.example/", "http://[2001:db8::1]/a", "https://shop.example/a,b|c;d"[:25],
    ],
)  # fmt: skip
def test_links_are_kept_as_they_are(link):
    assert one("source_url", link).source_url == link


@pytest.mark.parametrize(
    "link",
    [
        "shop.example/p", "ftp://shop.example/p", "javascript:alert(1)", "https://", "https:///p",
        "http://:80/", "//shop.example",
        "https://shop.example/a b", "http://[::1/", "data:image/png;base64,AAAA",
    ],
)  # fmt: skip
def test_what_is_no_link_is_refused(link):
    assert codes(one("source_url", link)) == [("source_url", "invalid_url")]


@pytest.mark.parametrize(
    "picture",
    [
        "shop.example/p", "ftp://shop.example/p", "javascript:alert(1)", "https://", "https:///p",
        "http://:80/", "http://[::1/", "data:image/png;base64,AAAA", "blob:https://shop.example/1",
        "file:///C:/foto.jpg", "C:\\foto.jpg", "foto.jpg", "/foto.jpg", "content://media/1", "N/A",
    ],
)  # fmt: skip
def test_a_row_is_not_lost_for_a_picture_that_nobody_can_fetch(picture):
    catalog, (row,) = rows_of(f'name,price,image_url\nPan,1,"https://x.example/1|{picture}"\n')
    assert (row.image_urls, catalog.notes["pictures_left_out"]) == (("https://x.example/1",), 1)


@pytest.mark.parametrize(
    ("cell", "links"),
    [
        ("//cdn.example/1.jpg", ("https://cdn.example/1.jpg",)),
        ("https://cdn.example/a b.jpg", ("https://cdn.example/a%20b.jpg",)),
        (
            "https://a.example/1, https://a.example/2",
            ("https://a.example/1", "https://a.example/2"),
        ),
        (
            "https://a.example/1\nhttps://a.example/2",
            ("https://a.example/1", "https://a.example/2"),
        ),
        ("https://a.example/w_1,h_1/1.jpg", ("https://a.example/w_1,h_1/1.jpg",)),
    ],
)
def test_links_to_pictures_are_understood_as_people_write_them(cell, links):
    assert one("image_url", cell).image_urls == links


@pytest.mark.parametrize(
    ("picture", "link"),
    [
        ("kopi.jpg", "https://toko.example/foto/kopi.jpg"),
        ("/2024/kopi susu.jpg", "https://toko.example/foto/2024/kopi%20susu.jpg"),
        ("./kopi.jpg", "https://toko.example/foto/kopi.jpg"),
        ("https://cdn.example/1.jpg", "https://cdn.example/1.jpg"),
    ],
)
def test_pictures_without_an_address_stand_below_the_base(picture, link):
    for base in ("https://toko.example/foto", "https://toko.example/foto/"):
        _, (row,) = rows_of(f"name,price,image_url\nKopi,1,{picture}\n", image_base=base)
        assert row.image_urls == (link,)


def test_links_to_pictures_come_once_each_in_their_order():
    row = one("image_url", "https://x.example/2||https://x.example/1 | https://x.example/2|")
    assert row.image_urls == ("https://x.example/2", "https://x.example/1")


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("Dapur", ("Dapur",)), ("A>B", ("A", "B")),
        ("Kitchen -> Coffee Machines", ("Kitchen", "Coffee Machines")),
        (" > A >  > B > ", ("A", "B")), ("", None), (" > ", None),
        (r"3 \> 2 > a\\b", ("3 > 2", "a\\b")), ("A- > B", ("A-", "B")),
        ("Rock-n-Roll > Vinyl", ("Rock-n-Roll", "Vinyl")),
    ],
)  # fmt: skip
def test_categories_are_paths(cell, path):
    assert one("category", cell).category == path


@pytest.mark.parametrize(
    "path", [("A",), ("a > b", "c\\", "d->e"), ("->", "\\>", ">>"), ("x-", "y")]
)
def test_a_written_path_is_read_as_it_was(path):
    assert one("category", write_path(path)).category == path


def test_of_several_categories_in_a_cell_the_first_is_taken_and_said():
    catalog, (row,) = rows_of('name,price,category\nBag,34,"Gear\nBags"\n')
    assert row.category == ("Gear",)
    assert catalog.notes["several_categories"] == 1


# -- formulas


DANGEROUS = [
    "=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1",
    "＝1", "＋1", "－1", "＠x",
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


def test_only_files_that_we_wrote_are_restored():
    assert one("name", "'=Pan=").name == "=Pan="
    assert good("name,price,line,column,code,message\n'+Pan,1,2,3,4,5\n")[0].name == "+Pan"
    assert (
        good(
            "error_line,error_column,error_code,error_message,Nama "
            "Produk,Harga,Berat\n1,,,,'-Pan,1,2\n"
        )[0].name
        == "-Pan"
    )
    assert good("Nama Produk,price\n'+Pan,1\n")[0].name == "'+Pan"
    assert good("name,price,vendor\n'+Pan,1,x\n")[0].name == "'+Pan"


def test_an_exported_row_is_read_back_as_it_was():
    row = GoodRow(
        2, 77, "=cmd|' /C calc'!A0", '-"quoted"\r\nline, 2', Decimal("12500.50"), 3, "+49", "https://shop.example/é",
        ("A > B", "-C"), "@brand", ("https://cdn.example/1.jpg", "https://cdn.example/2.jpg"), True,
    )  # fmt: skip
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    cells = [
        *row[1:6],
        "",
        *row[6:8],
        write_path(row.category),
        row.brand,
        "|".join(row.image_urls),
        "yes",
    ]
    writer.writerow([defuse(str(cell)) for cell in cells])
    assert good(out.getvalue()) == [row]
