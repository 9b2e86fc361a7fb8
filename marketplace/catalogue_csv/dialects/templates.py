"""The templates with which marketplaces import and export many products: Shopee, Tokopedia, Lazada,
TikTok, Bukalapak.

They are alike: one row a variant, what all variants share in the first row or in each; a cover
image and further ones; a price and a stock of the product, or of each variant. Below the header
some have rows that explain it.
"""

import re
from collections.abc import Iterable, Sequence

from marketplace.catalogue_csv.dialects.groups import Groups
from marketplace.catalogue_csv.dialects.shape import (
    Arranged,
    Cells,
    Dialect,
    Layout,
    Values,
    fields,
    grams,
    links,
    plain,
    sale,
    struck,
    unique,
)

_NAMES = ("namaproduk", "productname", "namabarang", "name", "title")
_DESCRIPTIONS = (
    "deskripsiproduk",
    "productdescription",
    "deskripsi",
    "description",
    "maindescription",
    "shortdescription",
)
_PARENTS = (
    "skuinduk",
    "parentsku",
    "nomorintegrasivariasi",
    "kodeintegrasivariasi",
    "variationintegrationno",
)
_SKUS = (
    *(
        "sku",
        "skuvariasi",
        "kodevariasi",
        "skuvarian",
        "variationsku",
        "sellersku",
        "skupenjual",
        "skuseller",
    ),
    *("skuname", "skuproduk", "skucode"),
)
_OPTION_PRICES = ("hargavariasi", "hargavarian", "variationprice")
_PRICES = (
    "harga",
    "price",
    "hargajual",
    "hargaritel",
    "hargapenjualan",
    "retailprice",
    "hargasatuan",
)
_SALES = ("specialprice", "hargapromo", "hargadiskon", "hargakhusus", "saleprice")
_OPTION_STOCKS = ("stokvariasi", "stokvarian", "variationstock")
_STOCKS = ("stok", "jumlahstok", "stock", "quantity", "kuantitas")
_OPTION_PICTURES = (
    "fotovariasi",
    "gambarvariasi",
    "gambarvarian",
    "imagepervariation",
    "variationimage",
    "gambarpervariasi",
)
_COVERS = (
    "fotosampul",
    "coverimage",
    "gambarutama",
    "fotoutama",
    "mainimage",
    "mainproductimage",
    "images",
    "productimages",
    "gambar",
    "foto",
)
_PICTURES = r"(?:fotoproduk|gambarproduk|gambar|foto|picture|productpicture|image|images|itemimage|productimages?|urlgambar|linkgambar|imageurl)"
_CATEGORIES = ("kategori", "category", "categoryname", "primarycategory", "namakategori")
_BRANDS = ("merek", "merk", "brand")
_LINKS = ("linkproduk", "urlproduk", "producturl", "productlink", "url")
_OPTIONS = (
    r"(?:pilihanuntukvariasi|optionforvariation|pilihanvariasi|opsivariasi|nilaivariasi|variationvalue|"
    r"variationoption|nilaivarian|pilihanvarian)"
)
_OPTION_NAMES = r"(?:namavariasi|variationname|namavarian|variantname|tipevariasi|variationtype)"
#: Options in separate columns, and all of them in one cell.
_LOOSE_OPTIONS = ("namavariasi", "variationname", "colorfamily", "warnavarian", "ukuranvarian")
_LOOSE_NAMES = {"colorfamily": "Warna", "warnavarian": "Warna", "ukuranvarian": "Ukuran"}
#: Columns of the weight, with the unit of a number in them.
_WEIGHTS = {
    **dict.fromkeys(("berat", "beratgram", "beratg", "beratpaketgram", "weightg"), "g"),
    **dict.fromkeys(("parcelweightg", "packageweightg", "beratprodukgram", "beratbarang"), "g"),
    **dict.fromkeys(("packageweightkg", "beratkg", "beratpaketkg", "weightkg"), "kg"),
}
_SHARED = frozenset(
    (*_NAMES, *_DESCRIPTIONS, *_PARENTS, *_PRICES, *_SALES, *_COVERS, *_CATEGORIES, *_BRANDS)
)
_HIDDEN = frozenset(
    [
        "nonaktif",
        "inactive",
        "tidak aktif",
        "draft",
        "draf",
        "arsip",
        "archived",
        "deleted",
        "diarsipkan",
    ]
)
_KNOWN = re.compile(
    r"(berat|weight|package|panjang|length|lebar|width|tinggi|height|ukuranpaket|jasa|kurir|dikirimdalam|preorder|"
    r"masapengemasan|waktuproses|minimum|minimal|min|etalase|storefront|kondisi|condition|asuransi|wajibasuransi|video|"
    r"urlvideo|errormessage|kodekategori|kategorikode|categorycode|namavariasi\d|variationname\d|tipevariasi|produkid|"
    r"kodeproduk|productid|variationid|idvariasi|dangerousgoods|produkberbahaya|warranty|garansi|gtin|barcode|pajak|tax|"
    r"panduanukuran|sizechart|highlights|specialprice|variationscombo|alasangagal|failreason)\w*\Z"
).match
#: The keys of fields, which are above the words in Shopee's own files.
_KEYS = {
    "pscategory": "kategori",
    "psproductname": "productname",
    "psitemname": "productname",
    "psproductdescription": "productdescription",
    "psitemdescription": "productdescription",
    "psskuparentshort": "parentsku",
    "ettitleparentsku": "parentsku",
    "ettitlevariationintegrationno": "variationintegrationno",
    "ettitleimagepervariation": "imagepervariation",
    "psprice": "price",
    "psstock": "stock",
    "psskushort": "sku",
    "ettitlevariationsku": "variationsku",
    "psitemcoverimage": "coverimage",
    "ettitlevariationname": "variationname",
    "ettitleproductname": "productname",
    "ettitlevariationprice": "price",
    "ettitlevariationstock": "stock",
    "ettitleproductid": "productid",
    "ettitlevariationid": "variationid",
}
_NUMBERED_KEYS = (
    (re.compile(r"ettitleoptionforvariation(\d+)"), r"optionforvariation\1"),
    (re.compile(r"ettitlevariation(\d+)"), r"variationname\1"),
    (re.compile(r"ps(?:item)?(?:image|img)(\d+)"), r"image\1"),
)
_TURNED = re.compile(r"variasi(\d+)(?:pilihan|nilai)|variation(\d+)(?:value|option)")
#: The number of rows below the header that may be explanations.
_EXPLAINED = 10


def _english(name: str) -> str:
    """Return the folded header in `_FIELDS` for one of Shopee's keys, or with the number in the
    middle.
    """
    if name in _KEYS:
        return _KEYS[name]
    for pattern, known in _NUMBERED_KEYS:
        if hit := pattern.fullmatch(name):
            return hit.expand(known)
    turned = _TURNED.fullmatch(name)
    return f"variationvalue{turned[1] or turned[2]}" if turned else name


class _Rows(Groups):
    names, values = _OPTION_NAMES + r"(\d+)", _OPTIONS + r"(\d+)"
    unnamed = "Varian"

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._loose = [name for name in _LOOSE_OPTIONS if name in layout.places]
        self._explained = 0
        self._places = layout.places_of(_PICTURES + r"(\d+)(?:url)?")

    def take(self, line: int, cells: list[str]) -> Iterable[Arranged]:
        """Leave out the rows that explain the header: words where all others have numbers."""
        if self._explained < _EXPLAINED:
            numbers = [
                self.layout.cell(cells, name)
                for name in (*_OPTION_PRICES, *_PRICES, *_OPTION_STOCKS, *_STOCKS)
            ]
            said = [cell for cell in numbers if cell]
            if said and not any(sign.isdigit() for cell in said for sign in cell) and len(said) > 1:
                self._explained += 1
                return [Arranged(line, cells, None)]
            self._explained = _EXPLAINED
        return super().take(line, cells)

    def key(self, cells: Cells) -> str:
        """Return the SKU of the product, or the number that variants of one product share, or the
        name.
        """
        return self.layout.cell(cells, *_PARENTS, *_NAMES)

    def is_variant(self, cells: Cells) -> bool:
        """Return true: every row is one."""
        return True

    def options(self, cells: Cells) -> list[str]:
        """Return the options in the order of their numbers."""
        return super().options(cells) or [
            cell for name in self._loose if (cell := self.layout.cell(cells, name))
        ]

    def chosen(self, group: Sequence[Cells], variants: Sequence[bool]) -> list[dict[str, str]]:
        """Return the options; those without a number are in columns of their own."""
        chosen = super().chosen(group, variants)
        if any(chosen) or not self._loose:
            return chosen
        called = unique(_LOOSE_NAMES.get(name, self.unnamed) for name in self._loose)
        return [
            {
                name: cell
                for name, column in zip(called, self._loose, strict=True)
                if (cell := self.layout.cell(cells, column))
            }
            for cells in group
        ]

    def picture(self, cells: Cells) -> str:
        """Return the image of the variant."""
        return self.layout.cell(cells, *_OPTION_PICTURES)

    def gallery(self, filled: Cells, group: Sequence[Cells]) -> list[str]:
        """Return the cover and the further images."""
        return [
            self.layout.cell(filled, *_COVERS),
            *(filled[place].strip() for place in self._places if place < len(filled)),
        ]

    def shared(self, place: int) -> bool:
        """Return whether it is a column of the product; its images and prices count if a variant
        has none.
        """
        return self.layout.names[place] in _SHARED or place in self._places

    def read(self, cells: Cells, group: Sequence[Cells]) -> Values:
        """Read a row: the variant's own price, stock, SKU and image come first."""
        cell = self.layout.cell
        pictures = [self.picture(cells), *self.gallery(cells, ())]
        regular = cell(cells, *_OPTION_PRICES, *_PRICES)
        price = sale(
            self.notes,
            regular,
            cell(cells, *_SALES),
            cell(cells, "specialpricestart", "specialpricestarttime", "specialfromdate"),
            cell(cells, "specialpriceend", "specialpriceendtime", "specialtodate"),
        )
        return plain(
            {
                "name": cell(cells, *_NAMES),
                "description": cell(cells, *_DESCRIPTIONS),
                "price": price,
                "stock": cell(cells, *_OPTION_STOCKS, *_STOCKS),
                "sku": cell(cells, *_SKUS) or cell(cells, *_PARENTS),
                "source_url": cell(cells, *_LINKS),
                "category": _category(cell(cells, *_CATEGORIES)),
                "brand": _brand(cell(cells, *_BRANDS)),
                "image_url": links(self.notes, self.layout, pictures),
                "hidden": self._hidden(cells),
                "weight_grams": self._weight(cells),
                "price_before": struck(price, regular),
            }
        )

    def _weight(self, cells: Cells) -> str:
        for name, unit in _WEIGHTS.items():
            if name in self.layout.places and (cell := self.layout.cell(cells, name)):
                return grams(cell, unit)
        return ""

    def _hidden(self, cells: Cells) -> str:
        status = self.layout.cell(cells, "status", "statusproduk").lower()
        return ("yes" if status in _HIDDEN else "no") if status else ""


def _category(cell: str) -> str:
    """Return the names of a category; some files have its number in that marketplace before them,
    or alone.
    """
    return re.sub(r"[0-9]+\s*(?:-\s*|\Z)", "", cell) if cell[:1].isdigit() else cell


def _brand(cell: str) -> str:
    return (
        ""
        if cell.lower().replace(" ", "") in ("nobrand", "tidakadamerek", "oem", "tanpamerek", "-")
        else cell
    )


_FIELDS = fields(
    name=" ".join(_NAMES),
    price=" ".join((*_OPTION_PRICES, *_PRICES, *_SALES)),
    sku=" ".join((*_SKUS, *_PARENTS)),
    stock=" ".join((*_OPTION_STOCKS, *_STOCKS)),
    source_url=" ".join(_LINKS),
    category=" ".join(_CATEGORIES),
    brand=" ".join(_BRANDS),
    description=" ".join(_DESCRIPTIONS),
    image_url=" ".join((*_COVERS, *_OPTION_PICTURES))
    + " fotoproduk# gambarproduk# gambar# foto# image# images# itemimage# productimage# "
    "productimages# urlgambar# "
    "linkgambar# imageurl# picture# productpicture#",
    hidden="status statusproduk",
    weight_grams=" ".join(_WEIGHTS),
    variant="pilihanuntukvariasi# optionforvariation# pilihanvariasi# opsivariasi# nilaivariasi# "
    "variationvalue# "
    "variationoption# nilaivarian# pilihanvarian# " + " ".join(_LOOSE_OPTIONS),
)


def _template(
    name: str, *signs: str, called: tuple[str, str] = ("Nama Produk", "Harga")
) -> Dialect:
    """Return a dialect that any of several sets of headers reveals, each with blanks between."""
    return Dialect(
        name,
        _FIELDS,
        tuple(frozenset(sign.split()) for sign in signs),
        _KNOWN,
        _Rows,
        english=_english,
        called=dict(zip(("name", "price"), called, strict=True)),
    )


SHOPEE = _template(
    "shopee",
    "namaproduk skuinduk",
    "namaproduk fotosampul",
    "namaproduk hargavariasi",
    "namaproduk pilihanuntukvariasi1",
    "productname parentsku",
    "productname coverimage",
    "productname optionforvariation1",
    "productname variationintegrationno",
)
TIKTOK = _template(
    "tiktok",
    "namaproduk gambarutama",
    "namaproduk skupenjual",
    "productname mainimage",
    "productname mainproductimage",
    "productname variationvalue1",
    "productname sellersku parcelweight",
)
LAZADA = _template(
    "lazada",
    "namaproduk sellersku",
    "productname sellersku",
    "name sellersku",
    "productname specialprice",
    "namaproduk specialprice",
    called=("Product Name", "Price"),
)
BUKALAPAK = _template(
    "bukalapak",
    "namabarang urlgambar1",
    "namabarang gambar1",
    "namabarang wajibasuransi",
    "namabarang kondisi berat",
    called=("Nama Barang", "Harga"),
)
BLIBLI = _template(
    "blibli",
    "namaproduk skuseller",
    "namaproduk hargapenjualan foto1",
    "productname skuseller",
)
TOKOPEDIA = _template(
    "tokopedia",
    "namaproduk gambar1",
    "namaproduk gambarproduk1",
    "namaproduk skuname",
    "namaproduk kategorikode",
    "namaproduk minimumpemesanan",
    "namaproduk etalase",
    "productname image1",
    "productname productpicture1",
    "productname skuname",
    "productname minimumorder",
)
TEMPLATES = (SHOPEE, TIKTOK, LAZADA, BUKALAPAK, BLIBLI, TOKOPEDIA)
