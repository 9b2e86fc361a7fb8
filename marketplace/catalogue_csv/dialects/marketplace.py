"""Our own dialect, with the names that people give such columns, and the Indonesian headers of the
first system.
"""

from marketplace.catalogue_csv.dialects.shape import Dialect, fields
from marketplace.catalogue_csv.headers import HEADER, REPORT_HEADER, SHORT_REPORT_HEADER, folded

#: Folded headers of the export: a file that has no others is ours.
OURS = {folded(name): name for name in HEADER} | {"imageurls": "image_url"}
REPORTS = [{folded(name) for name in names} for names in (REPORT_HEADER, SHORT_REPORT_HEADER)]
_ENGLISH = fields(
    name="title productname producttitle itemname itemtitle item product productlabel menuitem",
    price="unitprice sellingprice retailprice regularprice listprice productprice itemprice pricerp priceidr "
    "saleprice standardprice baseprice priceperunit startprice mrp rrp",
    description="productdescription longdescription shortdescription details productdetails itemdescription",
    stock="qty quantity stockquantity stockqty qtystock availablestock stockavailable quantityavailable "
    "availablequantity stockonhand onhand qtyonhand currentstock stocklevel inventory inventoryquantity instock "
    "availability stockstatus",
    sku="productcode itemcode skucode productsku itemsku sellersku stockcode itemnumber partnumber reference "
    "customlabel productreference",
    image_url="image images imagelink imagelinks imageurl# image# additionalimagelink picture picture# pictures "
    "pictureurl pictureurl# picurl photo photo# photos photourl mainimage mainimageurl otherimageurl# imagesrc "
    "thumbnail",
    source_url="url link producturl productlink permalink",
    category="categories productcategory categoryname producttype itemcategory",
    brand="manufacturer vendor brandname productbrand",
)
_EVERYDAY = fields(
    name="namabarang nama namaitem namaproduct namabrg nmbarang nmbrg judul judulproduk judulbarang produk barang "
    "namamenu namajasa namabarangjasa namadagangan",
    price="hargasatuan hargajual hargajualsatuan hargajualunit hargajualpcs hargaeceran hargaecer hargaretail "
    "hargaproduk hargabarang hargaunit hargapcs hargaperpcs hargaperunit hargaumum hargakonsumen hargapelanggan "
    "harganormal hargareguler hargarp hargaidr hargarupiah hargajualrp hargasatuanrp hargapenjualan hargatoko "
    "hrg hrgjual hrgsatuan hargajualeceran",
    description="deskripsiproduk deskripsibarang deskripsisingkat keterangan keteranganproduk keteranganbarang "
    "detailproduk detailbarang spesifikasi penjelasan",
    stock="stokbarang stokproduk stoktersedia stokakhir stokawal stoksaatini sisastok jumlahstok jmlstok jumlah jml "
    "kuantitas qtystok qtytersedia persediaan sisa statusstok ketersediaan",
    sku="kode kodebarang kodeproduk kodesku kodeitem kodebrg kdbarang kdbrg skuproduk skubarang skuinduk skupenjual "
    "nosku nomorsku kodeartikel plu",
    image_url="gambar gambar# gambarproduk gambarproduk# gambarbarang gambarutama urlgambar urlgambar# foto foto# "
    "fotoproduk fotoproduk# fotobarang fotoutama linkfoto linkfoto# urlfoto urlfoto#",
    source_url="linkbarang urlproduk urlbarang tautan tautanproduk",
    category="kategoriproduk kategoribarang namakategori jenisbarang jenisproduk kelompokbarang",
    brand="merek merk merekproduk merkproduk merekbarang merkbarang namamerek namamerk",
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
