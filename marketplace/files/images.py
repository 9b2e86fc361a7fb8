"""Bytes from a stranger -> safe, sized, upright images.

`make` judges a file by its content alone, decodes it once, in a separate process (decoder_pool.py),
and returns three WebP images without any metadata, or says in words why it refuses. Nothing of the
original is kept.
"""

import atexit
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from marketplace.config.settings import Config
from marketplace.files.decoder_messages import Limits, Sized
from marketplace.files.decoder_pool import Decoder, DecoderUnavailable
from marketplace.files.image_rules import SIZES, ImageRefused, kind_of

__all__ = [
    "SIZES",
    "ImageRefused",
    "ImagesBusy",
    "Limits",
    "SizedImage",
    "Upload",
    "Variant",
    "close",
    "limits",
    "make",
]

WAIT_SECONDS = 10.0

_gate = threading.BoundedSemaphore(1)
_counting = threading.Lock()
_queue: set[object] = set()
_decoder = Decoder()


class ImagesBusy(Exception):
    """Too many images are waiting in this process; `retry_after` is in seconds."""

    retry_after = 5


@dataclass(frozen=True)
class Variant:
    """One size of an image, as WebP; width and height in pixels."""

    name: str
    width: int
    height: int
    data: bytes


@dataclass(frozen=True)
class SizedImage:
    """One image in all sizes; width and height are those of the upright original.

    `digest` is the SHA-256 of what is stored, not of what was sent: a URL that may be cached for
    ever has to name the very bytes behind it, also after a newer encoder; and files that differ in
    metadata only are one. `placeholder` is a thumbhash in base64, to be painted until the image has
    loaded.
    """

    digest: str
    width: int
    height: int
    placeholder: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Upload:
    """An image as it was sent, made safe and ready to be stored."""

    part: str
    filename: str | None
    image: SizedImage


def limits(config: Config) -> Limits:
    """Return what one image may cost, by the settings."""
    return Limits(
        memory_bytes=config.image_decoder_memory_bytes,
        cpu_seconds=config.image_decoder_cpu_seconds,
        seconds=config.image_decoder_seconds,
        idle_seconds=config.image_decoder_idle_seconds,
    )


def make(
    source: bytes | BinaryIO,
    *,
    max_bytes: int,
    max_pixels: int,
    within: Limits | None = None,
    wait: float = WAIT_SECONDS,
    places: int | None = None,
) -> SizedImage:
    """Return the image in all sizes. Raises ImageRefused; ImagesBusy after `wait` seconds in
    the queue, or at once if `places` others are in it: each holds a thread that could serve
    listings.

    `source` may be a (spooled) file: it is read only when it is this image's turn, and never as a
    whole, so it costs this process no memory. A process decodes one image at a time, in a child
    that steps back for all others.
    """
    file = BytesIO(source) if isinstance(source, bytes) else source
    kind = kind_of(file, max_bytes)
    with _turn_in_queue(wait, places):
        try:
            return _picture(
                _decoder.decode(file, kind, max_pixels, within or Limits.of_pixels(max_pixels))
            )
        except DecoderUnavailable:
            raise ImagesBusy from None


def close() -> None:
    """End the decoder process, if there is one; the next image starts another."""
    _decoder.close()


@contextmanager
def _turn_in_queue(wait: float, places: int | None) -> Iterator[None]:
    with _counting:
        if places is not None and len(_queue) >= places:
            raise ImagesBusy
        place = object()
        _queue.add(place)
    try:
        if not _gate.acquire(timeout=wait):
            raise ImagesBusy
        try:
            yield
        finally:
            _gate.release()
    finally:
        with _counting:
            _queue.remove(place)


def _picture(sized: Sized) -> SizedImage:
    """Return the image with the name it is stored under."""
    digest = hashlib.sha256()
    for name, (_, _, data) in sized.variants.items():
        digest.update(b"%s %d\n%s" % (name.encode(), len(data), data))
    variants = tuple(Variant(name, *size) for name, size in sized.variants.items())
    return SizedImage(digest.hexdigest(), sized.width, sized.height, sized.placeholder, variants)


def _forget() -> None:
    """In a fork: the decoder and its queue are the parent's."""
    global _gate, _counting, _decoder
    _gate, _counting = threading.BoundedSemaphore(1), threading.Lock()
    _queue.clear()
    _decoder.forget()
    _decoder = Decoder()


os.register_at_fork(after_in_child=_forget)
atexit.register(close)
