"""WooCommerce's names of the columns of its export in other languages, since it writes them in the
shop's language.

The values below a header are the same in all of them: `variable`, `1`, `id:10`.
"""

import re

from marketplace.catalogue_csv.headers import folded

#: By the folded English header: the names of that column in WooCommerce's translations, old ones
#: too.
_NAMES = {
    "id": "Kimlik|Identifiant|Identificativo|Mã|รหัส",
    "type": "Tipe|Jenis|Typ|Tipo|Soort|Rodzaj|Tür|Тип|Loại|Tyyppi|Típus|Tip|Τύπος|類型|类型|種類|タイプ|유형|ประเภท|نوع",
    "sku": "Artikelnummer|Art.-Nr.|Artikel-Nr.|UGS|Stok kodu (SKU)|Stok "
           "kodu|Артикул|REF|Référence|Referencia|COD|"
    "Varenummer|Tuotetunnus|Cikkszám|Katalogové číslo|Mã sản phẩm|Kode Produk|货号|商品番号",
    "name": "Nama|Name|Naam|Nombre|Nom|Nome|Nazwa|İsim|Имя|Название|Ім'я|Tên|Namn|Navn|Nimi|Název|Název produktu|Név|"
    "Nume|Όνομα|名稱|名称|名前|商品名|이름|ชื่อ|الاسم|Produktname|Nombre del producto|Nome do produto",
    "published": "Diterbitkan|Dipublikasikan|Veröffentlicht|Publicado|Publié|Pubblicato|Gepubliceerd|Opublikowane|"
    "Opublikowany|Yayımlanmış|Yayınlandı|Опубликован|Опубліковано|Đã xuất bản|Đã "
    "đăng|Publicerad|Publiceret|Publisert|"
    "Julkaistu|Publikováno|Publikované|Közzétéve|Publicat|Δημοσιευμένο|已發佈|已发布|公開済み|공개됨|เผยแพร่แล้ว|Diterbitkan?",
    "visibilityincatalog": "Visibilitas di katalog|Visibilitas dalam katalog|Keterlihatan di "
                           "katalog|"
    "Sichtbarkeit im Katalog|Visibilidad en el catálogo|Visibilité dans le catalogue|Visibilità "
    "nel catalogo|"
    "Visibilidade no catálogo|Zichtbaarheid in catalogus|Widoczność w katalogu|Katalogda "
    "görünürlük|Видимость в каталоге|"
    "Видимість у каталозі|Khả năng hiển thị trong danh mục|Synlighet i katalog|Synlighed i katalog",
    "shortdescription": "Deskripsi singkat|Kurzbeschreibung|Descripción corta|Description "
                        "courte|Breve descrizione|"
    "Descrizione breve|Descrição curta|Breve descrição|Korte beschrijving|Korte "
    "omschrijving|Krótki opis|Kısa açıklama|"
    "Краткое описание|Короткое описание|Короткий опис|Mô tả ngắn|Kort beskrivning|Kort "
    "beskrivelse|Lyhyt kuvaus|"
    "Krátký popis|Rövid leírás|Descriere scurtă|簡短說明|简短描述|簡単な説明|짧은 설명",
    "description": "Deskripsi|Beschreibung|Descripción|Descrizione|Descrição|Beschrijving|Omschrijving|Opis|Açıklama|"
    "Описание|Опис|Mô "
    "tả|Beskrivning|Beskrivelse|Kuvaus|Popis|Leírás|Descriere|Περιγραφή|說明|描述|説明|설명",
    "datesalepricestarts": "Tanggal mulai harga obral|Tanggal harga obral dimulai|Tanggal mulai "
                           "obral|"
    "Datum, an dem Angebotspreis beginnt|Datum, an dem der Angebotspreis beginnt|Día en que "
    "empieza el precio rebajado|"
    "Date de début de promo|Date de début de la promo|Data di inizio del prezzo in offerta|Data "
    "di inizio del saldo|"
    "Data de preço promocional começa em|Data de início da promoção|Startdatum "
    "actieprijs|Początek promocji|"
    "Data rozpoczęcia promocji|İndirimli fiyatın başladığı tarih|Дата начала действия продажной "
    "цены|"
    "Дата начала действия цены распродажи|Ngày bắt đầu giá khuyến mãi",
    "datesalepriceends": "Tanggal akhir harga obral|Tanggal harga obral berakhir|Tanggal "
                         "berakhir obral|"
    "Datum, an dem Angebotspreis endet|Datum, an dem der Angebotspreis endet|Día en que termina "
    "el precio rebajado|"
    "Date de fin de promo|Date de fin de la promo|Data di fine del prezzo in offerta|Data di "
    "fine del saldo|"
    "Data de preço promocional termina em|Data de fim da promoção|Einddatum actieprijs|Koniec "
    "promocji|"
    "Data zakończenia promocji|İndirimli fiyatın bittiği tarih|Дата окончания действия продажной "
    "цены|"
    "Дата окончания действия цены распродажи|Ngày kết thúc giá khuyến mãi",
    "instock": "Tersedia?|Stok tersedia?|Ada stok?|Dalam stok?|Vorrätig?|Auf "
               "Lager?|¿Existencias?|¿En inventario?|"
    "¿Hay existencias?|En stock ?|En inventaire?|Disponibile?|In magazzino?|Em estoque?|Em "
    "stock?|Op voorraad?|"
    "W magazynie?|Na stanie?|Stokta?|В наличии?|Є в наявності?|Còn hàng?|I lager?|På "
    "lager?|Varastossa?|Skladem?|"
    "Készleten?|În stoc?|尚有庫存？|有货？|在庫あり？",
    "stock": "Stok|Lager|Lagerbestand|Bestand|Inventario|Inventaire|Magazzino|Scorte|Giacenza|Estoque|"
    "Voorraad|Stan magazynowy|Zapas|Magazyn|Запасы|Запас|Остаток|Tồn kho|Kho "
    "hàng|Lagersaldo|Lagerstatus|Varasto|Sklad|"
    "Készlet|Raktárkészlet|Stoc|Απόθεμα|庫存|库存|在庫|재고",
    "saleprice": "Harga obral|Harga promo|Harga diskon|Harga penjualan|Angebotspreis|Precio "
                 "rebajado|Precio de oferta|"
    "Tarif promo|Prix promo|Prezzo in offerta|Prezzo in saldo|Preço "
    "promocional|Actieprijs|Aanbiedingsprijs|"
    "Cena promocyjna|İndirimli satış fiyatı|İndirimli fiyat|Цена распродажи|Акционная цена|Ціна "
    "розпродажу|"
    "Giá khuyến mãi|Giá khuyến "
    "mại|Reapris|Kampanjpris|Tilbudspris|Salgspris|Alennushinta|Zlevněná cena|Akciós ár|"
    "Preț promoțional|Τιμή προσφοράς|優惠價|促销价格|セール価格|할인 가격",
    "regularprice": "Harga reguler|Harga normal|Harga biasa|Regulärer Preis|Normalpreis|Precio "
                    "normal|Precio regular|"
    "Tarif régulier|Prix régulier|Tarif normal|Prezzo di listino|Prezzo regolare|Prezzo "
    "normale|Preço|Preço normal|"
    "Preço regular|Reguliere prijs|Normale prijs|Cena regularna|Cena katalogowa|Cena|Normal "
    "fiyat|Базовая цена|"
    "Обычная цена|Звичайна ціна|Giá thông thường|Giá bán thường|Giá gốc|Ordinarie "
    "pris|Normalpris|Vanlig pris|"
    "Normaalihinta|Běžná cena|Normál ár|Preț obișnuit|Preț normal|Κανονική τιμή|原價|常规价格|通常価格|정상 가격",
    "categories": "Kategori|Kategori-kategori|Kategorien|Categorías|Catégories|Categorie|Categorias|Categorieën|Kategorie|"
    "Kategoriler|Категории|Категорії|Danh "
    "mục|Kategorier|Kategoriat|Osastot|Kategória|Kategóriák|Categorii|Κατηγορίες|"
    "分類|分类|カテゴリー|카테고리",
    "images": "Gambar|Gambar-gambar|Imej|Bilder|Imágenes|Immagini|Immagine|Imagens|Afbeeldingen|Obrazki|Obrazy|Görseller|"
    "Resimler|Изображения|Зображення|Hình "
    "ảnh|Bilder|Billeder|Kuvat|Obrázky|Képek|Imagini|Εικόνες|圖片|图片|画像|이미지",
    "parent": "Induk|Übergeordnetes Produkt|Elternprodukt|Superior|Principal|Padre|Producto "
              "padre|Genitore|Ascendente|"
    "Pai|Produto ascendente|Hoofd|Hoofdproduct|Bovenliggend|Nadrzędny|Produkt "
    "nadrzędny|Rodzic|Ebeveyn|Родительский|"
    "Батьківський|Cha|Sản phẩm "
    "cha|Förälder|Överordnad|Forælder|Overordnet|Vanhempi|Nadřazený|Szülő|Părinte|Γονικό|"
    "上層|父级|親|상위",
    "brands": "Merek|Merk|Marken|Marke|Marcas|Marca|Marques|Marque|Marchi|Marchio|Merken|Marki|Marka|Markalar|Бренды|"
    "Бренд|Бренди|Thương hiệu|Varumärken|Mærker|Merker|Brändit|Značky|Márkák|Mărci|品牌|ブランド|브랜드",
}  # fmt: skip
_ENGLISH = {folded(name): english for english, names in _NAMES.items() for name in names.split("|")}
#: `Attribut 1 Name`, `Valor(es) del atributo 1`, `Nitelik 1 değer(ler)i`: the starts of the words.
_ATTRIBUTE = re.compile(
    r"at+rib|atryb|eigenschap|nitelik|ozellik|ат+рибут|thuoctinh|egenska[pb]|ominaisu|vlastnost|属性|屬性"
)
_VALUE = re.compile(
    r"valu|valor|valeur|valore|wert|waard|wartosc|deger|значени|nilai|giatri|varde|værdi|verdi|arvo|hodnot|値|值"
)
_NAME = re.compile(r"nam|nom|naz|ism|имя|название|назва|ten|navn|nimi|név|naam|名")
_NUMBER = re.compile(r"[0-9]+")


def english(name: str) -> str:
    """Return the folded English header for a folded one of any language; unknown ones unchanged."""
    known = _ENGLISH.get(name)
    if known is not None:
        return known
    number = _NUMBER.search(name)
    if number is None or not _ATTRIBUTE.search(name):
        return name
    rest = _ATTRIBUTE.sub("", name)
    if _VALUE.search(rest):
        return f"attribute{number[0]}values"
    return f"attribute{number[0]}name" if _NAME.search(rest) else name
