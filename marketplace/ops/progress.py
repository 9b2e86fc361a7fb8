"""The progress of a long command, on stderr: a bar on a terminal, a line per tenth
anywhere else.
"""

import sys
import time
from types import TracebackType

WIDTH = 40


class Progress:
    """`with Progress("products", 1_000_000) as bar: bar.add(10_000)`."""

    def __init__(self, what: str, total: int) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self.started = time.monotonic()
        self._tenth = 0

    def add(self, count: int) -> None:
        """Count that many more as done."""
        self.reach(self.done + count)

    def reach(self, done: int) -> None:
        """Set how many are done."""
        self.done = done
        if sys.stderr.isatty():
            full = WIDTH * self.done // self.total
            self._write(
                f"\r{self.what} [{'#' * full}{'.' * (WIDTH - full)}] {self.done:,}/{self.total:,}"
            )
        elif self.done * 10 // self.total > self._tenth:
            self._tenth = self.done * 10 // self.total
            self._write(f"{self.what} {self.done:,}/{self.total:,}, {self.seconds():.0f} s\n")

    def seconds(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self.started

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if sys.stderr.isatty():
            self._write("\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
