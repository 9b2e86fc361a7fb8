"""Retries: of jobs that failed for a reason that passes, and of statements that a dying connection
may have lost.
"""

import asyncio
import logging
from typing import Any

import procrastinate
import psycopg
from procrastinate import RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from marketplace.jobs.queues import Misplaced
from marketplace.workflows.imports import PASSING
from marketplace.workflows.product_documents import Interrupted

log = logging.getLogger("marketplace.jobs")

#: With a minute between them, about an hour and a half.
ATTEMPTS = 100
LONGEST_WAIT = 60
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 5.0)


class Retry(procrastinate.BaseRetryStrategy):
    """Retries what failed for a reason that passes: a stop of the worker, a database that was away;
    `others`.
    """

    def __init__(self, *others: type[Exception]) -> None:
        self._passing = (*PASSING, *others)

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when (and in which queue) to try again; None for a bug, or after very many
        attempts.
        """
        if isinstance(exception, Misplaced):
            return RetryDecision(retry_in={"seconds": 0}, queue=exception.queue)
        if isinstance(exception, Interrupted):
            return RetryDecision(retry_in={"seconds": 0})
        if not isinstance(exception, self._passing) or job.attempts >= ATTEMPTS:
            return None
        wait = min(2 ** min(job.attempts, 6), LONGEST_WAIT)
        log.warning(
            "job failed, to be tried again in %s s",
            wait,
            extra={"job": f"{job.task_name}[{job.id}]", "error": type(exception).__name__},
        )
        return RetryDecision(retry_in={"seconds": wait})


class Connector(procrastinate.PsycopgConnector):
    """Repeats what a dying connection may have lost: the outcome of a job, above all.

    A job whose end nobody recorded would count as running for as long as its worker lives. Doing it
    twice does no harm: the queue refuses to end what has ended.
    """

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Like the library's, with some seconds of patience."""
        for wait in PAUSES:
            try:
                await super().execute_query_async(query, **arguments)
                return
            except ConnectorException as error:
                if not isinstance(
                    error.__cause__, (psycopg.OperationalError, psycopg.InterfaceError)
                ):
                    raise
                log.warning(
                    "the queue did not hear", extra={"error": type(error.__cause__).__name__}
                )
                await asyncio.sleep(wait)
        await super().execute_query_async(query, **arguments)
