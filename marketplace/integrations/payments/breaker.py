"""A circuit breaker for each payment provider: one that is silent is not asked for a while.

Without it every job would wait out its time, and a provider that is just getting up again would be
run over.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, TypeVar

from marketplace.integrations.payments import (
    Callback,
    Channel,
    Opened,
    PaymentRequest,
    Provider,
    Refund,
    RefundRequest,
    Silent,
    Status,
)

#: So many in a row, and nobody is called for so many seconds.
FAILURES = 5
PAUSE = 30.0
Answer = TypeVar("Answer")
log = logging.getLogger("marketplace.payments")


class Guarded:
    """A provider behind a circuit breaker; itself a Provider.

    `tell` is given the name and the seconds for which nobody is called, 0 when it answers again.
    """

    def __init__(
        self,
        provider: Provider,
        tell: Callable[[str, float], None] = lambda name, seconds: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._until: float | None = None
        self._probing = False

    @property
    def name(self) -> str:
        """What payments.method says."""
        return self._provider.name

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Its ways to pay that are switched on."""
        return self._provider.channels

    def open(self, request: PaymentRequest) -> Opened:
        """Open a session."""
        return self._ask(self._provider.open, request)

    def callback(self, headers: Mapping[str, str], body: bytes) -> Callback:
        """Return what a callback is about; nobody is called."""
        return self._provider.callback(headers, body)

    def status(self, our_reference: str) -> Status | None:
        """Return the truth about a payment."""
        return self._ask(self._provider.status, our_reference)

    def cancel(self, our_reference: str) -> None:
        """Close a session there."""
        self._ask(self._provider.cancel, our_reference)

    def refund(self, request: RefundRequest) -> Refund:
        """Send money back."""
        return self._ask(self._provider.refund, request)

    def settled(self, day: date) -> Iterable[Status] | None:
        """Return the payments of a day."""
        return self._ask(self._provider.settled, day)

    def _ask(self, call: Callable[..., Answer], *args: Any) -> Answer:
        """Call, unless nobody is to call now. Raises Silent."""
        probes = self._enter()
        try:
            answer = call(*args)
        except Silent:
            self._failed(probes)
            raise
        except BaseException:
            self._answered()  # a no is an answer
            raise
        self._answered()
        return answer

    def _enter(self) -> bool:
        """Return whether this call is the one that tries again. Raises Silent for the others."""
        with self._lock:
            if self._until is None:
                return False
            if self._probing or self._clock() < self._until:
                raise Silent("the provider was silent, and is not asked for a while", sent=False)
            self._probing = True
            return True

    def _failed(self, probes: bool) -> None:
        with self._lock:
            self._failures += 1
            self._probing = self._probing and not probes
            opens = probes or (self._until is None and self._failures >= FAILURES)
            if opens:
                self._until = self._clock() + PAUSE
        if opens:
            log.warning("%s is silent", self.name, extra={"provider": self.name})
            self._say(PAUSE)

    def _answered(self) -> None:
        with self._lock:
            was_open = self._until is not None
            self._failures, self._until, self._probing = 0, None, False
        if was_open:
            log.warning("%s answers again", self.name, extra={"provider": self.name})
            self._say(0)

    def _say(self, seconds: float) -> None:
        try:
            self._tell(self.name, seconds)
        except Exception as error:  # a quote that shows it too long or too short harms nobody
            log.warning("nobody was told", extra={"error": type(error).__name__})
