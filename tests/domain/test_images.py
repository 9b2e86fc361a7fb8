"""Pictures: what is accepted looks right and carries nothing else; what is refused is refused
cheaply.
"""

import base64
import struct
import tempfile

import pytest
from PIL import Image
from support.heic_files import TURNED as TURNED_HEIC
from support.image_files import (
    BLUE,
    GREEN,
    RED,
    SECRET,
    YELLOW,
    assert_clean,
    chunk,
    difference,
    exif,
    make,
    near,
    png,
    profile_with_red_and_green_swapped,
    quarters,
    refusal,
    saved,
    seen_as,
    shown,
    stored_turned,
)

from marketplace.files.local import LocalStorage
from marketplace.files.storage import image_key
from marketplace.workflows.images import save

# How a test run treats warnings is not how a server does: broken metadata is expected here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

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


def test_a_saved_picture_is_found_under_its_keys(tmp_path):
    storage, picture = LocalStorage(tmp_path, public=True), make(saved(quarters(700, 500)))
    save(storage, [picture])
    save(storage, [picture])
    assert len(list(storage.keys(""))) == 3
    for variant in picture.variants:
        with storage.open(image_key(picture.digest, variant.name)) as file:
            assert file.read() == variant.data
