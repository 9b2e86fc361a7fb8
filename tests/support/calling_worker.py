"""The worker with two more jobs: a call to somebody else, in a queue that may make one and in one
that may not.

    python -m support.calling_worker [QUEUE ...]

Everything else is the worker as it runs on a server.
"""

import sys

import procrastinate

from marketplace.config import settings
from marketplace.integrations import http
from marketplace.integrations.addresses import Guard
from marketplace.jobs import registry
from marketplace.jobs.queues import QUEUES
from marketplace.jobs.worker import Worker
from marketplace.telemetry import logs


def call(url: str) -> None:
    """Call a partner, as an adapter of a provider does."""
    http.request("POST", url, guard=Guard.configured(url), provider="partner", call="wait")


def with_calls(means: registry.Means) -> procrastinate.App:
    """The queue with its jobs, and a job `call_from_QUEUE` for each queue."""
    app = create_app(means)
    for queue in QUEUES:
        app.task(name=f"call_from_{queue}", queue=queue)(call)
    return app


create_app, registry.create_app = registry.create_app, with_calls

if __name__ == "__main__":
    config = settings.load()
    logs.install(config.log_level)
    Worker(config, sys.argv[1:] or tuple(QUEUES)).run()
