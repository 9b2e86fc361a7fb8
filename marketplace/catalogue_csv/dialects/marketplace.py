"""Our own dialect, with the names people give such columns, and the Indonesian headers of the
first system.
"""

from marketplace.catalogue_csv.dialects.shape import Dialect, fields
from marketplace.catalogue_csv.headers import HEADER, REPORT_HEADER, SHORT_REPORT_HEADER, folded

#: Folded headers of the export: a file that has no others is ours.
OURS = {folded(name): name for name in HEADER} | {"imageurls": "image_url"}
REPORTS = [{folded(name) for name in names} for names in (REPORT_HEADER, SHORT_REPORT_HEADER)]
_ENGLISH = fields(
    name="title productname producttitle itemname itemtitle item product",
    price="unitprice sellingprice retailprice regularprice listprice productprice itemprice "
    "pricerp priceidr saleprice",
    description="productdescription longdescription shortdescription details productdetails",
    stock="qty quantity stockquantity stockqty availablestock stockavailable quantityavailable "
    "stockonhand onhand "
    "inventory inventoryquantity instock availability stockstatus",
    sku="productcode itemcode skucode productsku itemsku sellersku stockcode itemnumber partnumber",
    image_url="image images imagelink imagelinks imageurl# image# picture picture# pictures "
    "pictureurl pictureurl# "
    "photo photo# photos photourl mainimage imagesrc thumbnail",
    source_url="url link producturl productlink permalink",
    category="categories productcategory categoryname producttype",
    brand="manufacturer vendor brandname",
)
_EVERYDAY = fields(
    name="namabarang nama namaitem namaproduct namabrg judul judulproduk produk barang",
    price="hargasatuan hargajual hargajualsatuan hargaeceran hargaecer hargaretail hargaproduk "
    "hargabarang hargaunit "
    "hargapcs hargaperpcs hargaumum hargakonsumen harganormal hargareguler hargarp hargaidr "
    "hargarupiah hargajualrp",
    description="deskripsiproduk deskripsibarang keterangan keteranganproduk keteranganbarang "
    "detailproduk spesifikasi",
    stock="stokbarang stokproduk stoktersedia stokakhir sisastok jumlahstok jumlah kuantitas "
    "statusstok ketersediaan",
    sku="kode kodebarang kodeproduk kodesku kodeitem kodebrg skuproduk skubarang skuinduk "
    "skupenjual nosku nomorsku",
    image_url="gambar gambar# gambarproduk gambarproduk# gambarutama urlgambar urlgambar# foto "
    "foto# fotoproduk "
    "fotoproduk# fotoutama linkfoto urlfoto urlfoto#",
    source_url="linkbarang urlproduk urlbarang tautan",
    category="kategoriproduk kategoribarang namakategori jenisbarang jenisproduk kelompokbarang",
    brand="merek merk merekproduk merkproduk namamerek namamerk",
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
_FIELDS = _ENGLISH | _EVERYDAY | _INDONESIAN | OURS
_WEAK = frozenset(_ENGLISH | _EVERYDAY) - OURS.keys()

MARKETPLACE = Dialect("marketplace", _FIELDS, (), _KNOWN.__contains__, weak=_WEAK)
INDONESIAN = Dialect(
    "indonesian",
    _FIELDS,
    tuple(frozenset({name}) for name in _INDONESIAN | _EVERYDAY),
    _KNOWN.__contains__,
    weak=_WEAK,
    called={"name": "Nama Produk", "price": "Harga"},
)
