"""A real gunicorn whose users send files that kill decoders: nobody else notices."""

import http.client
import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PASSWORD, created, multipart
from support.heic_files import NO_TEXT, heic
from support.images import photo
from support.processes import until
from support.server import Server

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into Linux's /proc"),
]


@pytest.fixture
def server(owner_url: str, template: str, tmp_path: Path) -> Iterator[Server]:
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        server = Server(url, tmp_path, RATE_LIMITS="off")
        yield server
        server.process.kill()
        server.process.wait()


def signed_up(server: Server) -> str:
    body = {"name": "Sari", "email": f"{secrets.token_hex(5)}@example.com", "password": PASSWORD}
    status, answer = server.call(
        "POST", "/api/auth/register", json.dumps(body).encode(), Content_Type="application/json"
    )
    assert status == 201, answer
    return str(answer["access_token"])


def send(server: Server, token: str, data: bytes) -> tuple[int, dict]:
    body, kind = multipart([("avatar", "foto", data)], {})
    return server.call(
        "POST", "/api/users/upload-avatar", body, Authorization=f"Bearer {token}", Content_Type=kind
    )


def decoders(server: Server) -> list[int]:
    """Decoder processes of the workers."""
    return [each for worker in server.workers() for each in of_worker(worker)]


def of_worker(worker: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{worker}/task").iterdir():
        found += [int(pid) for pid in (task / "children").read_text().split()]
    return found


def test_readers_go_on_while_decoders_die(server: Server):
    token, workers = signed_up(server), server.workers()
    statuses: list[int] = []
    broken: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                statuses.append(server.call("GET", "/api/products?per_page=20")[0])
            except (OSError, http.client.HTTPException) as error:
                broken.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    answers = [send(server, token, heic(kind)) for kind in NO_TEXT * 3]
    done.set()
    for reader in readers:
        reader.join()
    assert {status for status, _ in answers} == {422}
    assert {answer["code"] for _, answer in answers} == {"picture_refused"}
    assert not broken
    assert set(statuses) == {200}
    assert server.workers() == workers
    assert send(server, token, photo(1))[0] == 200
    crashes = [
        line for line in server.log.read_text().splitlines() if "an image broke its decoder" in line
    ]
    assert len(crashes) == 9
    assert all("SHA-256" in json.loads(line)["error"] for line in crashes)
    assert all(json.loads(line)["request_id"] for line in crashes)


def test_each_worker_has_one_decoder_at_most_and_takes_it_with_it(server: Server):
    token = signed_up(server)
    for number in range(12):
        assert send(server, token, photo(number))[0] == 200
    first = decoders(server)
    assert 1 <= len(first) <= len(server.workers())

    owner = next(worker for worker in server.workers() if of_worker(worker))
    orphans = of_worker(owner)
    os.kill(owner, signal.SIGKILL)
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))

    old = server.workers()
    server.process.send_signal(signal.SIGHUP)
    assert until(lambda: not set(server.workers()) & set(old) and len(server.workers()) == 2, 60)
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in first))
    assert send(server, token, photo(99))[0] == 200

    last = decoders(server)
    assert server.stop() == 0
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in last))
