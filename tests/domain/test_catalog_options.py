"""The options of variants in the files of each system."""

import pytest
from support.csv_rows import rows_of

from marketplace.catalogue_csv import GoodRow

FILES = {
    "shopify": (
        "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Grams,Variant Price,"
        "Variant Compare At Price\n"
        "kaos,Kaos,Warna,Merah,Ukuran,S,K-1,180,75000,90000\nkaos,,,Biru,,L,K-2,190,80000,70000\n"
    ),
    "shopify, new": (
        "Title,URL handle,SKU,Option1 name,Option1 value,Option2 name,Option2 value,Price,Compare-at price,"
        "Weight value (grams)\n"
        "Kaos,kaos,K-1,Warna,Merah,Ukuran,S,75000,90000,180\n,kaos,K-2,,Biru,,L,80000,,190\n"
    ),
    "woocommerce": (
        "ID,Type,SKU,Name,Regular price,Sale price,Weight (kg),Parent,Attribute 1 name,Attribute 1 value(s),"
        "Attribute 2 name,Attribute 2 value(s)\n"
        "2,variation,K-1,Kaos - Merah,90000,75000,0.18,id:1,Warna,Merah,Ukuran,S\n"
        '1,variable,KAOS,Kaos,,,,,Warna,"Merah, Biru",Ukuran,"S, L"\n'
        "3,variation,K-2,Kaos - Biru,80000,,0.19,id:1,Warna,Biru,Ukuran,L\n"
    ),
    "spree": (
        "slug,sku,name,price,compare_at_price,weight,weight_unit,option1_name,option1_value,option2_name,option2_value,"
        "inventory_count\n"
        "kaos,KAOS,Kaos,0,,,,,,,,\nkaos,K-1,,75000,90000,180,g,Warna,Merah,Ukuran,S,1\n"
        "kaos,K-2,,80000,0,0.19,kg,Warna,Biru,Ukuran,L,1\n"
    ),
    "medusa": (
        "Product Handle,Product Title,Variant Title,Variant Sku,Variant Weight,Variant Option 1 Name,"
        "Variant Option 1 Value,Variant Option 2 Name,Variant Option 2 Value,Variant Price IDR\n"
        "kaos,Kaos,A,K-1,180,Warna,Merah,Ukuran,S,75000\nkaos,Kaos,B,K-2,190,Warna,Biru,Ukuran,L,80000\n"
    ),
    "vendure": (
        "name,slug,optionGroups,optionValues,sku,price,stockOnHand\n"
        "Kaos,kaos,Warna|Ukuran,Merah|S,K-1,75000,1\n,,,Biru|L,K-2,80000,1\n"
    ),
    "magento": (
        "sku,product_type,name,price,special_price,qty,configurable_variations,configurable_variation_labels,"
        "product_websites\n"
        "K-1,simple,Kaos-Merah-S,90000,75000,1,,,base\nK-2,simple,Kaos-Biru-L,80000,,1,,,base\n"
        'KAOS,configurable,Kaos,,,,"sku=K-1,warna=Merah,ukuran=S|sku=K-2,warna=Biru,ukuran=L",'
        '"warna=Warna,ukuran=Ukuran",base\n'
    ),
    "shopee": (
        "Nama Produk,SKU Induk,Nama Variasi 1,Pilihan untuk Variasi 1,Nama Variasi 2,Pilihan untuk Variasi 2,Harga,"
        "Kode Variasi,Berat\n"
        "Kaos,KAOS,Warna,Merah,Ukuran,S,75000,K-1,180\nKaos,KAOS,Warna,Biru,Ukuran,L,80000,K-2,190\n"
    ),
    "tokopedia": (
        "Nama Produk,Etalase,Nama Varian 1,Nilai Varian 1,Nama Varian 2,Nilai Varian 2,Harga,SKU,Berat (Gram)\n"
        "Kaos,Baju,Warna,Merah,Ukuran,S,75000,K-1,180\nKaos,Baju,Warna,Biru,Ukuran,L,80000,K-2,190\n"
    ),
    "lazada": (
        "Product Name,SellerSKU,Nama Variasi 1,Nilai Variasi 1,Nama Variasi 2,Nilai Variasi 2,Price,SpecialPrice,"
        "Package Weight (kg)\n"
        "Kaos,K-1,Warna,Merah,Ukuran,S,90000,75000,0.18\nKaos,K-2,Warna,Biru,Ukuran,L,80000,80000,0.19\n"
    ),
    "tiktok": (
        "Product name,Variation name 1,Variation value 1,Variation name 2,Variation value 2,Retail price,Seller SKU,"
        "Parcel weight(g)\n"
        "Kaos,Warna,Merah,Ukuran,S,75000,K-1,180\nKaos,Warna,Biru,Ukuran,L,80000,K-2,190\n"
    ),
    "bukalapak": (
        "Nama Barang,Wajib Asuransi,Nama Variasi 1,Pilihan Variasi 1,Nama Variasi 2,Pilihan Variasi 2,Harga,SKU Varian,"
        "Berat\n"
        "Kaos,Ya,Warna,Merah,Ukuran,S,75000,K-1,180\nKaos,Ya,Warna,Biru,Ukuran,L,80000,K-2,190\n"
    ),
    "marketplace": (
        "name,price,price_before,sku,weight_grams,option1_name,option1_value,option2_name,option2_value\n"
        "Kaos,75000,90000,K-1,180,Warna,Merah,Ukuran,S\nKaos,80000,,K-2,190,Warna,Biru,Ukuran,L\n"
    ),
}
WITHOUT_WEIGHT = {"vendure", "magento"}
STRUCK = {"shopify", "shopify, new", "woocommerce", "spree", "magento", "lazada", "marketplace"}


@pytest.mark.parametrize("system", FILES)
def test_rows_of_one_product_are_its_variants(system: str):
    catalog, rows = rows_of(FILES[system], currency="IDR")
    red, blue = (row for row in rows if isinstance(row, GoodRow))
    assert catalog.describe()["dialect"] == system.partition(",")[0]
    assert red.options == (("Warna", "Merah"), ("Ukuran", "S"))
    assert blue.options == (("Warna", "Biru"), ("Ukuran", "L"))
    assert red.group is not None
    assert red.group == blue.group
    assert [row.product_name or row.name for row in (red, blue)] == ["Kaos", "Kaos"]
    assert [(row.sku, row.price) for row in (red, blue)] == [("K-1", 75000), ("K-2", 80000)]
    weights = [None, None] if system in WITHOUT_WEIGHT else [180, 190]
    assert [row.weight_grams for row in (red, blue)] == weights
    assert [row.price_before for row in (red, blue)] == [90000 if system in STRUCK else None, None]


def test_a_variant_without_one_of_the_options_has_a_sign_for_it():
    text = FILES["shopify"].replace(",Biru,,L,", ",Biru,,,")
    _, (_, blue) = rows_of(text)
    assert blue.options == (("Warna", "Biru"), ("Ukuran", "-"))


def test_more_than_three_options_are_joined():
    head = ",".join(f"Option{n} Name,Option{n} Value" for n in range(1, 5))
    cells = ",".join(f"N{n},V{n}" for n in range(1, 5))
    _, (row,) = rows_of(f"Handle,Title,{head},Variant Price\na,Kaos,{cells},1\n")
    assert row.options == (("N1", "V1"), ("N2", "V2"), ("N3 / N4", "V3 / V4"))


def test_only_the_exact_names_are_columns_of_ours():
    _, (row,) = rows_of("Name,Price,Variant ID,Weight (grams)\nKaos,1,gid://x,heavy\n")
    assert (row.variant_id, row.weight_grams) == (None, None)
