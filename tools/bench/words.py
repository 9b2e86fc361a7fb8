"""The vocabulary of the generated shop: real words of shops in Indonesian and English, and made
ones behind them.

Which words there are depends on nothing but this file, so that the same seed gives the same shop.
"""

import random
from collections.abc import Iterable
from itertools import accumulate

SIZE = 6000  # words in all

TOPS = (
    "Elektronik", "Komputer & Laptop", "Fashion Pria", "Fashion Wanita", "Rumah & Dapur", "Kecantikan",
    "Olahraga", "Ibu & Bayi", "Otomotif", "Makanan & Minuman", "Buku & Alat Tulis", "Hobi & Koleksi",
)  # fmt: skip

THINGS = (
    "Sepatu Lari", "Kaos Polos", "Kemeja Batik", "Celana Jeans", "Tas Ransel", "Jam Tangan", "Laptop Gaming",
    "Smartphone", "Kabel Charger", "Power Bank", "Headphone Bluetooth", "Earphone", "Keyboard "
                                                                                    "Mechanical",
    "Mouse Wireless", "Monitor LED", "Graphics Card", "SSD NVMe", "Flashdisk", "Kamera Mirrorless", "Tripod",
    "Blender", "Rice Cooker", "Wajan Anti Lengket", "Panci Presto", "Pisau Dapur", "Gelas Kopi", "Termos",
    "Botol Minum", "Sprei Katun", "Bantal Leher", "Lampu Meja", "Kipas Angin", "Setrika Uap", "Vacuum Cleaner",
    "Lipstik Matte", "Serum Wajah", "Sunscreen", "Sabun Mandi", "Sampo Herbal", "Parfum", "Masker Rambut",
    "Raket Badminton", "Bola Futsal", "Matras Yoga", "Sepeda Lipat", "Helm Full Face", "Oli Mesin", "Ban Motor",
    "Kopi Arabika", "Teh Melati", "Keripik Singkong", "Sambal Bawang", "Madu Hutan", "Cokelat", "Biskuit Gandum",
    "Popok Bayi", "Botol Susu", "Stroller", "Mainan Kayu", "Puzzle Anak", "Novel Fiksi", "Buku Resep", "Pulpen Gel",
    "Kertas Gambar", "Cat Air", "Gitar Akustik", "Action Figure", "Drone Mini", "Jaket Hoodie", "Gamis Syari",
    "Hijab Segi Empat", "Rok Plisket", "Sandal Gunung", "Kacamata", "Dompet Kulit", "Ikat Pinggang", "Kaos Kaki",
    "Speaker Portable", "Smart TV", "Kulkas Mini", "Mesin Cuci", "Dispenser Air", "Tempat Sampah", "Rak Sepatu",
)  # fmt: skip

COMMON = (
    "original", "murah", "baru", "premium", "garansi", "resmi", "terbaru", "dengan", "untuk", "dan", "pria", "wanita",
    "anak", "dewasa", "bahan", "katun", "kulit", "kayu", "baja", "plastik", "ringan", "kuat", "tahan", "air", "panas",
    "portable", "wireless", "digital", "mini", "besar", "kecil", "set", "isi", "paket", "bonus", "promo", "kualitas",
    "terbaik", "nyaman", "lembut", "harian", "kerja", "sekolah", "rumah", "dapur", "kantor", "travel", "outdoor",
    "classic", "modern", "vintage", "sport", "casual", "elegant", "soft", "super", "ultra", "smart", "fast", "charging",
    "the", "and", "with", "for", "quality", "steel", "cotton", "leather", "water", "proof", "light", "power", "battery",
    "warna", "ukuran", "lengkap", "hemat", "awet", "cepat", "mudah", "aman", "halus", "tebal", "tipis", "panjang",
)  # fmt: skip

COLOURS = (
    "Hitam", "Putih", "Merah", "Biru", "Hijau", "Kuning", "Abu-abu", "Coklat", "Navy", "Pink", "Ungu", "Krem",
    "Black", "White", "Silver", "Gold", "Maroon", "Tosca",
)  # fmt: skip

MEASURES = (
    "256GB", "128GB", "512GB", "1TB", "16GB", "64GB", '13.3"', '15.6"', '27"', "500ml", "250 ml", "1 L", "250 g", "1kg",
    "XL", "L", "M", "S", "XXL", "42", "39", "10000mAh", "20W", "65W", "3 in 1", "12 pcs", "2 m", "100x200",
)  # fmt: skip

MODELS = (
    "RTX", "GTX", "RX", "SM", "MX", "XPS", "IQ", "LQ", "DX", "TL", "WH", "XM", "K", "G", "ZX", "HD", "VX", "A", "PRO",
    "NB", "QC", "EV", "TX", "UX", "RZ", "CB", "FX", "KX", "BT", "JBX",
)  # fmt: skip

_STARTS = (
    "b",
    "c",
    "d",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "w",
    "y",
    "st",
    "tr",
    "kr",
    "pl",
    "ng",
)
_VOWELS = ("a", "i", "u", "e", "o", "ai", "au")
_ENDS = ("", "", "", "n", "ng", "r", "s", "t", "k", "m", "l", "h")


def made(rng: random.Random, syllables: int) -> str:
    """Return a word nobody has used, of so many syllables."""
    return "".join(
        rng.choice(_STARTS) + rng.choice(_VOWELS) + rng.choice(_ENDS) for _ in range(syllables)
    )


def distinct(
    rng: random.Random, count: int, syllables: tuple[int, int], taken: set[str]
) -> list[str]:
    """Return so many made-up words that are not in `taken`, and add them to it."""
    found: list[str] = []
    while len(found) < count:
        word = made(rng, rng.randint(*syllables))
        if word not in taken:
            taken.add(word)
            found.append(word)
    return found


def vocabulary() -> list[str]:
    """Return all words of descriptions and names, the most frequent first."""
    chance = random.Random("vocabulary")  # noqa: S311 - words, not secrets
    return [*COMMON, *distinct(chance, SIZE - len(COMMON), (2, 3), set(COMMON))]


def zipf(count: int, exponent: float = 1.0, shift: int = 0) -> list[float]:
    """Return cumulative weights of `count` ranks, for random.choices; `shift` makes the first of
    them less frequent.
    """
    return cumulated(1 / (rank + shift) ** exponent for rank in range(1, count + 1))


def cumulated(weights: Iterable[float]) -> list[float]:
    """Return weights in the form that random.choices takes best."""
    return list(accumulate(weights))
