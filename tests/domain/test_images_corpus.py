"""A corpus of real images: each looks right or is refused."""

from io import BytesIO
from pathlib import Path

import pytest
from conftest import SHARED
from PIL import Image, ImageOps
from support.image_files import assert_clean, difference, make, refusal, shown

# How a test run treats warnings is not how a server does: broken metadata is expected here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CORPUS = SHARED / "data" / "images"

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


def corpus() -> list[Path]:
    return sorted(path for path in CORPUS.rglob("*") if path.is_file()) if CORPUS.is_dir() else []


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
