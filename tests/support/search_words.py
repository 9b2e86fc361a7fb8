"""What people type, and what it has to find: forms of Indonesian words, decimals, misspellings."""

import random
import string

#: What is typed, and the name of the product that it finds: endings, prefixes, doubled words.
FORMS = (
    ("tasnya", "Tas Ransel"),
    ("bukunya", "Buku Tulis"),
    ("sepatunya", "Sepatu Kulit"),
    ("kopinya", "Kopi Gayo"),
    ("jamnya", "Jam Dinding"),
    ("rokku", "Rok Plisket"),
    ("bajumu", "Baju Koko"),
    ("tasku", "Tas Ransel"),
    ("topilah", "Topi Rimba"),
    ("buku2", "Buku Tulis"),
    ("sepatu2", "Sepatu Kulit"),
    ("baju2nya", "Baju Koko"),
    ("sayur2an", "Sayur Segar"),
    ("buku-buku", "Buku Tulis"),
    ("anak-anak", "Kursi Anak"),
    ("mainan-mainan", "Mainan Kayu"),
    ("bukuan", "Buku Tulis"),
    ("main", "Mainan Kayu"),
    ("lari", "Sepatu Berlari"),
    ("jahit", "Mesin Penjahit"),
    ("tulis", "Alat Menulis"),
    ("minum", "Minuman Dingin"),
    ("minuman", "Botol Minum"),
    ("makanan", "Meja Makan"),
    ("masak", "Panci Memasak"),
    ("pembersih", "Sikat Bersih"),
    ("bersihkan", "Sikat Bersih"),
    ("potongan", "Alat Potong"),
    ("dipakai", "Siap Pakai"),
    ("ayunan", "Kursi Ayun"),
    ("ransel", "Tas Ranselnya"),
    ("pelari", "Celana Lari"),
)
#: Names with decimals and units, each word of which finds its product.
UNITS = (
    "Kabel Jack 3.5mm", "Botol 1.5L", "Beras 2.5kg", "Router 2.4GHz", "Baterai 3.7V", "Wi-Fi 802.11ac",
    "Powerbank 10.000mAh", "Speaker 2.1ch", "Pompa 0.5HP", "Flashdisk 3.2gen2", "Hardisk 2.5inch", "Layar 15.6in",
    "Kabel 1.8m", "Mur 4.0mm", "Minyak 0.9L", "Lensa 1.8G", "Prosesor 3.2GHz", "Kawat 0.7mm", "Susu 1.2kg", "Pipa 0.75inch",
)  # fmt: skip


def misspell(rng: random.Random, word: str, kind: str) -> str:
    """Return a word with one letter missing, added, exchanged with the next, or replaced."""
    place = rng.randrange(len(word) - (kind == "exchanged"))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    if kind == "missing":
        return before + after
    if kind == "added":
        return before + rng.choice(string.ascii_lowercase) + letter + after
    if kind == "replaced":
        return before + rng.choice(string.ascii_lowercase.replace(letter, "")) + after
    return before + after[0] + letter + after[1:]
