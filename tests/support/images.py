"""Images to upload."""

import io
import random

from PIL import Image


def picture(size=(300, 200), colour=(200, 30, 30), kind="JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def shot(colour: str) -> bytes:
    """A picture of one colour."""
    return picture(colour=colour)


def photo(number: int) -> bytes:
    """A picture that no other upload has, now and then the same as another one's."""
    out = io.BytesIO()
    rng = random.Random(number - number % 10 if number % 10 == 1 else number)
    Image.frombytes("RGB", (64, 48), rng.randbytes(64 * 48 * 3)).resize((900, 700)).save(
        out, "JPEG"
    )
    return out.getvalue()
