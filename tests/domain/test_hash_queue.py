"""The queue before the hashing of passwords: bounded, and fair between addresses."""

import os
import threading
import time
from collections.abc import Callable

import pytest

from marketplace.contract.errors import Problem
from marketplace.security.hash_queue import NICENESS, HashQueue


def a_queue(at_once: int = 1, places: int = 8, of_one: int = 4, patience: float = 5) -> HashQueue:
    return HashQueue(at_once=at_once, places=places, of_one_address=of_one, patience=patience)


class Slow:
    """Work that waits until it is let go, and notes whose turn it was."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.order: list[str] = []

    def by(self, name: str) -> Callable[[], bytes]:
        def work() -> bytes:
            assert self.go.acquire(timeout=5)
            self.order.append(name)
            return name.encode()

        return work


def started(queue: HashQueue, slow: Slow, names: str) -> list[threading.Thread]:
    """A request for each letter, which is its address, one after the other."""
    threads = []
    for name in names:
        thread = threading.Thread(target=queue.compute, args=(slow.by(name), name))
        thread.start()
        threads.append(thread)
        time.sleep(0.02)
    return threads


def test_addresses_take_turns():
    queue, slow = a_queue(), Slow()
    threads = started(queue, slow, "aaaabc")
    for _ in threads:
        slow.go.release()
    for thread in threads:
        thread.join(5)
    assert slow.order == ["a", "a", "b", "c", "a", "a"]


def test_what_is_too_much_is_refused_at_once():
    queue, slow = a_queue(), Slow()
    threads = started(queue, slow, "aaaa")
    with pytest.raises(Problem, match="Too many sign-ins"):
        queue.compute(slow.by("a"), "a")
    threads += started(queue, slow, "bcde")
    with pytest.raises(Problem, match="Too many sign-ins"):
        queue.compute(slow.by("f"), "f")
    for _ in threads:
        slow.go.release()
    for thread in threads:
        thread.join(5)
    slow.go.release()
    assert queue.compute(slow.by("f"), "f") == b"f", "places are given back"


def test_who_has_waited_too_long_is_told_so_and_costs_nothing_more():
    queue, slow = a_queue(patience=0.2), Slow()

    def wait() -> None:
        with pytest.raises(Problem):
            queue.compute(slow.by("a"), "a")

    held = threading.Thread(target=wait)
    held.start()
    time.sleep(0.05)
    with pytest.raises(Problem):
        queue.compute(slow.by("b"), "b")
    held.join(5)
    slow.go.release()
    slow.go.release()
    assert queue.compute(slow.by("c"), "c") == b"c"
    assert slow.order == ["a", "c"], "b was not computed for nobody"


def test_a_failure_is_its_own_requests_alone():
    queue = a_queue()
    with pytest.raises(ZeroDivisionError):
        queue.compute(lambda: bytes(1 // 0), "a")
    assert queue.compute(lambda: b"x", "a") == b"x"


def test_judging_is_one_at_a_time_and_bounded():
    queue, slow = a_queue(), Slow()
    threads = [
        threading.Thread(target=queue.compute_here, args=(lambda: slow.by("a")() and None, "a"))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    with pytest.raises(Problem):
        queue.compute_here(lambda: None, "a")
    for _ in threads:
        slow.go.release()
    for thread in threads:
        thread.join(5)
    assert slow.order == ["a"] * 4


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="Linux has a niceness a thread")  # noqa: PTH110
def test_hashing_steps_back():
    queue = a_queue()

    def niceness() -> bytes:
        return str(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).encode()

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert int(queue.compute(niceness, None)) == min(before + NICENESS, 19)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
