"""Pictures: what is accepted looks right and carries nothing else; what is refused is refused
cheaply.
"""

import base64
import os
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from support.heic_files import TURNED as TURNED_HEIC

from marketplace.files import decoder_process, images
from marketplace.files.decoders import TURNS
from marketplace.files.images import Picture, PictureRefused, PicturesBusy
from marketplace.files.local import LocalStorage
from marketplace.files.storage import picture_key
from marketplace.workflows.images import save

# How a test run treats warnings is not how a server does: broken metadata is expected here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

REPOSITORY = Path(__file__).resolve().parents[2]
CORPUS = REPOSITORY.parent / "shared" / "data" / "images"
RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 190, 30), (30, 30, 220), (230, 220, 40)
SECRET = b"GPS-6.2,106.8"
REFUSED = {
    "bad-image.jpg": "picture_type_not_supported",
    "pil_broken.png": "picture_damaged",
    "pil_decompression_bomb.gif": "picture_too_many_pixels",
    "pil_hopper.bmp": "picture_type_not_supported",
    "pil_hopper.ico": "picture_type_not_supported",
    "pil_hopper.psd": "picture_type_not_supported",
    "pil_hopper.tif": "picture_type_not_supported",
    "pil_test-card-lossless.jp2": "picture_type_not_supported",
    "pil_truncated_image.png": "picture_damaged",
}
#: What these lack of the mark of their end; all else of them is there.
WITHOUT_END = {"pil_truncated_jpeg.jpg": b"\xd9"}


def make(source, max_bytes=15 << 20, max_pixels=50_000_000, wait=60.0, places=None) -> Picture:
    return images.make(source, max_bytes=max_bytes, max_pixels=max_pixels, wait=wait, places=places)


def saved(image, kind="PNG", **options) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def refusal(data, **limits) -> str:
    with pytest.raises(PictureRefused) as caught:
        make(data, **limits)
    assert caught.value.message.endswith(".")
    return caught.value.code


def shown(picture, name="large") -> Image.Image:
    variant = next(variant for variant in picture.variants if variant.name == name)
    image = Image.open(BytesIO(variant.data), formats=["WEBP"])
    image.load()
    assert image.size == (variant.width, variant.height)
    return image


def near(colour, wanted, within=14) -> bool:
    return all(abs(a - b) <= within for a, b in zip(colour, wanted, strict=True))


def quarters(width=96, height=64) -> Image.Image:
    """Red and green above, blue and yellow below."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image


def seen_as(image, *colours, at=(0.25, 0.75), within=14) -> bool:
    """Whether these colours are seen above left, above right, below left and below right."""
    points = [(int(image.width * x), int(image.height * y)) for y in at for x in at]
    return all(
        near(image.getpixel(point)[:3], colour, within)
        for point, colour in zip(points, colours, strict=True)
    )


def stored_turned(image, orientation) -> Image.Image:
    back = {6: 8, 8: 6}.get(orientation, orientation)
    return image.transpose(TURNS[back]) if orientation > 1 else image


def exif(orientation) -> Image.Exif:
    values = Image.Exif()
    values[0x0112] = orientation
    values[0x010E] = SECRET.decode()
    values.get_ifd(0x8825)[1] = "S"
    values.get_ifd(0x8825)[2] = (6.0, 12.0, 0.0)
    return values


def chunk(kind, data) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows=b"", before=b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = (
        chunk(b"IHDR", header)
        + before
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


def profile_with_red_and_green_swapped() -> bytes:
    def xyz(*values):
        return b"XYZ \0\0\0\0" + b"".join(
            struct.pack(">i", round(value * 65536)) for value in values
        )

    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(2.2 * 256))
    tags = {
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"gXYZ": xyz(0.4360, 0.2225, 0.0139),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4sI4s4s4s", at + len(body), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ "
    )
    header = header.ljust(36, b"\0") + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def riff_chunks(data) -> list[bytes]:
    """The names of a WebP's chunks; fails where bytes stand outside of them."""
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WEBP"
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    names, at = [], 12
    while at < len(data):
        names.append(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if names[-1] == b"VP8X":
            assert data[at + 8] & 0b00101110 == 0, "announces ICC, EXIF, XMP or animation"
        at += 8 + size + size % 2
    assert at == len(data)
    return names


def assert_clean(picture) -> None:
    for variant in picture.variants:
        assert set(riff_chunks(variant.data)) <= {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
        assert SECRET not in variant.data


# Sizes, names, limits


def test_a_large_picture_comes_in_three_sizes_by_its_longest_side():
    picture = make(saved(quarters(3000, 2000), "JPEG"))
    sizes = [(variant.name, variant.width, variant.height) for variant in picture.variants]
    assert sizes == [("large", 1280, 853), ("small", 640, 427), ("thumb", 240, 160)]
    assert (picture.width, picture.height) == (3000, 2000)
    for name, _, _ in sizes:
        assert seen_as(shown(picture, name), RED, GREEN, BLUE, YELLOW)


def test_nothing_is_enlarged_and_equal_sizes_are_encoded_once():
    picture = make(saved(quarters(300, 200)))
    assert [(variant.width, variant.height) for variant in picture.variants] == [
        (300, 200),
        (300, 200),
        (240, 160),
    ]
    assert picture.variants[0].data is picture.variants[1].data


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (4000, 3)])
def test_odd_shapes_keep_at_least_one_pixel(size):
    picture = make(saved(Image.new("RGB", size, RED)))
    assert all(near(shown(picture, v.name).getpixel((0, 0)), RED) for v in picture.variants)


def test_the_same_pixels_are_one_picture_whatever_stands_beside_them():
    image = quarters()
    plain = make(saved(image))
    assert plain == make(saved(image, compress_level=1, exif=exif(1)))
    assert plain.digest != make(saved(image.rotate(180))).digest


def test_the_placeholder_is_a_thumbhash_also_for_transparent_pictures():
    opaque = base64.b64decode(make(saved(quarters())).placeholder)
    clear = base64.b64decode(make(saved(Image.new("RGBA", (90, 60), (0, 0, 0, 0)))).placeholder)
    assert 10 <= len(opaque) <= 25
    assert clear[0] & 63 == 63, "what can be seen through is white"


def test_a_file_is_read_as_well_as_bytes():
    data = saved(quarters())
    with tempfile.SpooledTemporaryFile(max_size=100) as file:
        file.write(data)
        assert make(file) == make(data)


def test_limits_are_named_in_the_refusal():
    data = saved(quarters())
    assert refusal(b"") == "picture_empty"
    assert refusal(data, max_bytes=len(data) - 1) == "picture_too_large"
    assert refusal(data, max_pixels=96 * 64 - 1) == "picture_too_many_pixels"
    assert make(data, max_bytes=len(data), max_pixels=96 * 64)


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM", "TGA", "JPEG2000", "PDF"])
def test_other_formats_are_not_opened(kind):
    assert refusal(saved(quarters(), kind)) == "picture_type_not_supported"


@pytest.mark.parametrize(
    "data",
    [
        b"\x89",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"PK\x03\x04",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
    ],
)
def test_what_is_no_picture_is_refused(data):
    assert refusal(data) == "picture_type_not_supported"


# Upright


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(kind, orientation):
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}, "AVIF": {"quality": 90}}.get(
        kind, {}
    )
    picture = make(
        saved(stored_turned(quarters(), orientation), kind, exif=exif(orientation), **options)
    )
    assert (picture.width, picture.height) == (96, 64)
    assert seen_as(shown(picture), RED, GREEN, BLUE, YELLOW)
    assert_clean(picture)


def test_a_heic_turned_by_its_container_is_not_turned_again():
    picture = make(TURNED_HEIC)
    assert seen_as(shown(picture), BLUE, RED, YELLOW, GREEN, at=(0.1, 0.9), within=20)
    assert_clean(picture)


def test_broken_exif_does_not_spoil_a_picture():
    data = saved(quarters(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    assert seen_as(shown(make(data)), RED, GREEN, BLUE, YELLOW)


# Colours


def test_profiles_are_converted_to_srgb():
    swapped = profile_with_red_and_green_swapped()
    for kind, options in (("JPEG", {"quality": 95}), ("PNG", {}), ("WEBP", {"lossless": True})):
        picture = make(saved(Image.new("RGB", (64, 64), RED), kind, icc_profile=swapped, **options))
        assert near(shown(picture).getpixel((9, 9)), (30, 220, 30), within=20), kind
        assert_clean(picture)


def test_a_profile_is_applied_beside_transparency():
    image = Image.new("RGBA", (64, 64), (*RED, 128))
    pixel = shown(make(saved(image, icc_profile=profile_with_red_and_green_swapped()))).getpixel(
        (9, 9)
    )
    assert near(pixel, (30, 220, 30, 128), within=20)


@pytest.mark.parametrize(
    "profile", [b"garbage", profile_with_red_and_green_swapped()[:200], b"\0" * 500]
)
def test_broken_profiles_are_ignored(profile):
    assert seen_as(shown(make(saved(quarters(), icc_profile=profile))), RED, GREEN, BLUE, YELLOW)


def test_a_profile_of_other_colours_is_ignored():
    grey = make(
        saved(
            Image.new("L", (64, 64), 90), "JPEG", icc_profile=profile_with_red_and_green_swapped()
        )
    )
    assert near(shown(grey).getpixel((9, 9)), (90, 90, 90))


def test_cmyk_is_shown_in_its_colours():
    data = saved(quarters().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    picture = make(data)
    assert seen_as(shown(picture), RED, GREEN, BLUE, YELLOW, within=20)


def test_sixteen_bits_are_scaled_not_clipped():
    rows = b"".join(b"\0" + struct.pack(">4H", 0, 0x4000, 0x8000, 0xFFFF) for _ in range(4))
    image = shown(make(png(4, 4, 16, 0, rows)))
    assert [image.getpixel((x, 1))[0] for x in range(4)] == pytest.approx([0, 64, 128, 255], abs=6)


@pytest.mark.parametrize(
    ("depth", "colour", "pixels", "key"),
    [
        (1, 0, b"\x80", b"\0\1"),
        (2, 0, b"\xc0", b"\0\3"),
        (4, 0, b"\xf0", b"\0\x0f"),
        (8, 0, b"\xff\0", b"\0\xff"),
        (16, 0, b"\xff\xff\0\0", b"\xff\xff"),
        (8, 2, b"\xff\xff\xff\0\0\0", b"\0\xff\0\xff\0\xff"),
        (16, 2, b"\x80\0\x80\0\x80\0\0\0\0\0\0\0", b"\x80\0\x80\0\x80\0"),
    ],
)
def test_the_transparent_colour_of_a_png_is_found_at_every_depth(depth, colour, pixels, key):
    image = shown(make(png(2, 1, depth, colour, b"\0" + pixels, chunk(b"tRNS", key))))
    assert image.mode == "RGBA"
    assert image.getchannel("A").tobytes() == b"\0\xff"


def test_transparency_is_kept_in_every_mode():
    alpha = Image.linear_gradient("L").resize((64, 64))
    grey = Image.merge("LA", (Image.new("L", (64, 64), 200), alpha))
    colour = Image.new("RGB", (64, 64), RED)
    colour.putalpha(alpha)
    for image, seen in ((grey, (200, 200, 200)), (colour, RED)):
        for kind in ("PNG", "WEBP"):
            out = shown(make(saved(image, kind, **({"lossless": True} if kind == "WEBP" else {}))))
            assert near(out.getpixel((32, 56)), (*seen, alpha.getpixel((32, 56))), within=16)
            assert out.getpixel((32, 1))[3] < 12
    palette = quarters().quantize(4)
    palette.info["transparency"] = palette.getpixel((0, 0))
    for kind in ("PNG", "GIF"):
        out = shown(make(saved(palette, kind)))
        assert out.getpixel((9, 9))[3] == 0
        assert near(out.getpixel((80, 50)), (*YELLOW, 255))


def test_the_edge_of_what_is_cut_out_takes_no_colour_from_what_cannot_be_seen():
    image = Image.new("RGBA", (6000, 600), (0, 255, 0, 0))
    image.paste((*RED, 255), (0, 0, 3007, 600))
    out = shown(make(saved(image)), "thumb")
    seen = [out.getpixel((x, 12)) for x in range(out.width)]
    assert all(green < 90 for _, green, _, alpha in seen if alpha > 40)


def test_a_large_palette_picture_is_shrunk_band_by_band_without_seams():
    image = quarters(5600, 3601).quantize(4)
    picture = make(saved(image))
    assert (picture.variants[0].width, picture.variants[0].height) == (1280, 823)
    assert difference(shown(picture), image.convert("RGB")) < 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_only_the_first_frame_of_an_animation_is_shown(kind):
    frames = [Image.new("RGB", (64, 48), colour) for colour in (RED, GREEN, BLUE)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    picture = make(data)
    assert near(shown(picture).getpixel((9, 9)), RED)
    assert_clean(picture)


# Nothing but pixels


def test_no_metadata_survives():
    comment = {"JPEG": {"comment": SECRET}, "GIF": {"comment": SECRET}}
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "GIF"):
        options = comment.get(kind, {})
        if kind != "GIF":
            options |= {"exif": exif(1), "icc_profile": profile_with_red_and_green_swapped()}
            options |= {} if kind == "PNG" else {"xmp": b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"}
        data = saved(quarters(900, 600), kind, **options)
        assert SECRET in data, kind
        assert_clean(make(data + SECRET))
    assert_clean(make(png(2, 1, 8, 0, b"\0\0\0", chunk(b"tEXt", b"Comment\0" + SECRET))))


def test_what_is_transparent_hides_no_picture():
    hidden = quarters().convert("RGBA")
    hidden.putalpha(0)
    assert shown(make(saved(hidden))).convert("RGB").getcolors() == [(96 * 64, (0, 0, 0))]


# Damage, bombs, busy


def test_every_cut_of_every_format_is_refused_or_whole():
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF"):
        data = saved(quarters(), kind)
        codes = {code_or_none(data[:at]) for at in range(1, len(data), max(1, len(data) // 40))}
        assert codes <= {"picture_damaged", "picture_type_not_supported", None}
        assert refusal(data[: len(data) // 2]) == "picture_damaged", kind


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_png_with_rows_missing_is_refused_and_a_whole_one_is_not(mode):
    image = Image.new(mode, (37, 29))
    out = BytesIO()
    image.save(out, "PNG")
    data = out.getvalue()
    make(data)
    taller = bytearray(data)
    taller[20:24] = (30).to_bytes(
        4, "big"
    )  # a row more than there are, and a checksum that says so
    taller[29:33] = zlib.crc32(taller[12:29]).to_bytes(4, "big")
    with pytest.raises(PictureRefused) as refused:
        make(bytes(taller))
    assert refused.value.code == "picture_damaged"


def test_flipped_bits_never_fail_otherwise_than_by_refusal():
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF"):
        data = saved(quarters(), kind)
        for at in range(0, len(data), max(1, len(data) // 60)):
            code_or_none(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])


def code_or_none(data) -> str | None:
    """The refusal's code, or None where the bytes made a clean picture."""
    try:
        assert_clean(make(data))
    except PictureRefused as refused:
        return refused.code
    return None


def bombs() -> dict[str, bytes]:
    blank = saved(Image.new("L", (16, 16)), "JPEG")
    at = blank.find(b"\xff\xc0")
    wide_jpeg = blank[: at + 5] + b"\xff\xff\xff\xff" + blank[at + 9 :]
    progressive = saved(Image.new("RGB", (2000, 2000), RED), "JPEG", progressive=True)
    scan = progressive[progressive.rfind(b"\xff\xda") : -2]
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 9400, 9400, 0) + b"\x02\x02\x44\x01\x00;"
    gif = (
        b"GIF89a"
        + struct.pack("<HHBBB", 9, 9, 0x80, 0, 0)
        + b"\0\0\0\xff\xff\xff!\xf9\4\x08\0\0\0\0"
    )
    canvas = b"\x12\0\0\0" + (16382).to_bytes(3, "little") * 2
    avif = saved(quarters(), "AVIF")
    at = avif.find(b"ispe") + 8
    heic = TURNED_HEIC.find(b"ispe") + 8
    return {
        "PNG": png(60_000, 60_000, 1, 0, b"\0" * 7501 * 2000),
        "PNG with room for 49 million": png(7000, 7001, 8, 2, b""),
        "JPEG": wide_jpeg,
        "JPEG painted a thousand times": progressive[:-2] + scan * 1000 + b"\xff\xd9",
        "GIF": gif + frame,
        "GIF of tiny parts": b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\0" * 2_000_000 + b",",
        "WebP": b"RIFF"
        + struct.pack("<I", 60)
        + b"WEBPVP8X"
        + struct.pack("<I", 10)
        + canvas
        + b"\0" * 30,
        "WebP lossless": b"RIFF\x1e\0\0\0WEBPVP8L\x0a\0\0\0\x2f\xfe\xff\xff\x0f" + b"\0" * 9,
        "AVIF": avif[:at] + struct.pack(">II", 16_000, 16_000) + avif[at + 8 :],
        "HEIC": TURNED_HEIC[:heic] + struct.pack(">II", 30_000, 30_000) + TURNED_HEIC[heic + 8 :],
        "PNG text": png(
            1, 1, 8, 0, b"\0\0", chunk(b"zTXt", b"c\0\0" + zlib.compress(b"A" * 60_000_000))
        ),
    }


def test_bombs_are_refused_for_what_they_are():
    codes = {name: refusal(data, max_pixels=49_000_000) for name, data in bombs().items()}
    assert codes.pop("JPEG painted a thousand times") == "picture_too_complex"
    assert codes.pop("GIF of tiny parts") == "picture_too_complex"
    assert codes.pop("PNG text") == "picture_damaged"
    assert set(codes.values()) == {"picture_too_many_pixels"}, codes


def measured(folder, **files) -> dict[str, tuple[float, float]]:
    """CPU seconds and additional peak megabytes of each file, in a process that does what a
    decoder's does.
    """
    program = textwrap.dedent("""
        import sys, time
        from io import BytesIO
        from pathlib import Path
        from marketplace.files.decoders import decode, load
        from marketplace.files.image_rules import SIZES, PictureRefused, kind_of
        from marketplace.files.image_sizes import sized
        def status(name):
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
        def make(data):
            try:
                kind = kind_of(BytesIO(data), 15 << 20)
                sized(decode(data, kind, 50_000_000, SIZES["large"]))
            except PictureRefused:
                pass
        first, *others = sys.argv[1:]
        make(Path(first).read_bytes())
        load("HEIF")
        for file in others:
            data = Path(file).read_bytes()
            Path("/proc/self/clear_refs").write_text("5")
            before, start = status("VmRSS"), time.process_time()
            make(data)
            print(time.process_time() - start, status("VmHWM") - before)
    """)
    paths = [folder / f"{number}" for number in range(len(files) + 1)]
    for path, data in zip(paths, [saved(quarters(), "JPEG"), *files.values()], strict=True):
        path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", program, *paths],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    return dict(zip(files, lines, strict=True))


linux = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="measures by Linux's /proc"
)


@linux
def test_bombs_cost_little(tmp_path):
    costs = measured(tmp_path, **bombs())
    assert max(megabytes for _, megabytes in costs.values()) < 50, costs
    assert max(seconds for seconds, _ in costs.values()) < 0.4, (
        costs
    )  # wide: tests share their cores


@linux
def test_a_phone_photo_is_cheap(tmp_path):
    colours = [Image.effect_noise((100 + i, 75), 90).resize((4000, 3000)) for i in range(3)]
    photo = saved(Image.merge("RGB", colours), "JPEG", quality=92, exif=exif(6))
    costs = measured(tmp_path, photo=photo)
    assert costs["photo"][1] < 60, costs
    assert costs["photo"][0] < 1.2, costs  # about 0.3 on an idle core


def test_one_that_waits_too_long_is_told_to_come_back():
    with images._turn_in_queue(1, None):
        with pytest.raises(PicturesBusy) as caught:
            make(saved(quarters()), wait=0.05)
        assert caught.value.retry_after > 0
        assert refusal(b"", wait=0.05) == "picture_empty", "what needs no decoding needs no queue"
    assert make(saved(quarters()), wait=0.05)


def test_no_more_wait_than_there_are_places_for():
    with images._turn_in_queue(1, None):
        with pytest.raises(PicturesBusy):
            make(saved(quarters()), places=1)
        with pytest.raises(PicturesBusy):
            make(saved(quarters()), places=2, wait=0.05)  # it had a place, and waited
    assert make(saved(quarters()), places=1)


def test_pictures_are_decoded_behind_everything_else():
    make(saved(quarters()))
    process = images._decoder._process
    assert process is not None
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(own + decoder_process.NICE, 19)


def test_many_threads_get_the_same_picture():
    data, made = saved(quarters(800, 600), "JPEG"), []
    threads = [threading.Thread(target=lambda: made.append(make(data))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1


def test_a_saved_picture_is_found_under_its_keys(tmp_path):
    storage, picture = LocalStorage(tmp_path, public=True), make(saved(quarters(700, 500)))
    save(storage, [picture])
    save(storage, [picture])
    assert len(list(storage.keys(""))) == 3
    for variant in picture.variants:
        with storage.open(picture_key(picture.digest, variant.name)) as file:
            assert file.read() == variant.data


# The corpus


def corpus() -> list[Path]:
    return sorted(path for path in CORPUS.rglob("*") if path.is_file()) if CORPUS.is_dir() else []


def difference(one, other) -> float:
    """Mean difference of two pictures seen small on grey, of 255."""
    grey, small = Image.new("RGBA", (24, 24), "grey"), []
    for image in (one, other):
        tiny = image.convert("RGBA").resize((24, 24), Image.Resampling.BOX)
        small.append(Image.alpha_composite(grey, tiny).convert("RGB").tobytes())
    return sum(abs(a - b) for a, b in zip(*small, strict=True)) / len(small[0])


def original(path) -> Image.Image:
    if path.suffix == ".heic":
        from pi_heif.as_plugin import HeifImageFile

        return HeifImageFile(BytesIO(path.read_bytes()))
    return ImageOps.exif_transpose(
        Image.open(BytesIO(path.read_bytes() + WITHOUT_END.get(path.name, b"")))
    )


@pytest.mark.skipif(not corpus(), reason="the shared pictures are not here")
@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_every_file_of_the_corpus_looks_right_or_is_refused(path):
    if path.name in REFUSED:
        assert refusal(path.read_bytes()) == REFUSED[path.name]
        return
    picture, upright = make(path.read_bytes()), original(path)
    assert (picture.width, picture.height) == upright.size
    for variant in picture.variants:
        assert difference(shown(picture, variant.name), upright) < 4, variant.name
    assert_clean(picture)


@pytest.mark.skipif(not corpus(), reason="the shared pictures are not here")
def test_the_nine_portraits_are_equal():
    made = [make((CORPUS / f"Portrait_{number}.jpg").read_bytes()) for number in range(9)]
    for picture in made[1:]:
        assert (picture.width, picture.height) == (made[0].width, made[0].height)
        # each file has its number painted in the middle; all else is the same
        assert difference(shown(picture), shown(made[0])) < 1.5
