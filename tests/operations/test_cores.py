"""How many workers a machine has: from one core to 64, in containers, with little memory."""

from pathlib import Path

import pytest

from marketplace.server import workers as server_workers

GIGABYTE = 1024**3


@pytest.mark.parametrize(
    ("count", "workers"),
    [(1, 2), (2, 3), (4, 5), (8, 9), (16, 17), (23, 24), (24, 24), (32, 24), (64, 24)],
)
def test_there_is_a_worker_for_each_core_and_one_more_as_far_as_connections_go(
    count: int, workers: int
):
    assert server_workers.planned(count, 256 * GIGABYTE, 4) == workers


def test_a_reload_has_room_for_old_and_new_on_any_machine():
    for count in range(1, 65):
        for pool_size in (1, 2, 4, 8, 100):
            workers = server_workers.planned(count, 256 * GIGABYTE, pool_size)
            assert 1 <= workers <= count + 1
            assert workers == 1 or 2 * workers * pool_size <= 200, (
                "CONNECTION LIMIT in sql/admin/settings.sql"
            )


def test_little_memory_has_fewer_and_never_none():
    assert server_workers.planned(8, GIGABYTE // 2, 4) == 2
    assert server_workers.planned(8, GIGABYTE // 16, 4) == 1


def test_what_is_said_is_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "7")
    assert server_workers.workers(4) == 7


@pytest.mark.parametrize(
    ("quota", "usable"), [("max 100000", 64), ("50000 100000", 1), ("250000 100000", 3)]
)
def test_a_container_has_its_share_of_the_hosts_cores_and_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, usable: int
):
    own = tmp_path / "groups" / "system.slice" / "shop.service"
    own.mkdir(parents=True)
    (own.parent / "cpu.max").write_text(f"{quota}\n")
    (own / "cpu.max").write_text("max 100000\n")
    (own / "memory.max").write_text("1073741824\n")
    (tmp_path / "own").write_text("1:cpu:/\n0::/system.slice/shop.service\n")
    monkeypatch.setattr(server_workers, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(server_workers, "_OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(
        server_workers.os, "sched_getaffinity", lambda pid: set(range(64)), raising=False
    )
    assert server_workers.usable() == usable
    assert server_workers.memory() == GIGABYTE


def test_a_process_that_is_pinned_counts_what_it_may_run_on():
    assert 1 <= server_workers.usable() <= 4096
    assert server_workers.memory() > 0


@pytest.mark.parametrize("given", ["0", "-1", "two", "²"])
def test_a_number_of_workers_that_serves_nobody_is_refused(
    given: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WEB_CONCURRENCY", given)
    with pytest.raises(ValueError, match="WEB_CONCURRENCY must be"):
        server_workers.workers(4)
