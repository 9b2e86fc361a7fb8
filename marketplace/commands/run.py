"""run: everything at once: database, migrations, demo shop at the first start, API and job worker.

Ctrl-C stops all of it. When one part dies the rest is stopped too. When this process itself is
killed, the API and the worker end by themselves (Linux), and the next run takes the database over.
"""

import argparse
import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from marketplace import demo
from marketplace.config import checked, settings
from marketplace.config.env import ConfigError
from marketplace.config.folders import HOME, INSTALLED, LOGINS, command, gunicorn_conf
from marketplace.config.settings import Config
from marketplace.demo import unfinished
from marketplace.integrations import http
from marketplace.integrations.addresses import Guard
from marketplace.postgres import migrations
from marketplace.postgres.embedded import provision

own_database = True
READY_SECONDS = 60
STOP_SECONDS = 30
PORT_SECONDS = 5  # a server whose `run` was killed needs a moment to leave
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Child = subprocess.Popen[bytes]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The option that `make run` adds: so that a killed make leaves nothing behind."""
    parser.add_argument(
        "--with-parent", action="store_true", help="stop when the parent process ends (Linux)"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes (0) or a part dies (1)."""
    if args.with_parent:
        _end_with_parent(signal.SIGTERM)()
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    config = settings.load()
    if not config.s3_bucket:
        checked.made("UPLOADS_DIR", config.uploads_dir)
    _require_port(config)
    try:
        unfinished.discard(config, print)
        with provision.connected() as embedded:
            config = settings.load()
            migrations.migrate(config.migrate_database_url, print)
            if embedded and not demo.load(config, print) and (config.data_dir / LOGINS).exists():
                print(f"Demo logins are in {config.data_dir / LOGINS}")
            return _serve(config)
    except KeyboardInterrupt:
        print("Stopped.")
        return 0


def _interrupt(number: int, frame: object) -> NoReturn:
    """The first signal ends the work; later ones must not disturb the cleanup."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _serve(config: Config) -> int:
    children: dict[str, Child] = {}
    try:
        port = _pretend_port(config) if not (config.production or config.pretend_url) else None
        if port is not None:
            os.environ["PRETEND_URL"] = f"http://127.0.0.1:{port}"
        children["API"] = _start(
            config, "gunicorn", "-c", str(gunicorn_conf()), "marketplace.app:create_app()"
        )
        children["worker"] = _start(config, "marketplace", "worker")
        if port is not None:
            words = ("--port", str(port), "--shop", _address(config))
            children["pretend provider"] = _start(config, "marketplace", "pretend-provider", *words)
        if _ready(config, children):
            _announce(config, children["API"])
        while (dead := _dead(children)) is None:
            time.sleep(0.2)
        print(
            f"The {dead} ended with status {children[dead].returncode}; stopping the rest.",
            file=sys.stderr,
        )
        return 1
    finally:
        for child in children.values():  # the API first: it makes work for the worker
            _stop(child)


def _start(config: Config, *module: str) -> Child:
    """Start a Python module as a child in a group of its own: Ctrl-C reaches us alone, and we stop
    it in order.
    """
    farewell = signal.SIGTERM
    env = {
        "MALLOC_MMAP_THRESHOLD_": "1048576",
        **os.environ,
    }  # glibc returns the memory of large images
    env.update({"DATA_DIR": str(config.data_dir), "UPLOADS_DIR": str(config.uploads_dir)})
    if module[0] == "gunicorn":
        env.pop("MIGRATE_DATABASE_URL", None)
        env.pop("WORKER_DATABASE_URL", None)
        farewell = signal.SIGQUIT  # at once: the next run is waiting for the port
    return subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=HOME,
        env=env,
        start_new_session=True,
        preexec_fn=_end_with_parent(farewell),
    )


def _end_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return a function that asks the kernel for a signal when the parent ends; outside Linux it
    does nothing.
    """
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(1, number)  # 1 is PR_SET_PDEATHSIG


def _stop(child: Child) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _dead(children: dict[str, Child]) -> str | None:
    return next((name for name, child in children.items() if child.poll() is not None), None)


def _ready(config: Config, children: dict[str, Child]) -> bool:
    """Wait until /readyz returns 200; False if a child dies meanwhile or it takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while _dead(children) is None and time.monotonic() < deadline:
        try:
            url = f"{_address(config)}/readyz"
            guard = Guard.configured(url)
            if http.request("GET", url, guard=guard, provider="api", call="readyz").status == 200:
                return True
        except http.Silent:
            time.sleep(0.1)
    if _dead(children) is None:
        print(
            f"Not ready after {READY_SECONDS} seconds; the log above may say why.", file=sys.stderr
        )
    return False


def _pretend_port(config: Config) -> int:
    """Return a free port for the pretend provider: the one of last time, since addresses of its
    page are kept.
    """
    checked.made("DATA_DIR", config.data_dir)
    kept = config.data_dir / "pretend.port"
    last = kept.read_text() if kept.exists() else ""
    for wanted in (int(last) if last.isdigit() else 0, 0):
        try:
            with socket.create_server(("127.0.0.1", wanted)) as probe:
                port = int(probe.getsockname()[1])
        except OSError:
            continue
        kept.write_text(str(port))
        return port
    raise ConfigError("No port of this machine is free.")


def _require_port(config: Config) -> None:
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
            return
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            raise ConfigError(_cannot_listen(config, error)) from error


def _cannot_listen(config: Config, error: OSError) -> str:
    reason = f"Cannot listen on {config.host} port {config.port} ({error.strerror or error});"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return (
            f"{reason} BIND must be an address of this machine: {command('run', BIND='127.0.0.1')}."
        )
    if error.errno == errno.EACCES:
        return f"{reason} ports below 1024 are root's: {command('run', PORT=8001)}."
    return f"{reason} stop what is there, or choose another: {command('run', PORT=8001)}."


def _address(config: Config) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.host, config.host)  # noqa: S104 - compared, not bound
    return (
        f"http://[{host}]:{config.port}"
        if ":" in host and "[" not in host
        else f"http://{host}:{config.port}"
    )


def _announce(config: Config, api: Child) -> None:
    print(
        f"\nMarketplace is up.\n  API      {_address(config)}/api/products"
        f"{'' if INSTALLED else '   (described in docs/api.md)'}"
    )
    print(f"  try it   {_address(config)}/docs")
    if "PRETEND_URL" in os.environ:
        print(f"  pay      {os.environ['PRETEND_URL']}   (a pretend provider, no money)")
    if config.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        print(f"  phones   http://{_own_address()}:{config.port} in the same network")
    if (logins := config.data_dir / LOGINS).exists():
        print(f"  logins   {logins}")
    print(f"  psql     {command('psql')}")
    print(f"  SQL      after an edit: {command('check-sql')} && kill -HUP {api.pid}")
    print("  stop     Ctrl-C\n", flush=True)


def _own_address() -> str:
    """Return this machine's address in its network, as far as the routing table tells; nothing is
    sent.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
