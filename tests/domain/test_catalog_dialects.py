"""Files of other systems: which products they are, what variants are called, what is shared,
what is left out.
"""

import io

import pytest

from marketplace.catalogue_csv import BadRow, CatalogRefused, GoodRow, read


def brought(text: str, **options):
    """What the file says of itself, its good rows, and the others."""
    catalog = read(io.BytesIO(text.encode()), **options)
    rows = list(catalog)
    good = [row for row in rows if isinstance(row, GoodRow)]
    return catalog.describe(), good, [row for row in rows if not isinstance(row, GoodRow)]


def said(row: GoodRow) -> tuple:
    return row.name, row.price, row.stock, row.sku, row.category, row.brand, row.hidden


SHOPIFY = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 "
    "Value,"
    "Option2 Name,Option2 Value,Variant SKU,Variant Inventory Qty,Variant Price,Variant Compare "
    "At Price,Image Src,"
    "Image Position,Variant Image,Status\n"
    'kaos,Kaos,"<p>Katun &amp; <b>lembut</b></p><ul><li>S</li><li>M</li></ul>",Acme,Apparel > '
    "Shirts,Kaos,a,true,Size,"
    "S,Color,Red,K-S,5,75000,90000,https://x.example/1.jpg,1,https://x.example/s.jpg,active\n"
    "kaos,,,,,,,,,M,,Blue,K-M,-3,80000,,https://x.example/2.jpg,2,,\n"
    "kaos,,,,,,,,,,,,,,,,https://x.example/3.jpg,3,,\n"
    "gelas,Gelas,Kaca,Acme,Uncategorized,Dapur,,true,Title,Default Title,,,'G-1,7,15000,,,,,draft\n"
)


def test_shopifys_legacy_export():
    about, (small, medium, glass), others = brought(SHOPIFY)
    assert said(small) == ("Kaos - S, Red", 75000, 5, "K-S", ("Apparel", "Shirts"), "Acme", False)
    assert said(medium) == ("Kaos - M, Blue", 80000, 0, "K-M", ("Apparel", "Shirts"), "Acme", False)
    assert said(glass) == ("Gelas", 15000, 7, "G-1", ("Dapur",), "Acme", True)
    assert small.description == medium.description == "Katun & lembut\n\n- S\n- M"
    assert small.image_urls == tuple(f"https://x.example/{name}.jpg" for name in "s123")
    assert medium.image_urls == tuple(f"https://x.example/{name}.jpg" for name in "123")
    assert [row.line for row in others] == [4]
    assert (about["dialect"], about["unknown"]) == ("shopify", [])
    assert about["notes"] == {"negative_stock": 1, "hidden": 1}


def test_shopifys_new_template():
    text = (
        "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online "
        "store,Status,SKU,Barcode,"
        "Option1 name,Option1 value,Price,Compare-at price,Inventory quantity,Product image "
        "URL,Variant image URL\n"
        "Kaos,kaos,Katun,Acme,Apparel > "
        "Shirts,Kaos,,TRUE,Active,K-S,,Size,S,75.50,,5,https://x.example/1.jpg,\n"
        ",kaos,,,,,,,,K-M,,,M,80.25,,6,,\n"
    )
    about, good, others = brought(text)
    assert [said(row)[:4] for row in good] == [
        ("Kaos - S", 75.5, 5, "K-S"),
        ("Kaos - M", 80.25, 6, "K-M"),
    ]
    assert (about["dialect"], about["unknown"], others) == ("shopify", [], [])


WOO = (
    "ID,Type,SKU,Name,Published,Description,In stock?,Stock,Sale price,Regular "
    "price,Categories,Brands,Images,Parent,"
)
WOO += "Attribute 1 name,Attribute 1 value(s),Attribute 2 name,Attribute 2 value(s)\n"


def test_woocommerces_variations_before_and_behind_their_parent():
    about, good, others = brought(
        WOO + "11,variation,,Tas,1,,1,4,,300000,,,,id:10,Warna,Merah,Ukuran,\n"
        '10,variable,TAS,Tas,1,<p>Kulit</p>,1,,,,"Tas &amp; Koper > Ransel, Baru",Acme,'
        'https://x.example/t.jpg,,Warna,"Merah, Biru",,\n'
        '12,variation,TAS-B,,1,,0,,250000,300000,,,"https://x.example/b.jpg, '
        'biru.jpg",TAS,Warna,Biru,,\n'
        "13,simple,G,Gelas,-1,,1,,,15000,Dapur,,,,,,,\n"
        "14,grouped,SET,Set,1,,1,,,,Dapur,,,,,,,\n"
        "15,variation,Y,Yatim,1,,1,1,,9000,,,,HILANG,Warna,Hijau,,\n"
    )
    red, blue, glass, orphan = good
    assert said(red) == ("Tas - Merah", 300000, 4, None, ("Tas & Koper", "Ransel"), "Acme", False)
    assert said(blue) == (
        "Tas - Biru",
        250000,
        0,
        "TAS-B",
        ("Tas & Koper", "Ransel"),
        "Acme",
        False,
    )
    assert (red.description, blue.description) == ("Kulit", "Kulit")
    assert (red.image_urls, blue.image_urls) == (
        ("https://x.example/t.jpg",),
        ("https://x.example/b.jpg",),
    )
    assert said(glass)[:3] == ("Gelas", 15000, None)
    assert (glass.hidden, orphan.name) == (True, "Yatim - Hijau")
    assert [row.line for row in others] == [3, 6]
    assert (
        about["notes"]["grouped"]
        == about["notes"]["sale_prices"]
        == about["notes"]["pictures_left_out"]
        == 1
    )


def test_a_bad_variation_is_reported_with_what_its_parent_says_so_that_it_can_be_sent_alone():
    parent = "10,variable,TAS,Tas,1,Kulit,1,,,,Koper,Acme,,,Warna,Merah,,\n"
    _, good, (_, bad) = brought(
        WOO + parent + "11,variation,T-M,,1,,1,4,,murah,,,,TAS,Warna,Merah,,\n"
    )
    assert isinstance(bad, BadRow)
    assert [(error.column, error.code) for error in bad.errors] == [
        ("Regular price", "invalid_price")
    ]
    row = ",".join(bad.cells).replace("murah", "300000")
    _, (alone,), _ = brought(f"{WOO}{row}\n")
    assert said(alone) == ("Tas - Merah", 300000, 4, "T-M", ("Koper",), "Acme", False)
    assert good == []


SPREE = "slug,sku,name,price,currency,status,description,category1,option1_name,"
SPREE += "option1_value,image1_src,inventory_count\n"


def test_spree_masters_variants_and_other_currencies():
    about, good, others = brought(
        SPREE + "tas,TAS,Tas,0,USD,active,Kulit,Tas -> Ransel,,,https://x.example/t.jpg,\n"
        "tas,TAS-M,,30.5,USD,,,,Warna,Merah,,5\n"
        "tas,TAS-B,,31.5,USD,,,,Warna,Biru,https://x.example/b.jpg,0\n"
        "gelas,G,Gelas,9.50,USD,draft,,Dapur,,,,7\n"
        "tas,TAS-M,,28.5,EUR,,,,,,,\n",
        currency="IDR",
    )
    assert [said(row) for row in good] == [
        ("Tas - Merah", 30.5, 5, "TAS-M", ("Tas", "Ransel"), None, False),
        ("Tas - Biru", 31.5, 0, "TAS-B", ("Tas", "Ransel"), None, False),
        ("Gelas", 9.5, 7, "G", ("Dapur",), None, True),
    ]
    assert [row.image_urls for row in good[:2]] == [
        ("https://x.example/t.jpg",),
        ("https://x.example/b.jpg",),
    ]
    assert (sorted(row.line for row in others), about["notes"]["other_currency"]) == ([2, 6], 1)


def test_medusas_price_is_the_installations_currency_where_there_is_one():
    text = (
        "Product Handle,Product Title,Product Status,Product Thumbnail,Variant Title,Variant Sku,"
        "Variant Inventory Quantity,Variant Option 1 Name,Variant Option 1 Value,Variant Price "
        "DKK,Variant Price IDR\n"
        "tas,Tas,published,https://x.example/t.jpg,Merah,T-M,4,Warna,Merah,30,300000\n"
        "tas,Tas,published,https://x.example/t.jpg,Biru,T-B,5,Warna,Biru,31,310000\n"
    )
    about, good, _ = brought(text, currency="IDR")
    assert [said(row)[:4] for row in good] == [
        ("Tas - Merah", 300000, 4, "T-M"),
        ("Tas - Biru", 310000, 5, "T-B"),
    ]
    assert about["used"]["price"] == ["Variant Price IDR"]
    about, good, _ = brought(text, currency="XXX")
    assert ([row.price for row in good], about["used"]["price"]) == (
        [30, 31],
        ["Variant Price DKK"],
    )


def test_vendures_rows_without_a_name_are_variants():
    text = (
        "name:en,slug:en,description:en,assets,facets,optionGroups,optionValues,sku,price,stockOnHand\n"
        "Tas,tas,Kulit,a.jpg|https://x.example/t.jpg,category:Tas|category:Ransel|brand:Acme,warna|ukuran,Merah|L,T-1,30.50,4\n"
        ",,,,,,Biru|XL,T-2,31.50,5\n"
        ",,,,,,Biru|L,T-2,31.50,5\n"
        "Gelas,gelas,,,,,,G,9.00,1\n"
    )
    about, good, _ = brought(text)
    assert [said(row)[:6] for row in good] == [
        ("Tas - Merah, L", 30.5, 4, "T-1", ("Tas", "Ransel"), "Acme"),
        ("Tas - Biru, XL", 31.5, 5, "T-2", ("Tas", "Ransel"), "Acme"),
        ("Tas - Biru, L", 31.5, 5, "T-2-Biru-L", ("Tas", "Ransel"), "Acme"),
        ("Gelas", 9, 1, "G", None, None),
    ]
    assert (about["dialect"], good[1].image_urls) == ("vendure", ("https://x.example/t.jpg",))


def test_magentos_export():
    text = (
        "sku,store_view_code,attribute_set_code,product_type,categories,name,description,price,special_price,"
        "special_price_from_date,qty,product_online,base_image,additional_attributes\n"
        'T-1,,Default,simple,"Default Category/Tas,Default Category/Tas/Ransel",Tas '
        "Merah,<p>Kulit</p>,"
        '30.0000,25.0000,,4.0000,1,/t/a.jpg,"color=red,manufacturer=Acme"\n'
        "T-1,english,Default,simple,,Red bag,,,,,,,,\n"
        "T,,Default,configurable,Default Category/Tas,Tas,,30.0000,,,0.0000,1,,\n"
        "G,,Default,simple,,Gelas,,9.0000,5.0000,2999-01-01,0.0000,2,,\n"
    )
    about, good, others = brought(text)
    assert [said(row) for row in good] == [
        ("Tas Merah", 25, 4, "T-1", ("Tas", "Ransel"), "Acme", False),
        ("Gelas", 9, 0, "G", None, None, True),
    ]
    assert (len(others), about["dialect"]) == (2, "magento")


def test_a_dialect_that_is_asked_for_is_taken():
    text = "name,price,sku,qty\nTas,5,T,3\n"
    about, (row,), _ = brought(text, dialect="magento")
    assert (about["dialect"], row.stock) == ("magento", 3)
    with pytest.raises(CatalogRefused) as caught:
        brought("name,price,qty\nTas,5,3\n", dialect="shopify")
    assert caught.value.code == "missing_column"


def test_names_people_give_columns_are_known_where_no_other_is():
    about, (row,), _ = brought(
        "title,price,qty,image,url\nTas,5,3,https://x.example/1.jpg,https://x.example/t\n"
    )
    assert (row.name, row.stock, len(row.image_urls), row.source_url) == (
        "Tas",
        3,
        1,
        "https://x.example/t",
    )
    about, (row,), _ = brought("name,title,price,stock,quantity\nTas,Judul,5,3,9\n")
    assert (row.name, row.stock, about["unknown"]) == ("Tas", 3, ["title", "quantity"])


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Satu</p><p>Dua</p>", "Satu\n\nDua"),
        ("Satu<br>Dua<script>alert(1)</script>", "Satu\nDua"),
        ("<ul><li>a</li><li>b &amp; c</li></ul>", "- a\n- b & c"),
        ("<img src=x onerror=alert(1)>Tas", "Tas"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;Tas", "Tas"),
        ("5 < 6 dan 7 > 3", "5 < 6 dan 7 > 3"),
        ("AT&T & teman", "AT&T & teman"),
        ("<!-- rahasia -->Tas", "Tas"),
        ("<b>tebal", "tebal"),
    ],
)
def test_html_becomes_text(html, text):
    quoted = html.replace('"', '""')
    (row,) = brought(f'name,price,description\nTas,1,"{quoted}"\n')[1]
    assert row.description == text


def test_groups_without_end_stay_bounded():
    head = "tas,TAS,Tas,0,USD,active,Kulit,Tas,,,,\n"
    rows = "".join(f"tas,T-{number},,1,USD,,,,Warna,W{number},,1\n" for number in range(5000))
    _, good, others = brought(SPREE + head + rows)
    assert len(good) == 5000
    assert {row.category for row in good} == {("Tas",)}
    assert len(others) == 1
