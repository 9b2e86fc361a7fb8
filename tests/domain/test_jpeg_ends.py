"""A JPEG that lacks the mark of its end is taken where nothing else is missing, and refused where a pixel is."""

from io import BytesIO

import pytest
from PIL import Image, ImageDraw

from marketplace.files import jpeg_ends
from marketplace.files.decoders import decode
from marketplace.files.image_rules import SIZES, ImageRefused

END = b"\xff\xd9"
KINDS = {
    "baseline": {},
    "coarse": {"quality": 20},
    "without subsampling": {"subsampling": 0},
    "with tables of its own": {"optimize": True},
    "progressive": {"progressive": True},
    "restarts each row": {"restart_marker_rows": 1},
    "restarts each block": {"restart_marker_blocks": 1},
    "progressive with restarts": {"progressive": True, "restart_marker_rows": 1},
}


def drawings() -> dict[str, Image.Image]:
    circle = Image.new("RGB", (96, 64), "white")
    ImageDraw.Draw(circle).ellipse((10, 10, 50, 50), fill="red")
    return {
        "noise": Image.effect_noise((96, 64), 80).convert("RGB"),
        "grey noise": Image.effect_noise((50, 70), 60),
        "one colour": Image.new("RGB", (100, 60), (200, 40, 30)),
        "circle": circle,
    }


def saved(image: Image.Image, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def pixels(data: bytes) -> bytes | None:
    """What is seen, or None where the file is refused."""
    try:
        return decode(data, "JPEG", 50_000_000, SIZES["large"]).image.tobytes()
    except ImageRefused as refused:
        return None if refused.code == "picture_damaged" else refused.code.encode()


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_the_mark_of_the_end_may_be_missing_in_part_and_in_whole(options):
    for name, image in drawings().items():
        data = saved(image, **options)
        assert data.endswith(END)
        whole = pixels(data)
        assert whole is not None
        assert pixels(data[:-1]) == whole, name
        assert pixels(data[:-2]) == whole, name
        assert pixels(data[:-2] + b"\0" * 64) == whole, f"{name}, filled up"


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_whatever_else_is_missing_is_refused_or_could_not_be_seen(options):
    for name, image in drawings().items():
        data = saved(image, **options)
        whole, shown = pixels(data), 0
        for cut in {*range(3, 64), *range(64, len(data), max(1, len(data) // 60))}:
            seen = pixels(data[:-cut])
            assert seen in (None, whole), f"{name}, the last {cut} bytes are missing"
            shown += seen is not None
        assert shown <= 2, name  # a last byte of nothing but padding or zeros


def test_a_progressive_jpeg_that_ends_behind_any_but_its_last_scan_is_refused():
    data = saved(drawings()["noise"], progressive=True)
    starts = [
        each.rest for each in jpeg_ends.segments(data) if each.marker == jpeg_ends.START_OF_SCAN
    ]
    assert len(starts) > 5
    assert [pixels(data[: rest.stop]) is None for rest in starts] == [True] * (len(starts) - 1) + [
        False
    ]


def test_a_jpeg_of_tiny_segments_is_refused_soon():
    data = saved(drawings()["circle"])
    scan = data.find(b"\xff\xda")
    with pytest.raises(ImageRefused) as refused:
        decode(data[:scan] + b"\xff\xfe\0\2" * 1_000_000 + data[scan:-2], "JPEG", 50_000_000, 1280)
    assert refused.value.code in ("picture_too_complex", "picture_damaged")
