"""Log lines to standard error: some are lost rather than that a request waits for their reader.

A pipe that nobody empties (a stuck journald, a stopped `| tee`) is full after 64 kB. Then a write
never returns, and as one thread at a time writes, none of them would ever respond again.
"""

import logging
import select
import sys

#: Characters, which JSON's are bytes, that a pipe takes without waiting when it says that it can be
#: written to.
SURE = 4096
#: Milliseconds to wait for a busy reader. A second line waits no more, until there is room again.
WAIT = 200


class PatientHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error if there is room; the next line says how many lines were lost."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._lost = 0
        self._cut = False
        self._watched = -1
        self._poll = select.poll()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, or count it as lost. Called by one thread at a time."""
        if not self._has_room(0 if self._lost else WAIT):
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            words = f"{lost} lines were lost: nobody read the log"
            self._write(
                logging.LogRecord("marketplace", logging.ERROR, __file__, 0, words, None, None)
            )
            if not self._has_room(WAIT):
                self._lost += 1
                return
        self._write(record)

    def _write(self, record: logging.LogRecord) -> None:
        """Write piece by piece, as there is room for the first: a traceback may be longer. Its end
        is lost then.
        """
        try:
            text = ("\n" if self._cut else "") + self.format(record) + self.terminator
            for start in range(0, len(text), SURE):
                if start and not self._has_room(WAIT):
                    self._lost += 1
                    return
                self._cut = start + SURE < len(text)
                self.stream.write(text[start : start + SURE])
                self.stream.flush()
        except Exception:  # as logging's own handlers do: a line is no reason to fail
            self.handleError(record)

    def _has_room(self, milliseconds: int) -> bool:
        """Return whether SURE can be written without waiting."""
        try:
            file = self.stream.fileno()
            if file != self._watched:
                self._poll = select.poll()
                self._poll.register(file, select.POLLOUT)
                self._watched = file
            return bool(self._poll.poll(milliseconds))
        except (OSError, ValueError):
            return True  # no file: it does not block
