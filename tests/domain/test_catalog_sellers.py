"""Files as sellers have them: lists of their own, marketplaces' templates, shops in other
languages, spreadsheets.
"""

import io

import pytest

from marketplace.catalogue_csv import DIALECTS, BadRow, CatalogRefused, GoodRow, read


def brought(text: str | bytes, **options):
    """What the file says of itself, its good rows, and the others."""
    catalog = read(io.BytesIO(text.encode() if isinstance(text, str) else text), **options)
    rows = list(catalog)
    good = [row for row in rows if isinstance(row, GoodRow)]
    return catalog.describe(), good, [row for row in rows if not isinstance(row, GoodRow)]


def refusal(text: str, **options) -> CatalogRefused:
    with pytest.raises(CatalogRefused) as caught:
        brought(text, **options)
    return caught.value


def codes(row) -> list[tuple[str | None, str]]:
    assert isinstance(row, BadRow), row
    return [(error.column, error.code) for error in row.errors]


# -- files that only change


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("sku,stock", "X,44", ("X", None, None, 44)),
        ("marketplace_product_id,price,stock", "7,1500,45", (None, None, 1500, 45)),
        ("SKU,Stok,Harga", "X,46,1700", ("X", None, 1700, 46)),
        ("source_url,stock", "https://toko.example/1,3", (None, None, None, 3)),
        ("Kode Barang;Sisa Stok", "X;3", ("X", None, None, 3)),
        ("name,price,sku,stock", ",,X,3", ("X", None, None, 3)),
    ],
)
def test_a_row_with_a_key_needs_no_name_and_no_price(header, row, said):
    _, (good,), _ = brought(f"{header}\n{row}\n")
    assert (good.sku, good.name, good.price, good.stock) == said


def test_a_row_without_a_key_needs_both():
    _, (good,), (bad,) = brought("sku,name,stock\nX,,3\n,Kopi,4\n")
    assert good.sku == "X"
    assert codes(bad) == [(None, "required")]
    assert "price" in bad.errors[0].message


def test_a_file_without_name_price_and_key_is_refused_in_its_own_words():
    error = refusal("Deskripsi,Stok,Kategori\nx,1,Kopi\n")
    assert error.code == "missing_column"
    assert "The columns Nama Produk and Harga are missing." in error.message
    assert "columns=" in error.message
    assert "The column price is missing." in refusal("name,stock\nKopi,1\n").message
    assert (
        "Regular price"
        in refusal("Type,Name,Stock\nsimple,Kopi,1\n", dialect="woocommerce").message
    )


# -- columns of people


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Nama Barang,Harga Satuan", "Kopi,1000"),
        ("nama_produk,harga_jual", "Kopi,1000"),
        ("Nama Produk,Harga (Rp)", "Kopi,1000"),
        ("Product Name,Unit Price,Qty", "Kopi,1000,7"),
        ("Kode Barang,Nama Barang,Harga Beli,Harga Jual,Stok,Satuan", "X,Kopi,800,1000,7,pcs"),
        ("No,Nama,Harga Eceran (Rp)", "1,Kopi,1000"),
        ("NAMA BARANG;HARGA JUAL;JUMLAH", "Kopi;1000;7"),
        ("Judul,Harga,Keterangan", "Kopi,1000,Enak"),
        ("Item Name,Selling Price,Stock Qty", "Kopi,1000,7"),
        ("*Nama Produk,Harga* [wajib]", "Kopi,1000"),
        ("item_sku,item_name,standard_price,quantity,main_image_url", "X,Kopi,1000,7,"),
        ("No.,Kode Brg,Nama Brg,Hrg Jual,Stok Awal", "1,X,Kopi,1000,7"),
        ("title,link,image_link,price,availability,brand", "Kopi,,,1000,in_stock,Acme"),
        ("Product Name (Bahasa),Price (IDR)", "Kopi,1000"),
        ("Merk,Nama Item,Harga Retail,Kategori Produk", "Acme,Kopi,1000,Minuman"),
    ],
)
def test_sellers_own_lists_are_known(header, row):
    _, (good,), _ = brought(f"{header}\n{row}\n")
    assert (good.name, good.price) == ("Kopi", 1000)


def test_rows_above_the_header_are_left_out_and_counted():
    about, (good,), _ = brought(
        "Daftar Harga Toko Kopi,,\nper 1 Januari,,\n\nNama Barang,Harga,Stok\nKopi,1000,3\n"
    )
    assert (good.name, good.line, about["notes"]["title_rows"]) == ("Kopi", 5, 2)


def test_any_header_can_be_named():
    text = "Judulnya,Ongkos,Foto-foto,Kode\nKopi,1000,https://x.example/1.jpg,K\n"
    assert refusal("Judulnya,Ongkos\nKopi,1000\n").code == "no_known_columns"
    columns = {"name": "judulnya", "price": "Ongkos", "image_url": ["Foto-foto"], "sku": "Kode"}
    about, (good,), _ = brought(text, columns=columns)
    assert (good.name, good.price, good.sku, good.image_urls) == (
        "Kopi",
        1000,
        "K",
        ("https://x.example/1.jpg",),
    )
    assert about["used"]["name"] == ["Judulnya"]


def test_a_named_column_goes_before_one_that_is_known():
    _, (good,), _ = brought(
        "name,price,Harga Promo\nKopi,1000,900\n", columns={"price": "Harga Promo"}
    )
    assert good.price == 900


def test_columns_of_a_dialect_can_be_named_as_it_calls_them():
    text = "ID,Tyyppi,SKU,Otsake,Hinta,Kuva\n1,simple,K,Kahvi,3,https://x.example/1.jpg\n"
    columns = {"Name": "Otsake", "Regular price": "Hinta", "Images": "Kuva"}
    about, (good,), _ = brought(text, columns=columns)
    assert (about["dialect"], good.name, good.price, len(good.image_urls)) == (
        "woocommerce",
        "Kahvi",
        3,
        1,
    )


def test_a_named_column_must_be_there_and_mean_something():
    assert refusal("a,b\n1,2\n", columns={"name": "c"}).code == "unknown_column"
    assert refusal("name,price,b\nx,2,3\n", columns={"warna": "b"}).code == "unknown_column"


# -- WooCommerce as its exporter writes

WOO = (
    "ID,Type,SKU,Name,Published,Regular price,Categories,Stock,Parent,Attribute 1 "
    "name,Attribute 1 value(s)\n"
)


def test_woocommerces_stock_of_the_parent_is_not_known():
    about, good, _ = brought(
        WOO + '10,variable,K,Kaos,1,,Baju,7,,Ukuran,"S, M"\n11,variation,K-s,Kaos - '
        "S,1,50000,,parent,K,Ukuran,S\n"
    )
    assert [(row.sku, row.stock, row.in_stock) for row in good] == [("K-s", None, None)]
    assert about["notes"]["parent_stock"] == 1


def test_parts_are_rounded_down_and_said():
    rows = "".join(
        f"1,simple,K{number},Kopi,1,5,,{stock},,,\n"
        for number, stock in enumerate(["1.5", "0.5", "12.0000"])
    )
    about, good, _ = brought(WOO + rows)
    assert [row.stock for row in good] == [1, 0, 12]
    assert about["notes"]["part_stock"] == 2


def test_in_stock_without_a_number_is_not_none():
    header = "ID,Type,SKU,Name,In stock?,Stock,Regular price\n"
    about, good, _ = brought(
        header + "1,simple,A,Kopi,1,,5\n2,simple,B,Teh,0,,5\n3,simple,C,Gula,1,4,5\n"
    )
    assert [(row.stock, row.in_stock) for row in good] == [(None, True), (0, None), (4, None)]
    assert about["notes"]["in_stock"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "name,price,availability\nKopi,1,in stock\nTeh,1,out of stock\n",
            [(None, True), (0, None)],
        ),
        ("Nama Produk,Harga,Stok\nKopi,1,Tersedia\nTeh,1,habis\n", [(None, True), (0, None)]),
        (
            "Handle,Title,Variant Price,Variant SKU,Variant Inventory Tracker,Variant Inventory "
            "Qty\n"
            "k,Kopi,1,K,,0\nt,Teh,1,T,shopify,0\n",
            [(None, True), (0, None)],
        ),
        (
            "name,slug,optionValues,sku,price,stockOnHand,trackInventory\nKopi,k,,K,1,0,false\nTeh,t,,T,1,0,true\n",
            [(None, True), (0, None)],
        ),
    ],
)
def test_what_is_in_stock_without_a_number_in_other_files(text, said):
    assert [(row.stock, row.in_stock) for row in brought(text)[1]] == said


@pytest.mark.parametrize(
    ("cell", "category"),
    [
        ('"Schwank, Anekdote und Witz"', ("Schwank, Anekdote und Witz",)),
        ('"Medallions, Rosettes" > Box', ("Medallions, Rosettes", "Box")),
        ('Buku > "Anak, Remaja" > Komik, Promo', ("Buku", "Anak, Remaja", "Komik")),
        ("Kopi\\, Teh", ("Kopi, Teh",)),
        ('Layar 14" > Baru', ('Layar 14"', "Baru")),
        ('"Kutip" baru', ('"Kutip" baru',)),
        ("Pakaian, Promo", ("Pakaian",)),
        ("A\\", ("A\\",)),
    ],
)
def test_woocommerces_lists_of_categories(cell, category):
    quoted = cell.replace('"', '""')
    _, (row,), _ = brought(WOO + f'10,simple,K,Buku,1,5,"{quoted}",3,,,\n')
    assert row.category == category


def test_apostrophes_before_what_a_spreadsheet_would_run_are_taken_off():
    _, (row,), _ = brought(WOO + "10,simple,'=w2,'-10% Kaos,1,5,'+Kaos,'-4,,,\n")
    assert (row.sku, row.name, row.category, row.stock) == ("=w2", "-10% Kaos", ("+Kaos",), 0)
    _, (row,), _ = brought("name,price,warna\n'-10% Kaos,5,x\n")
    assert row.name == "'-10% Kaos"  # in other files it may be meant


TRANSLATED = {
    "Indonesian": "ID,Tipe,SKU,Nama,Diterbitkan,Harga "
    "reguler,Kategori,Stok,Gambar-gambar,Induk,Nama atribut 1,Nilai Atribut 1",
    "Indonesian, older": "ID,Tipe,SKU,Nama,Diterbitkan,Harga "
    "normal,Kategori,Stok,Gambar,Induk,Nama atribut 1,Nilai atribut 1",
    "German": "ID,Typ,Artikelnummer,Name,Veröffentlicht,Regulärer "
    "Preis,Kategorien,Lager,Bilder,Übergeordnetes Produkt,"
    "Attribut 1 Name,Attribut 1 Wert(e)",
    "Spanish": "ID,Tipo,SKU,Nombre,Publicado,Precio normal,Categorías,Inventario,Imágenes,Superior,"
    "Nombre del atributo 1,Valor(es) del atributo 1",
    "French": "ID,Type,UGS,Nom,Publié,Tarif régulier,Catégories,Stock,Images,Parent,Nom de "
    "l’attribut 1,"
    "Valeur(s) de l’attribut 1 ",
    "Italian": "ID,Tipo,SKU,Nome,Pubblicato,Prezzo di "
    "listino,Categorie,Magazzino,Immagine,Genitore,"
    "Nome dell'attributo 1,Valore dell'attributo 1",
    "Portuguese": "ID,Tipo,SKU,Nome,Publicado,Preço,Categorias,Estoque,Imagens,Ascendente,Nome "
    "do atributo 1,"
    "Valores do atributo 1",
    "Dutch": "ID,Type,Artikelnummer,Naam,Gepubliceerd,Reguliere "
    "prijs,Categorieën,Voorraad,Afbeeldingen,Hoofd,"
    "Naam eigenschap 1,Waarde eigenschap 1",
    "Russian": "ID,Тип,Артикул,Имя,Опубликован,Базовая "
    "цена,Категории,Запасы,Изображения,Родительский,"
    "Имя атрибута 1,Значение(-я) аттрибута(-ов) 1",
    "Turkish": "Kimlik,Tür,Stok kodu (SKU),İsim,Yayımlanmış,Normal "
    "fiyat,Kategoriler,Stok,Görseller,Ebeveyn,"
    "Nitelik 1 ismi,Nitelik 1 değer(ler)i",
    "Polish": "ID,Rodzaj,SKU,Nazwa,Opublikowano,Cena regularna,Kategorie,Stan "
    "magazynowy,Obrazki,Nadrzędny,"
    "Nazwa atrybutu 1,Wartości atrybutu 1",
}


@pytest.mark.parametrize("language", TRANSLATED)
def test_woocommerce_speaks_the_language_of_its_shop(language):
    about, good, others = brought(
        TRANSLATED[language]
        + '\n10,variable,K,Kopi,1,,Minuman,,https://x.example/1.jpg,,Berat,"1 kg, 2 kg"\n'
        "11,variation,K-1,Kopi,0,50000,,3,,K,Berat,1 "
        "kg\n12,variation,,Kopi,1,90000,,4,,id:10,Berat,2 kg\n"
    )
    assert about["dialect"] == "woocommerce"
    assert [(row.name, row.price, row.stock, row.sku, row.category) for row in good] == [
        ("Kopi - 1 kg", 50000, 3, "K-1", ("Minuman",)),
        ("Kopi - 2 kg", 90000, 4, None, ("Minuman",)),
    ]
    assert [row.image_urls for row in good] == [("https://x.example/1.jpg",)] * 2
    assert len(others) == 1


# -- marketplaces' templates

SHOPEE = (
    "*Kategori,*Nama Produk,*Deskripsi Produk,SKU Induk,*Harga,*Stok,*Foto Sampul,Foto Produk "
    "1,Nama Variasi 1,"
    "Pilihan untuk Variasi 1,Harga Variasi,Stok Variasi,Kode Variasi,*Berat (kg)\n"
)


def test_shopees_template_with_what_stands_below_its_header():
    about, good, others = brought(
        SHOPEE
        + "Wajib,Wajib,Wajib,Opsional,Wajib,Wajib,Wajib,Opsional,Opsional,Opsional,Opsional,Opsional,Opsional,Wajib\n"
        + "Baju,Kaos,Katun,K,50000,9,https://x.example/k.jpg,https://x.example/2.jpg,Warna,Merah,51000,4,K-M,0.2\n"
        + ",,,K,,,,,Warna,Biru,52.000,5,K-B,0.2\n"
        + "Dapur,Gelas,Kaca,G,9000,1.000,https://x.example/g.jpg,,,,,,,0.3\n"
    )
    assert [(row.name, row.price, row.stock, row.sku, row.category) for row in good] == [
        ("Kaos - Merah", 51000, 4, "K-M", ("Baju",)),
        ("Kaos - Biru", 52000, 5, "K-B", ("Baju",)),
        ("Gelas", 9000, 1000, "G", ("Dapur",)),
    ]
    assert good[1].image_urls == ("https://x.example/k.jpg", "https://x.example/2.jpg")
    assert good[1].description == "Katun"
    assert (about["dialect"], about["unknown"], [row.line for row in others]) == ("shopee", [], [2])


def test_shopees_template_in_english_and_by_its_keys():
    rows = "Baju,Kaos,Katun,K,1,Warna,Merah,50000,4,K-M,https://x.example/k.jpg\n"
    names = (
        "Category,Product Name,Product Description,Parent SKU,Variation Integration "
        "No.,Variation Name1,"
        "Option for Variation 1,Price,Stock,SKU,Cover image\n"
    )
    keys = (
        "ps_category|0|0,ps_product_name|1|0,ps_product_description|1|0,ps_sku_parent_short|0|1,"
        "et_title_variation_integration_no|0|1,et_title_variation_1|0|1,et_title_option_for_variation_1|0|1,ps_price|1|0,"
        "ps_stock|0|0,ps_sku_short|0|0,ps_item_cover_image|0|0\n"
    )
    for header in (names, keys, keys + names):
        about, (row,), _ = brought(header + rows)
        said = (
            about["dialect"],
            row.name,
            row.price,
            row.stock,
            row.sku,
            row.description,
            len(row.image_urls),
        )
        assert said == ("shopee", "Kaos - Merah", 50000, 4, "K-M", "Katun", 1)


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (
            "tokopedia",
            "Nama Produk*,Deskripsi Produk,Kategori Kode*,Berat* (Gram),Minimum "
            "Pemesanan*,Kondisi*,Gambar 1*,Gambar 2,"
            "SKU Name,Status*,Jumlah Stok*,Harga (Rp)*\n"
            "Kaos,Katun,562,200,1,Baru,https://x.example/1.jpg,https://x.example/2.jpg,K,Aktif,4,50000\n",
        ),
        (
            "lazada",
            "Primary Category,Product Name,Main "
            "Description,Images1,Images2,SellerSKU,Quantity,Price,Package Weight (kg)\n"
            "562,Kaos,Katun,https://x.example/1.jpg,https://x.example/2.jpg,K,4,50000,0.2\n",
        ),
        (
            "lazada",
            "name,description,price,quantity,SellerSku,main_image,image2,color_family\n"
            "Kaos,Katun,50000,4,K,https://x.example/1.jpg,https://x.example/2.jpg,\n",
        ),
        (
            "blibli",
            "Nama Produk*,SKU Seller,Deskripsi*,Foto-1*,Foto-2,Harga Penjualan (Rp)*,Stok*\n"
            "Kaos,K,Katun,https://x.example/1.jpg,https://x.example/2.jpg,50000,4\n",
        ),
        (
            "bukalapak",
            "Nama Barang,Stok(Minimum 1),Berat (gram),Harga "
            "(Rupiah),Kondisi(Baru/Bekas),Deskripsi(Minimum 30 Karakter),"
            "Wajib Asuransi?(Ya/Tidak),URL Gambar 1,URL Gambar 2,SKU\n"
            "Kaos,4,200,50000,Baru,Katun,Ya,https://x.example/1.jpg,https://x.example/2.jpg,K\n",
        ),
        (
            "tiktok",
            "Kategori,Nama produk,Deskripsi produk,Gambar utama,Gambar 2,Berat paket(g),Harga "
            "ritel (mata uang lokal),"
            "Kuantitas,SKU penjual\n"
            "562,Kaos,Katun,https://x.example/1.jpg,https://x.example/2.jpg,200,50000,4,K\n",
        ),
    ],
)
def test_templates_of_other_marketplaces(dialect, text):
    about, (row,), _ = brought(text)
    assert (about["dialect"], dialect in DIALECTS) == (dialect, True)
    said = (
        row.name,
        row.description,
        row.price,
        row.stock,
        row.sku,
        len(row.image_urls),
        row.category,
    )
    assert said == ("Kaos", "Katun", 50000, 4, "K", 2, None)


def test_several_images_may_stand_in_one_cell_of_a_template():
    header = "Product Name,SellerSKU,Price,Quantity,__Images__\n"
    cell = '"https://x.example/1.jpg;https://x.example/2.jpg, https://x.example/3.jpg"'
    _, (row,), _ = brought(f"{header}Kaos,K,50000,4,{cell}\n")
    assert len(row.image_urls) == 3


def test_medusas_first_template_has_options():
    header = (
        "Product Id,Product Handle,Product Title,Product Status,Variant Id,Variant Title,Variant "
        "SKU,"
        "Variant Inventory Quantity,Price IDR,Option 1 Name,Option 1 Value,Image 1 Url\n"
    )
    about, good, _ = brought(
        header + ",k,Kaos,published,,Varian,K-1,10,50000,Ukuran,Kecil,https://x.example/1.jpg\n"
        ",k,Kaos,published,,Varian,K-2,10,50000,Ukuran,Besar,https://x.example/1.jpg\n",
        currency="IDR",
    )
    assert [(row.name, row.price, len(row.image_urls)) for row in good] == [
        ("Kaos - Kecil", 50000, 1),
        ("Kaos - Besar", 50000, 1),
    ]
    assert (about["dialect"], about["unknown"]) == ("medusa", [])


def test_vendures_brand_may_be_a_facet_of_the_variant():
    header = "name,slug,description,assets,facets,optionGroups,optionValues,sku,price,stockOnHand,variantFacets\n"
    _, (row,), _ = brought(
        header + "Papan,papan,,a.jpg,Category:Elektronik,,,P,10.00,5,Brand:KB|Type:Accessory\n"
    )
    assert (row.brand, row.category) == ("KB", ("Elektronik",))


def test_pictures_of_other_systems_stand_below_the_base():
    header = "name,slug,assets,optionValues,sku,price,stockOnHand\n"
    _, (row,), _ = brought(
        header + "Papan,p,a.jpg|b.jpg,,P,10.00,5\n", image_base="https://toko.example/assets"
    )
    assert row.image_urls == (
        "https://toko.example/assets/a.jpg",
        "https://toko.example/assets/b.jpg",
    )


# -- spreadsheets


def test_cells_that_keep_a_number_as_it_is_are_unwrapped():
    _, good, _ = brought('name,price,sku\nKopi,1000,"=""00123"""\nTeh,="2000",="x""y"\n')
    assert [(row.sku, row.price) for row in good] == [("00123", 1000), ('x"y', 2000)]


@pytest.mark.parametrize(
    ("column", "cell"),
    [("sku", "8.99123E+12"), ("sku", "8,99E+12"), ("price", "1.25E+06"), ("stock", "1E+05"), ("sku", "#REF!"), ("name", "#NAME?"),
     ("price", "#N/A"), ("stock", "########"), ("brand", "#VALUE!"), ("category", "#DIV/0!")],
)  # fmt: skip
def test_what_a_spreadsheet_broke_is_named(column, cell):
    cells = {"name": "Kopi", "price": "1000", "sku": "K"} | {column: cell}
    _, good, (bad,) = brought(
        ",".join(cells) + "\n" + ",".join(f'"{each}"' for each in cells.values()) + "\n"
    )
    assert (codes(bad), good) == ([(column, "spreadsheet_value")], [])


def test_an_apostrophe_that_keeps_a_number_is_taken_off():
    _, (row,), _ = brought("Nama Produk,Harga,SKU,Stok\n'90s Kaos,'1000,'00123,'4\n")
    assert (row.name, row.price, row.sku, row.stock) == ("'90s Kaos", 1000, "00123", 4)
    _, (row,), _ = brought("name,price,sku\nKaos,1000,'00123\n")
    assert row.sku == "'00123"  # our own header: the export wrote it


@pytest.mark.parametrize(
    "sku", ["90.750", "00123", "1E5", "1E+02", "E+12", "#1", "A#", "3.5E", "2E+"]
)
def test_keys_that_look_like_numbers_are_kept(sku):
    _, (row,), _ = brought(f"name,price,sku\nKopi,1000,{sku}\n")
    assert row.sku == sku


@pytest.mark.parametrize("sign", ["\u200b", "\ufeff", "\u200d", "\u2060", "\u00ad", "\u200e"])
def test_keys_have_no_signs_that_nobody_sees(sign):
    _, good, bad = brought(f"name,price,sku\nA,1,{sign}ZW1\nB,2,Z{sign}W1\n")
    assert [codes(row) for row in bad][-1] == [("sku", "invisible_character")]
    assert [row.sku for row in good] == (["ZW1"] if len(bad) == 1 else [])


# -- encodings

SAID = {
    "cp1252": [
        "Bettwäsche grün, Schlüsselanhänger",
        "Crème brûlée à l’ancienne",
        "Rødgrød på fløde",
    ],
    "cp1254": ["Kırmızı gömlek", "Şişe suyu yeşil", "Zeytinyağı soğuk sıkım"],
}
NOT_READ = {
    "cp1250": [
        "Żółty kubek na łyżki",
        "Příliš žluťoučký kůň",
        "Hrnek červený, ěščřž",
        "Árvíztűrő tükörfúrógép",
    ],
    "cp1251": ["Красная кружка"],
    "cp1257": ["Žalias puodelis, ąžuolas, šaukštas"],
    "mac_roman": ["Café crème brûlée"],
    "gbk": ["红色杯子和绿色杯子"],
}


@pytest.mark.parametrize("encoding", SAID)
def test_an_old_encoding_is_read_where_it_makes_words(encoding):
    for name in SAID[encoding]:
        about, (row,), _ = brought(f'name,price\n"{name}",1\n'.encode(encoding))
        assert (row.name, about["encoding"]) == (name, encoding)
    about, rows, _ = brought(
        ("name,price\n" + "".join(f'"{name}",1\n' for name in SAID[encoding])).encode(encoding)
    )
    assert [row.name for row in rows] == SAID[encoding]


@pytest.mark.parametrize("encoding", NOT_READ)
def test_no_encoding_is_read_as_that_of_another_language(encoding):
    for name in NOT_READ[encoding]:
        _, good, (bad,) = brought(f'name,price\n"{name}",1\n'.encode(encoding))
        assert (codes(bad), good) == ([("name", "invalid_encoding")], [])
