"""Places for streamed responses: a slow reader holds a thread for as long as it reads."""

import threading
import time
from collections.abc import Generator, Iterable, Iterator

from marketplace.contract.errors import too_many_requests

#: Seconds after which a reader has to come again.
LONGEST = 900
#: Bytes that are passed on at once: after each the clock is checked.
PIECE = 64 * 1024


class Places:
    """So many streams of a process at once; the next one gets 429."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    def take(self) -> "Place":
        """Return a place, to be given back. Raises a 429."""
        if not self._free.acquire(blocking=False):
            raise too_many_requests(5)
        return Place(self._free)


class Place:
    """One place. It may be given back twice."""

    def __init__(self, free: threading.BoundedSemaphore) -> None:
        self._free = free
        self._taken = True

    def give_back(self) -> None:
        """Free the place for another one."""
        if self._taken:
            self._taken = False
            self._free.release()

    def stream(self, pieces: Iterable[bytes]) -> "Stream":
        """Return the response of whoever has the place, which is given back at its end."""
        return Stream(self, pieces)


class Stream:
    """A response in pieces; the server closes it in any case."""

    def __init__(self, place: Place, pieces: Iterable[bytes]) -> None:
        self._place = place
        self._pieces = _cut(pieces)
        self._until = time.monotonic() + LONGEST

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if time.monotonic() > self._until:
            raise ConnectionAbortedError("the reader of a stream is too slow")
        return next(self._pieces)

    def close(self) -> None:
        """Give the place back."""
        self._pieces.close()
        self._place.give_back()

    def __del__(self) -> None:
        """Give the place back if a failure has left the response to nobody."""
        self._place.give_back()


def _cut(pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
    for piece in pieces:
        for start in range(0, len(piece), PIECE):
            yield piece[start : start + PIECE]
