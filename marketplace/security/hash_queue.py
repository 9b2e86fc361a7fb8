"""A queue for slow computations: a bounded number of them waits, served in turn by address."""

import os
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, suppress

from marketplace.contract.errors import Problem

#: The niceness of the computing threads: listings go first when cores are short.
NICENESS = 10
Work = Callable[[], bytes]


class HashQueue:
    """Computes in separate threads, `at_once` at a time, in turns by address.

    So a flood from one address delays others by one computation at a time. Past `places`, or
    `of_one_address`, a request is refused with 429.
    """

    def __init__(self, *, at_once: int, places: int, of_one_address: int, patience: float) -> None:
        self.places = places
        self._at_once = at_once
        self._of_one_address = of_one_address
        self._patience = patience
        self._present: Counter[str | None] = Counter()
        self._waiting: OrderedDict[str | None, deque[tuple[Work, Future[bytes]]]] = OrderedDict()
        self._changed = threading.Condition()
        self._started = 0
        self._here = threading.Semaphore(1)

    def compute(self, work: Work, address: str | None) -> bytes:
        """Return what `work` computes in a thread of the queue. It must not hold the GIL for long.

        Raises the 429 `too_many_requests` if too many wait.
        """
        with self._place(address):
            result: Future[bytes] = Future()
            with self._changed:
                self._waiting.setdefault(address, deque()).append((work, result))
                self._changed.notify()
                if self._started < self._at_once:  # not before a fork
                    self._started += 1
                    threading.Thread(target=self._serve, name="hashes", daemon=True).start()
            try:
                return result.result(self._patience)
            except FutureTimeoutError:
                result.cancel()
                raise _busy() from None

    def compute_here(self, work: Callable[[], None], address: str | None) -> None:
        """Call `work` in this thread, one at a time. Raises the 429 if too many wait."""
        with self._place(address):
            if not self._here.acquire(timeout=self._patience):
                raise _busy()
            try:
                work()
            finally:
                self._here.release()

    @contextmanager
    def _place(self, address: str | None) -> Iterator[None]:
        with self._changed:
            if (
                self._present.total() >= self.places
                or self._present[address] >= self._of_one_address
            ):
                raise _busy()
            self._present[address] += 1
        try:
            yield
        finally:
            with self._changed:
                self._present[address] -= 1
                if not self._present[address]:
                    del self._present[address]

    def _serve(self) -> None:
        _step_back()
        while True:
            work, result = self._next()
            if not result.set_running_or_notify_cancel():
                continue
            try:
                result.set_result(work())
            except BaseException as error:
                result.set_exception(error)

    def _next(self) -> tuple[Work, "Future[bytes]"]:
        """Wait for work; its address goes to the end of the line."""
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            address, works = self._waiting.popitem(last=False)
            taken = works.popleft()
            if works:
                self._waiting[address] = works
            return taken


def _busy() -> Problem:
    return Problem("too_many_requests", "Too many sign-ins at this moment. Try again in a second.")


def _step_back() -> None:
    """Let this thread come after the others. Only Linux has a niceness for each thread."""
    if hasattr(os, "setpriority"):
        thread = threading.get_native_id()
        with suppress(OSError):
            present = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(present + NICENESS, 19))
