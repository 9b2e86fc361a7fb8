"""A decoder process may have been taken over by the file it reads: nothing it says is believed."""

import random
from io import BytesIO

import pytest
from PIL import Image

from marketplace.files.decoder_messages import Limits, Order, Refusal, Sized, packed, unpacked


def webp() -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "WEBP")
    return out.getvalue()


def test_an_order_comes_through_as_it_was_given():
    order = Order(567, "HEIF", 50_000_000, Limits(1 << 30, 3, 4.5, 6))
    assert Order.of_line(order.line()) == order
    assert order.line().count(b"\n") == 1


def frame() -> bytes:
    sizes = dict.fromkeys(("large", "small", "thumb"), (8, 8, webp()))
    return packed(Sized(8, 8, "AAAA", sizes))


def test_a_result_comes_back_as_it_was_sent():
    found = unpacked(frame())
    assert isinstance(found, Sized)
    assert packed(found) == frame()
    assert unpacked(packed(Refusal("picture_damaged", "why"))) == Refusal("picture_damaged", "why")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        b"\xff\xff\xff\xff{}",
        b"\0\0\0\2[]",
        b"\0\0\0\2{}",
        b"\0\0\0\1\xff",
        b'\0\0\0\x10{"refused": null',
        frame() + b"x",
        frame()[:-1],
        frame().replace(b"WEBPVP8", b"<html>x"),
        frame().replace(b"RIFF", b"RIFX"),
        frame().replace(b'"AAAA"', b'"<b>!"'),
        frame().replace(b"[8, 8, ", b"[0, 8, ", 1),
        frame().replace(b"[8, 8, ", b"[8.0,8,", 1),
        frame().replace(b'"size": [8, 8]', b'"size": "8888"'),
        frame().replace(b'"thumb"', b'"other"'),
        b"\0\1\0\0" + b"[" * 65536,
    ],
)
def test_what_is_no_result_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        unpacked(data)


def test_damaged_results_fail_in_one_way_only():
    rng, good = random.Random(5), frame()
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            unpacked(bytes(data[: rng.randint(0, len(data))]))
        except ValueError:
            continue
