"""The decoder process of this one: started by the first image, kept warm, ended when idle for long
or by `close`.

Whatever happens to it, the calling process lives on: an image whose decoder dies is refused, and
named in the log by the SHA-256 of its file. The other side is decoder_process.py.
"""

import hashlib
import io
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from marketplace.files import image_rules
from marketplace.files.decoder_messages import (
    MAX_RESULT_BYTES,
    Limits,
    Order,
    Refusal,
    Sized,
    unpacked,
)
from marketplace.telemetry import metrics

PROGRAM = "marketplace.files.decoder_process"
ROOT = Path(__file__).resolve().parents[2]
#: The environment variables that the process needs. It does not get the secrets of the API.
PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ", "LANG", "LC_ALL")
PIECE = 256 * 1024
START_SECONDS = 20.0
#: Seconds beyond its limit after which a decoder that does not end is killed with its process.
GRACE = 3.0
#: Signals that end a decoder at its limit of time.
TIME_IS_UP = {-signal.SIGXCPU, -signal.SIGALRM}
log = logging.getLogger("marketplace.files")


class DecoderUnavailable(Exception):
    """No decoder process can be started now: no memory, no processes left."""


class _Lost(Exception):
    """The decoder process has ended: it was idle, or something other than the image ended it."""


class _Crash(Exception):
    """The decoder of this image has died, or sent nonsense; in words."""


class _Overdue(Exception):
    """The decoder of this image did not even end when its time was up."""


class Decoder:
    """A decoder process, while there are images. One thread at a time: images.py has a queue."""

    def __init__(self) -> None:
        self._process: _Process | None = None

    def decode(self, file: BinaryIO, kind: str, max_pixels: int, limits: Limits) -> Sized:
        """Return the image in all sizes. Raises ImageRefused, DecoderUnavailable."""
        order = Order(file.seek(0, io.SEEK_END), kind, max_pixels, limits)
        try:
            code, frame = self._run(order, file)
            outcome = _outcome(code, frame)
        except _Overdue:
            outcome = Refusal("time")
        except _Crash as crash:
            outcome = Refusal("failed", str(crash))
        return _judged(outcome, order, file)

    def close(self) -> None:
        """End the process; the next image starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def forget(self) -> None:
        """In a fork: the process belongs to the parent, which alone may talk to it."""
        if self._process is not None:
            self._process.control.close()
            self._process = None

    def _run(self, order: Order, file: BinaryIO) -> tuple[int, bytes]:
        """How the decoder ended, and what it wrote. One that was lost between two images is no
        image's fault.
        """
        for _ in range(2):
            if self._process is None:
                self._process = _Process()
            try:
                return self._process.run(order, file)
            except _Lost:
                self.close()
            except DecoderUnavailable:
                raise
            except BaseException:  # its late output must not count for the next image
                self._process.kill()
                self.close()
                raise
        raise _Crash("the decoder process ended twice")


class _Process:
    """A running decoder_process."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = self._started(theirs.fileno())
            except OSError as error:
                self.control.close()
                log.error("no decoder of images can be started", extra={"error": str(error)})
                raise DecoderUnavailable from error
        self.pid = self._process.pid
        # It is not left behind as a zombie when it has nothing more to do.
        threading.Thread(target=self._process.wait, name="decoder", daemon=True).start()
        self.control.settimeout(START_SECONDS)
        try:
            self._expect(b"ready")
        except (_Lost, TimeoutError) as error:
            self.kill()
            self.end()
            log.error(
                "a decoder of images did not start",
                extra={"error": f"it ended with {self._process.poll()}"},
            )
            raise DecoderUnavailable from error

    @staticmethod
    def _started(control: int) -> "subprocess.Popen[bytes]":
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [env.get("PYTHONPATH")])])
        return subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(control)],
            cwd="/",
            env=env,
            pass_fds=(control,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def run(self, order: Order, file: BinaryIO) -> tuple[int, bytes]:
        """How the decoder ended, below 0 a signal's number, and what it wrote."""
        deadline = time.monotonic() + order.limits.seconds + GRACE
        ours, theirs = socket.socketpair()
        try:
            with ours:
                with theirs:
                    self.control.settimeout(START_SECONDS)
                    try:
                        socket.send_fds(self.control, [order.line()], [theirs.fileno()])
                    except OSError as error:
                        raise _Lost from error
                    self._expect(b"taken")
                _send(ours, file, deadline)
                frame = _receive(ours, deadline)
            self.control.settimeout(max(0.01, deadline - time.monotonic()))
            line = self._line()
        except TimeoutError:
            raise _Overdue from None
        if line == b"busy":
            raise DecoderUnavailable
        return int(line), frame

    def _expect(self, word: bytes) -> None:
        if self._line() != word:
            raise _Lost

    def _line(self) -> bytes:
        """Return the next line of the process, which sends one at a time. Raises _Lost,
        TimeoutError.
        """
        line = b""
        while not line.endswith(b"\n"):
            try:
                piece = self.control.recv(64)
            except ConnectionError as error:
                raise _Lost from error
            if not piece:
                raise _Lost
            line += piece
        return line[:-1]

    def kill(self) -> None:
        """End the process and its child at once."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()  # it may have died before it had a group

    def end(self) -> None:
        """Let the process end, which it does when nobody can send it anything; kill it if it does
        not.
        """
        self.control.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait(5.0)


def _send(channel: socket.socket, file: BinaryIO, deadline: float) -> None:
    """Send the whole file, piece by piece; a decoder that has died reads no more."""
    file.seek(0)
    with suppress(ConnectionError):
        while piece := file.read(PIECE):
            channel.settimeout(max(0.01, deadline - time.monotonic()))
            channel.sendall(piece)


def _receive(channel: socket.socket, deadline: float) -> bytes:
    """Return all output until the decoder ends. Raises TimeoutError; _Crash for more than an image
    can be.
    """
    frame = bytearray()
    with suppress(ConnectionError):
        while True:
            channel.settimeout(max(0.01, deadline - time.monotonic()))
            piece = channel.recv(PIECE)
            if not piece:
                break
            frame += piece
            if len(frame) > MAX_RESULT_BYTES:
                raise _Crash("it wrote too much")
    return bytes(frame)


def _outcome(code: int, frame: bytes) -> Sized | Refusal:
    """Return the outcome of an image whose decoder ended like this. Raises _Crash."""
    if code in TIME_IS_UP:
        return Refusal("time")
    if code < 0:
        raise _Crash(f"killed by {_name(-code)}")
    try:
        return unpacked(frame)
    except ValueError as error:
        raise _Crash(f"ended with {code}: {error}") from error


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _judged(outcome: Sized | Refusal, order: Order, file: BinaryIO) -> Sized:
    """Return the image, or raise its refusal, counted; log what should not happen."""
    if isinstance(outcome, Sized):
        metrics.DECODED.labels("made").inc()
        return outcome
    most = image_rules.most_pixels(order.kind, order.max_pixels)
    expected = {
        "picture_damaged": image_rules.damaged,
        "picture_too_many_pixels": lambda: image_rules.too_many_pixels(most),
        "picture_too_complex": image_rules.too_many_pieces,
    }
    if outcome.code in expected:
        metrics.DECODED.labels("refused").inc()
        raise expected[outcome.code]()
    if outcome.code in ("time", "memory"):
        metrics.DECODED.labels(outcome.code).inc()
        log.warning(
            "an image reached the limit of %s",
            outcome.code,
            extra={"error": _described(order, file)},
        )
        raise image_rules.too_costly()
    metrics.DECODED.labels("crashed").inc()
    log.error(
        "an image broke its decoder", extra={"error": f"{outcome.error}: {_described(order, file)}"}
    )
    raise image_rules.damaged()


def _described(order: Order, file: BinaryIO) -> str:
    """Return the name by which an operator finds the file."""
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(PIECE):
        digest.update(piece)
    return f"{order.kind}, {order.size} bytes, SHA-256 {digest.hexdigest()}"
