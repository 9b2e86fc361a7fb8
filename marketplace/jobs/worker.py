"""The worker: one process that runs the jobs of some queues, or all, until it is told to stop.

Each queue has a loop of its own and threads enough for all its jobs, so that no queue waits for
another: not a quick job for an import, nor a mail for a partner who is silent. A loop that fails
because the database went away is started again; living workers take over the jobs of those that
died.
"""

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial

import procrastinate
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.jobs import Status

from marketplace.config.settings import Config
from marketplace.files.stores import of_private, of_uploads
from marketplace.integrations import mail
from marketplace.integrations.payments.providers import guarded
from marketplace.jobs import queues, registry
from marketplace.jobs.queues import QUEUES
from marketplace.postgres.database import Database
from marketplace.queries import jobs as statements
from marketplace.workflows import payment_sessions
from marketplace.workflows.imports import PASSING

#: Threads beside those of jobs: names are resolved in them.
SPARE = 4
HEARTBEAT = 5.0
#: A worker without a heartbeat for so many seconds is dead, and its jobs are anybody's.
DEAD = 30.0
RESCUE = 10.0
KNOCK = 5.0
PAUSE = 2.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)
log = logging.getLogger("marketplace.worker")


class Worker:
    """Runs the jobs of some queues; `run` returns after SIGTERM or SIGINT, when no job is in the
    middle.
    """

    def __init__(self, config: Config, names: Sequence[str] = tuple(QUEUES)) -> None:
        self._queues = names
        self._db = Database.of_worker(config, more=queues.connections(names))
        self._alive: set[str] = set()
        self._stopping = threading.Event()
        self._means = registry.Means(
            config=config,
            db=self._db,
            private=of_private(config),
            uploads=of_uploads(config),
            deliver=mail.deliverer(config),
            providers=guarded(config, partial(payment_sessions.tell_silent, self._db)),
            stopping=self._stopping.is_set,
        )

    def run(self) -> None:
        """Work until told to stop."""
        try:
            asyncio.run(self._run())
        finally:
            self._db.close()

    async def _run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        # Python's own has six threads on two cores: they could all wait for one partner.
        threads = queues.threads(self._queues) + SPARE
        loop.set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="job"))

        def end() -> None:
            if not stop.is_set():
                log.info("worker stops when its jobs have come to a halt")
            self._stopping.set()
            stop.set()

        for number in SIGNALS:
            loop.add_signal_handler(number, end)
        app = registry.create_app(self._means)
        while not stop.is_set():
            try:
                async with app.open_async():
                    await self._work(app, stop)
            except (ConnectorException, *PASSING) as error:
                log.warning("the queue cannot be reached", extra={"error": _first_line(error)})
                await _wait(stop, PAUSE)

    async def _work(self, app: procrastinate.App, stop: asyncio.Event) -> None:
        """Run all loops until told to stop; then they end in good order."""
        with contextlib.suppress(AlreadyEnqueued):
            await app.tasks["upkeep"].configure(queueing_lock="upkeep").defer_async()
        log.info("worker runs jobs of %s", " and ".join(self._queues))
        loops = [asyncio.create_task(self._keep(app, queue, stop)) for queue in self._queues]
        loops.append(asyncio.create_task(_rescue(app, stop)))
        loops.append(asyncio.create_task(self._sign(app, stop)))
        await stop.wait()
        for each in loops:
            # For a queue's loop it means: take no more jobs, end when the running ones have ended.
            each.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    async def _keep(self, app: procrastinate.App, queue: str, stop: asyncio.Event) -> None:
        """Run the jobs of one queue; start again whenever that fails."""
        while not stop.is_set():
            self._alive.add(queue)
            try:
                await app.run_worker_async(
                    queues=[queue],
                    name=queue,
                    concurrency=QUEUES[queue].at_once,
                    fetch_job_polling_interval=queues.POLL,
                    install_signal_handlers=False,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=DEAD,
                    worker_middleware=[queues.in_its_queue],
                )
            except Exception as error:
                self._alive.discard(queue)
                extra = {"error": _first_line(error)}
                log.warning("the %s queue stopped, beginning again", queue, extra=extra)
            await _wait(stop, PAUSE)

    async def _sign(self, app: procrastinate.App, stop: asyncio.Event) -> None:
        """Show again and again whose jobs are taken here."""
        while not stop.is_set():
            try:
                await asyncio.wait_for(statements.sign(app.connector, sorted(self._alive)), KNOCK)
            except (asyncio.TimeoutError, ConnectorException, *PASSING) as error:
                log.warning("the queues were not signed", extra={"error": _first_line(error)})
            await _wait(stop, RESCUE)


async def _rescue(app: procrastinate.App, stop: asyncio.Event) -> None:
    """Give back the jobs of workers that died, again and again.

    While the database is away this also makes the pool try to connect every few seconds.
    """
    while not stop.is_set():
        pause = RESCUE
        try:
            await asyncio.wait_for(_give_back(app), KNOCK)
        except asyncio.TimeoutError:
            log.warning("the queue does not respond")
            pause = PAUSE
        except (ConnectorException, *PASSING) as error:  # also if another worker was quicker
            log.warning(
                "a job of a dead worker was not taken up", extra={"error": _first_line(error)}
            )
            pause = PAUSE
        await _wait(stop, pause)


async def _give_back(app: procrastinate.App) -> None:
    manager = app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=DEAD):
        log.warning(
            "a worker died, its job is taken up", extra={"job": f"{job.task_name}[{job.id}]"}
        )
        try:
            await manager.retry_job(job, retry_at=datetime.now(timezone.utc))
        except UniqueViolation:  # of jobs that need to be done only once, another one is waiting
            await manager.finish_job_by_id_async(job.id or 0, Status.FAILED, delete_job=True)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _first_line(error: BaseException) -> str:
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {cause}".splitlines()[0][:300]
