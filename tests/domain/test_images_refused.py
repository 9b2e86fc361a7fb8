"""Damaged images and bombs are refused cheaply, and nobody waits for long."""

import os
import struct
import subprocess
import sys
import textwrap
import threading
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from support.heic_files import TURNED as TURNED_HEIC
from support.image_files import (
    RED,
    chunk,
    code_or_none,
    exif,
    make,
    png,
    quarters,
    refusal,
    saved,
)

from marketplace.config.settings import ROOT
from marketplace.files import decoder_process, images
from marketplace.files.images import ImageRefused, ImagesBusy

# How a test run treats warnings is not how a server does: broken metadata is expected here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


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
    with pytest.raises(ImageRefused) as refused:
        make(bytes(taller))
    assert refused.value.code == "picture_damaged"


def test_flipped_bits_never_fail_otherwise_than_by_refusal():
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF"):
        data = saved(quarters(), kind)
        for at in range(0, len(data), max(1, len(data) // 60)):
            code_or_none(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])


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
        from marketplace.files.image_rules import SIZES, ImageRefused, kind_of
        from marketplace.files.image_sizes import sized
        def status(name):
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
        def make(data):
            try:
                kind = kind_of(BytesIO(data), 15 << 20)
                sized(decode(data, kind, 50_000_000, SIZES["large"]))
            except ImageRefused:
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
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    return dict(zip(files, lines, strict=True))


linux = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="measures by Linux's /proc"
)


@pytest.mark.alone
@linux
def test_bombs_cost_little(tmp_path):
    costs = measured(tmp_path, **bombs())
    assert max(megabytes for _, megabytes in costs.values()) < 50, costs
    assert max(seconds for seconds, _ in costs.values()) < 0.4, (
        costs
    )  # wide: tests share their cores


@pytest.mark.alone
@linux
def test_a_phone_photo_is_cheap(tmp_path):
    colours = [Image.effect_noise((100 + i, 75), 90).resize((4000, 3000)) for i in range(3)]
    photo = saved(Image.merge("RGB", colours), "JPEG", quality=92, exif=exif(6))
    costs = measured(tmp_path, photo=photo)
    assert costs["photo"][1] < 60, costs
    assert costs["photo"][0] < 1.2, costs  # about 0.3 on an idle core


def test_one_that_waits_too_long_is_told_to_come_back():
    with images._turn_in_queue(1, None):
        with pytest.raises(ImagesBusy) as caught:
            make(saved(quarters()), wait=0.05)
        assert caught.value.retry_after > 0
        assert refusal(b"", wait=0.05) == "picture_empty", "what needs no decoding needs no queue"
    assert make(saved(quarters()), wait=0.05)


def test_no_more_wait_than_there_are_places_for():
    with images._turn_in_queue(1, None):
        with pytest.raises(ImagesBusy):
            make(saved(quarters()), places=1)
        with pytest.raises(ImagesBusy):
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
