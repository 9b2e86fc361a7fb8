"""Feeds mutated images to the decoders, and holds them to their promise: every crash a refusal.

    PYTHONPATH=.:tests .venv/bin/python tests/system/decoder_fuzz.py --seconds 3600 --keep crashers

Valid HEIC, AVIF, JPEG, WebP, PNG and GIF files are made, damaged in many ways, and given to the
decoder process as the API does it; with `--url` to a running API (RATE_LIMITS=off), as avatars. It
prints what came of them by format, keeps files that broke their decoder in `--keep`, and exits 1
where anything but an image or a refusal came back, or where the decoder process had to be replaced.
"""

import argparse
import collections
import hashlib
import http.client
import json
import logging
import random
import secrets
import struct
import sys
import time
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from support.heic_files import TURNED, heic

from marketplace.files import images
from marketplace.files.decoder_messages import Limits

PIXELS = 4_000_000
LIMITS = Limits(Limits.of_pixels(PIXELS).memory_bytes, cpu_seconds=5, seconds=30.0)
#: Numbers at which lengths, sizes and offsets go wrong.
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 1)
Outcome = tuple[str, str]


def seeds() -> dict[str, list[bytes]]:
    """Valid files by format: small, and of every mode that the format has."""
    noise = Image.effect_noise((96, 64), 80)
    colour = Image.merge("RGB", [Image.effect_noise((96, 64), 80) for _ in range(3)])
    flat = Image.new("RGB", (160, 120), (200, 40, 30))
    clear = colour.copy()
    clear.putalpha(Image.linear_gradient("L").resize((96, 64)))
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = {"save_all": True, "append_images": [flat.resize((96, 64)), colour], "duration": 40}
    profile = Path(__file__).read_bytes()[:600]
    made = {
        "JPEG": [
            (flat, {}), (colour, {"progressive": True, "exif": exif}), (noise, {"quality": 95}),
            (colour.convert("CMYK"), {}), (colour, {"restart_marker_rows": 1, "optimize": True}),
            (colour, {"subsampling": 0, "icc_profile": profile, "comment": b"hello"}),
        ],
        "PNG": [
            (noise.convert(mode), {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
        ] + [(colour, frames), (clear, {"exif": exif, "icc_profile": profile})],
        "GIF": [(colour.quantize(16), {}), (clear, {}), (colour, frames), (noise, {"interlace": 1})],
        "WEBP": [
            (colour, {}), (clear, {"exact": True}), (clear, {"lossless": True}), (colour, frames),
            (flat, {"exif": exif, "icc_profile": profile}), (colour, {"lossless": True}),
        ],
        "AVIF": [
            (colour, {"speed": 10}), (clear, {"speed": 10}), (flat, {"speed": 10, "exif": exif}),
            (colour, {"speed": 10, "subsampling": "4:4:4"}), (colour, {"speed": 10, **frames}),
        ],
    }  # fmt: skip
    found = {
        kind: [_saved(image, kind, options) for image, options in entries]
        for kind, entries in made.items()
    }
    odd = [heic(name) for name in (b"Exif", b"mime", b"uri ", b"E\xeaif", b"\0\0\0\0")]
    return {**found, "HEIC": [TURNED] * 4 + odd}


def _saved(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def mutated(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The file, damaged a few times; half of the damage is done where headers are."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 10))):
        if len(changed) < 8:
            break
        reach = min(len(changed), 700) if rng.random() < 0.5 else len(changed)
        rng.choice(DAMAGES)(rng, changed, rng.randrange(reach), other)
    return bytes(changed)


def _bit(rng: random.Random, data: bytearray, at: int, _: bytes) -> None:
    data[at] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray, at: int, _: bytes) -> None:
    data[at] = rng.choice((0, 0xFF, 0x7F, 0x80, rng.randrange(256)))


def _number(rng: random.Random, data: bytearray, at: int, _: bytes) -> None:
    form = rng.choice((">H", "<H", ">I", "<I"))
    value = rng.choice(NUMBERS) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF)
    data[at : at + struct.calcsize(form)] = struct.pack(form, value)


def _near(rng: random.Random, data: bytearray, at: int, _: bytes) -> None:
    """Make a number a little larger or smaller."""
    (value,) = struct.unpack(">I", data[at : at + 4].ljust(4, b"\0"))
    data[at : at + 4] = struct.pack(">I", (value + rng.randint(-16, 16)) % 2**32)


def _cut(rng: random.Random, data: bytearray, at: int, _: bytes) -> None:
    del data[at : at + rng.choice((1, 2, 4, 16, 100))]


def _end(rng: random.Random, data: bytearray, at: int, _: bytes) -> None:
    if rng.random() < 0.3:
        del data[max(at, 16) :]


def _repeat(rng: random.Random, data: bytearray, at: int, _: bytes) -> None:
    data[at:at] = data[at : at + rng.choice((1, 4, 12, 60, 300))] * rng.choice((1, 1, 2, 20))


def _splice(rng: random.Random, data: bytearray, at: int, other: bytes) -> None:
    start = rng.randrange(len(other))
    data[at : at + rng.choice((0, 40))] = other[start : start + rng.choice((4, 40, 400))]


DAMAGES: tuple[Callable[[random.Random, bytearray, int, bytes], None], ...] = (
    _bit, _bit, _byte, _byte, _number, _number, _near, _cut, _end, _repeat, _splice,
)  # fmt: skip


def with_sums(data: bytes) -> bytes:
    """A PNG whose checksums are right again, so that damage is met behind them."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out)


class Crashes(logging.Handler):
    """What the log says of images that broke their decoder or reached a limit."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        self.processes: set[int] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "marketplace.files":
            how = str(getattr(record, "error", "")).partition(":")[0]
            crash = record.levelno >= logging.ERROR
            self.last = how if crash else record.getMessage().rpartition(" ")[2]

    def taken(self) -> str:
        last, self.last = self.last, ""
        return last


def decoding(crashes: Crashes) -> Callable[[bytes], Outcome]:
    """Give images to the decoder process of this one."""
    logging.getLogger("marketplace.files").addHandler(crashes)
    logging.getLogger("marketplace.files").propagate = False

    def feed(data: bytes) -> Outcome:
        try:
            images.make(data, max_bytes=15 << 20, max_pixels=PIXELS, within=LIMITS, wait=60.0)
        except images.ImageRefused as refused:
            how = crashes.taken()
            return ("crashed" if how else "refused", how or refused.code)
        finally:
            process = images._decoder._process
            crashes.processes |= {process.pid} if process else set()
        return ("made", "")

    return feed


def uploading(url: str) -> Callable[[bytes], Outcome]:
    """Give images to a running API, as the avatar of an account made for it."""
    where = urlsplit(url)
    password = secrets.token_urlsafe(12)
    person = {"name": "Fuzz", "email": f"{secrets.token_hex(6)}@example.com", "password": password}

    def call(path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        conn = http.client.HTTPConnection(where.hostname or "", where.port, timeout=90)
        try:
            conn.request("POST", path, body, headers)
            answer = conn.getresponse()
            return answer.status, answer.read()
        finally:
            conn.close()

    _, text = call(
        "/api/auth/register", json.dumps(person).encode(), **{"Content-Type": "application/json"}
    )
    token = json.loads(text)["access_token"]
    signed_in = [time.monotonic()]

    def feed(data: bytes) -> Outcome:
        nonlocal token
        if time.monotonic() - signed_in[0] > 600:
            login = json.dumps({"email": person["email"], "password": password}).encode()
            _, text = call("/api/auth/login", login, **{"Content-Type": "application/json"})
            token, signed_in[0] = json.loads(text)["access_token"], time.monotonic()
        edge = secrets.token_hex(12)
        head = f'--{edge}\r\nContent-Disposition: form-data; name="avatar"; filename="a"\r\n\r\n'
        body = head.encode() + data + f"\r\n--{edge}--\r\n".encode()
        kind = f"multipart/form-data; boundary={edge}"
        sent = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
        status, text = call("/api/users/upload-avatar", body, **sent)
        while status == 429:  # others are uploading, too
            time.sleep(1)
            status, text = call("/api/users/upload-avatar", body, **sent)
        if status == 200:
            return ("made", "")
        code = json.loads(text)["errors"][0]["code"] if status == 422 else str(status)
        return ("refused" if status == 422 else "failed", code)

    return feed


def main() -> int:
    """Fuzz for some time, and print what came of it by format."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--seed", type=int, default=secrets.randbits(32))
    options.add_argument("--url", help="of a running API; without it decoders are called directly")
    options.add_argument("--keep", type=Path, help="a folder for files that broke their decoder")
    options.add_argument("--only", help="formats, with commas")
    args = options.parse_args()
    crashes = Crashes()
    feed = uploading(args.url) if args.url else decoding(crashes)
    files = {kind: found for kind, found in seeds().items() if kind in (args.only or kind)}
    for kind, found in files.items():
        print(kind, [feed(data)[0] for data in found])
    print(f"seed {args.seed}")
    counts, wrong = fuzz(feed, files, args)
    report(counts)
    replaced = max(0, len(crashes.processes) - 1)
    print(f"{wrong} were answered otherwise; the decoder process was replaced {replaced} times")
    return 1 if wrong or replaced else 0


def fuzz(
    feed: Callable[[bytes], Outcome], files: dict[str, list[bytes]], args: argparse.Namespace
) -> tuple[dict[str, collections.Counter[Outcome]], int]:
    """Mutate and feed until time is up: outcomes by format, and how many were neither image nor refusal."""
    rng = random.Random(args.seed)
    counts: dict[str, collections.Counter[Outcome]] = {
        kind: collections.Counter() for kind in files
    }
    wrong = 0
    started = told = time.monotonic()
    while time.monotonic() - started < args.seconds:
        kind = rng.choice(list(files))
        data = mutated(rng, rng.choice(files[kind]), rng.choice(files[kind]))
        if kind == "PNG" and rng.random() < 0.8:
            data = with_sums(data)
        try:
            outcome = feed(data)
        except Exception as error:
            outcome = ("failed", repr(error)[:200])
        counts[kind][outcome] += 1
        if outcome[0] in ("crashed", "failed") and args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            (args.keep / f"{hashlib.sha256(data).hexdigest()}.{kind.lower()}").write_bytes(data)
        if outcome[0] == "failed":
            wrong += 1
            print("FAILED", kind, outcome[1], flush=True)
        if time.monotonic() - told > 300:
            told = time.monotonic()
            print(f"{told - started:.0f} s", flush=True)
            report(counts)
    return counts, wrong


def report(counts: dict[str, collections.Counter[Outcome]]) -> None:
    """Print a line for each format."""
    for kind, found in counts.items():
        parts = [
            f"{how} {code}".strip() + f" {count}" for (how, code), count in sorted(found.items())
        ]
        print(f"{kind:5} {sum(found.values()):8}  {', '.join(parts)}", flush=True)
    total = sum(sum(found.values()) for found in counts.values())
    crashed = sum(
        count for found in counts.values() for (how, _), count in found.items() if how == "crashed"
    )
    print(
        f"{total} files, {crashed} broke their decoder or reached a limit, each was refused",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
