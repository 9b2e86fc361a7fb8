"""The program that decodes images, started by decoder_pool.py: warm, and without anything of the
API in it.

It never reads a stranger's byte itself. For each order it forks: the child reads the file from its
own socket, under limits of memory, CPU and time, without files or network, writes the result and
ends. So a file that breaks its decoder breaks only its own child, and no image ever sees what
another one has left behind.
"""

import gc
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from marketplace.files import decoders, image_sizes
from marketplace.files.decoder_messages import Order, Refusal, Sized, packed
from marketplace.files.image_rules import SIZES, ImageRefused

NICE = 10
LONGEST_ORDER = 4096
START_SECONDS = 60.0
_STATM = Path("/proc/self/statm")


def main() -> None:
    """Serve the socket that the first argument names, until it is closed or long idle."""
    control = socket.socket(fileno=int(sys.argv[1]))
    _settle()
    image_sizes.prepare()
    control.settimeout(START_SECONDS)
    control.sendall(b"ready\n")
    with suppress(TimeoutError, ConnectionError):  # nobody needs it; or the API's process has died
        while True:
            line, handles, _, _ = socket.recv_fds(control, LONGEST_ORDER, 1)
            if not line:
                return
            order = Order.of_line(line)
            control.sendall(b"taken\n")
            with socket.socket(fileno=handles[0]) as channel:
                answer = _run(order, channel, control)
            control.settimeout(order.limits.idle_seconds)
            control.sendall(answer)


def _settle() -> None:
    """Step back for all others, and be the first to go when memory ends. The group lets `kill`
    reach the children.

    A session of its own would undo the niceness: Linux shares the processor among sessions first.
    """
    os.setpgid(0, 0)
    os.nice(NICE)
    with suppress(OSError), Path("/proc/self/oom_score_adj").open("w") as file:
        file.write("1000")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)


def _run(order: Order, channel: socket.socket, control: socket.socket) -> bytes:
    """Decode in a child, and return how that ended, as a line: its exit code, below 0 a signal's
    number.
    """
    decoders.load(order.kind)  # once, before any stranger's byte
    gc.freeze()
    try:
        child = os.fork()
    except OSError:
        return b"busy\n"
    if child == 0:
        control.close()
        _child(order, channel)
    channel.close()
    return b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _child(order: Order, channel: socket.socket) -> NoReturn:
    """Decode one image, write the result, and end, whatever happens."""
    code = 1
    try:
        signal.setitimer(signal.ITIMER_REAL, order.limits.seconds)  # SIGALRM ends it
        data = _received(channel, order.size)
        _limit(order)
        channel.sendall(packed(_result(data, order)))
        code = 0
    finally:
        os._exit(code)


def _received(channel: socket.socket, size: int) -> bytes:
    """Return the file; shorter if the API's process has ended."""
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size and (count := channel.recv_into(view[at:])):
        at += count
    del view
    return bytes(data)


def _limit(order: Order) -> None:
    """From here on: no new file or socket, nothing written to disk, and a bound to memory and CPU.

    Memory is bounded if Linux tells how much is in use; libheif needs a thread, the others none.
    """
    limits = order.limits
    cpu = limits.cpu_seconds
    bounds = {
        resource.RLIMIT_CPU: (cpu, cpu + 1),  # the first ends it by SIGXCPU
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_NPROC: (0, 0),
        resource.RLIMIT_NOFILE: (0, 0),
    }
    if order.kind == "HEIF":
        del bounds[resource.RLIMIT_NPROC]
    with suppress(OSError), _STATM.open() as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
        bounds[resource.RLIMIT_AS] = (used + limits.memory_bytes,) * 2
    for number, (soft, hard) in bounds.items():
        most = resource.getrlimit(number)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(number, (soft, hard))


def _result(data: bytes, order: Order) -> Sized | Refusal:
    try:
        decoded = decoders.decode(data, order.kind, order.max_pixels, SIZES["large"])
        del data
        return image_sizes.sized(decoded)
    except ImageRefused as refused:
        return Refusal(refused.code)
    except MemoryError:
        return Refusal("memory")
    except Exception as error:
        return Refusal("failed", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
