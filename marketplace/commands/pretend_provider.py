"""pretend-provider: serves the pretend payment provider on this machine; make run starts it."""

import argparse
import signal
import threading

from marketplace.config import settings
from marketplace.config.env import ConfigError
from marketplace.demo import pretend_provider
from marketplace.telemetry import logs

own_database = True  # it has none


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The port is that of PRETEND_URL."""
    parser.add_argument("--port", type=int, required=True, help="a port of this machine")
    parser.add_argument("--shop", help="the API's address: http://127.0.0.1:8000")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Refused in production."""
    config = settings.load()
    if config.production:
        raise ConfigError("There is no pretend provider when MARKETPLACE_ENV=production.")
    logs.install(config.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    pretend_provider.serve(config, args.port, args.shop, stop.is_set)
    return 0
