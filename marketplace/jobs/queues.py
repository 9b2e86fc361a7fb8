"""The queues: how many jobs of each run at once, and which of them may call somebody else.

A queue has a loop of its own, and what calls others stands in queues of its own: a partner who is
silent fills his queue and holds up no other. A job with a lock may wait for POLL seconds behind the
one that had it, where several run at once.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from procrastinate import JobContext
from procrastinate.worker import Worker as Loop

from marketplace.integrations import http

POLL = 5.0
#: Connections beside those of jobs: the queue's own pool.
POOL = 4


class Queue(NamedTuple):
    """How many jobs run at once, whether they may call others, and what they do."""

    at_once: int
    calls: bool
    words: str


QUEUES = {
    "quick": Queue(1, False, "rebuilds, what is told of events, invoices"),
    "mail": Queue(2, True, "mails"),
    "long": Queue(1, False, "imports, upkeep, proofs"),
    "payments": Queue(8, True, "payments and refunds at providers"),
    "outward": Queue(8, True, "other calls to somebody else"),
    "timers": Queue(1, False, "deadlines of orders and refunds"),
}


class Misplaced(Exception):
    """A job waits in another queue than its own: a former release put it there."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"it belongs to the queue {queue}")
        self.queue = queue


def threads(queues: Sequence[str]) -> int:
    """Return how many jobs of these queues may run at once, all together."""
    return sum(QUEUES[name].at_once for name in queues)


def connections(queues: Sequence[str]) -> int:
    """Return how many connections jobs of these queues may hold for long.

    A job that calls a partner holds none while it calls; a mail does, since its code is written in
    the same transaction.
    """
    holding = [name for name in queues if not QUEUES[name].calls or name == "mail"]
    return sum(QUEUES[name].at_once for name in holding)


async def in_its_queue(run: Callable[[], Awaitable[Any]], context: JobContext, loop: Loop) -> Any:
    """Run a job where it belongs, and let it call somebody else only if its queue may."""
    task = context.app.tasks.get(context.job.task_name)
    if task is not None and task.queue != context.job.queue:
        raise Misplaced(task.queue)
    if QUEUES[context.job.queue].calls:
        return await run()
    with http.closed(f"jobs of the queue {context.job.queue} call nobody"):
        return await run()
