"""Our own dialect, with the names that people give such columns, and the Indonesian headers of the
first system.
"""

from marketplace.catalogue_csv.dialects.shape import Dialect, fields
from marketplace.catalogue_csv.headers import HEADER, REPORT_HEADER, SHORT_REPORT_HEADER, folded

#: Folded headers of the export: a file that has no others is ours.
OURS = {folded(name): name for name in HEADER} | {"imageurls": "image_url"}
REPORTS = [{folded(name) for name in names} for names in (REPORT_HEADER, SHORT_REPORT_HEADER)]
_OTHERS = fields(
    name="title productname producttitle namabarang",
    description="productdescription",
    stock="qty quantity stockquantity",
    image_url="image images imagelink imagelinks imageurl1 imageurl2 imageurl3 pictures pictureurl",
    source_url="url link producturl productlink",
    category="categories productcategory",
    brand="manufacturer vendor",
)
_INDONESIAN = fields(
    name="namaproduk",
    price="harga",
    source_url="linkproduk",
    image_url="linkgambar",
    brand="namatoko",
    category="kategori",
    description="deskripsi",
    stock="stok",
)
_KNOWN = {
    folded(name)
    for name in (
        "Lokasi",
        "Rating",
        "Review",
        "Jumlah Review",
        "Ulasan",
        "Terjual",
        "Jumlah Terjual",
    )
}.union(*REPORTS)
_FIELDS = _OTHERS | _INDONESIAN | OURS

MARKETPLACE = Dialect("marketplace", _FIELDS, (), _KNOWN.__contains__, weak=frozenset(_OTHERS))
INDONESIAN = Dialect(
    "indonesian",
    _FIELDS,
    (frozenset({"namaproduk"}), frozenset({"harga"})),
    _KNOWN.__contains__,
    weak=frozenset(_OTHERS),
)
