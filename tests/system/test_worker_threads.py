"""The worker gives its threads to requests that are there, in the order in which they came."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.held import Held


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Held]]:
    with contextlib.ExitStack() as stack:

        def started(*lines: str) -> Held:
            made = Held(tmp_path, *lines)
            stack.callback(made.close)
            return made

        yield started


def test_slow_clients_hold_no_thread_and_not_the_main_loop(start: Callable[..., Held]):
    """Two threads, and ten times as many of each kind; none of them ever goes on."""
    server = start("threads = 2")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(20)]
        for each in clients[:5]:
            each.send(more=b"GET / HTTP/1.1\r\nHos")  # a request and a part of the next one
            each.answer()
        for each in clients[5:10]:
            each.send(more=b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1")
            each.answer()
        for each in clients[10:]:
            each.send(head="Connection: close\r\n")  # and reads no end of it
            assert each.answer()[1] is False
        with server.client() as other:
            assert other.get()[1]
        for each in clients[:5]:
            each.sock.sendall(b"t: x\r\n\r\n")
            assert each.answer()[1]


def test_a_busy_connection_lets_others_come_in_turn(start: Callable[..., Held]):
    """One thread: it serves one request of each connection that has one, then the next."""
    server = start("threads = 1")
    with server.client() as busy, server.client() as other:
        busy.get()
        other.get()
        with server.hold():
            busy.send(times=100)
            other.send()
        numbers = [busy.answer()[0] for _ in range(100)]
        assert numbers == sorted(numbers)
        assert other.answer()[0] < numbers[-1]


def test_places_for_connections_come_back(start: Callable[..., Held]):
    server = start("threads = 1", "worker_connections = 4")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(server.client()) for _ in range(4)]
        for each in held:
            each.get()
        with server.client() as waiting:
            waiting.send()
            held[0].sock.close()  # a place for the one that waits
            assert waiting.answer()


def test_what_waits_too_long_is_closed(start: Callable[..., Held]):
    server = start(
        "keepalive = 1", "from marketplace.server import connections", "connections.ARRIVAL = 3"
    )
    with server.client() as kept, server.client() as slow, server.client() as silent:
        assert kept.get()[1]
        slow.sock.sendall(b"GET / HT")
        assert silent.closed()
        assert slow.closed()
        assert kept.closed()


def test_a_worker_at_its_last_request_says_so_and_another_goes_on(start: Callable[..., Held]):
    server = start("max_requests = 4")
    with server.client() as kept, server.client() as last:
        kept.get()
        assert last.get() == (3, True)
        assert last.get() == (4, False)
        assert last.closed()
        assert kept.closed()
    with server.client() as after:
        assert after.get() == (1, True)


def test_a_worker_that_stops_finishes_what_is_under_way(start: Callable[..., Held]):
    server = start("threads = 1")
    with server.client() as kept:
        kept.get()
        with server.client() as busy:
            server.wait_for(busy)
            busy.send()  # the next one already, behind what is held
            server.process.send_signal(signal.SIGTERM)
            assert kept.closed()  # so the worker knows
            server.held.touch()
            assert busy.answer()[1]  # it began before that
            assert busy.answer()[1] is False
    assert server.process.wait(20) == 0
