"""Writers and readers that do what a careful app does, and keep a record of every answer."""

import http.client
import itertools
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from system.ha.hosts import Host

PASSWORD = "kopi-susu-tanpa-gula-7"
#: No request may hang for longer than this; seconds.
TIMEOUT = 10.0
#: A pause between writes of one writer, so that two cores have room for the rest; seconds.
PAUSE = 0.02


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its document."""
        return json.loads(self.body)


class Client:
    """One kept-alive connection to a host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._conn = http.client.HTTPConnection("127.0.0.1", host.port, timeout=TIMEOUT)

    def call(
        self, method: str, path: str, document: Any = None, token: str = "", **headers: str
    ) -> Answer:
        """Send one request. Raises OSError or HTTPException where no answer comes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        body = None
        if document is not None:
            body, sent["Content-Type"] = json.dumps(document).encode(), "application/json"
        return self._exchange(method, path, body, sent)

    def post_file(self, path: str, part: str, name: str, content: bytes, token: str) -> Answer:
        """Send one file as multipart."""
        head = (
            f'--limit\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'
        )
        body = head.encode() + content + b"\r\n--limit--\r\n"
        sent = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "multipart/form-data; boundary=limit",
        }
        return self._exchange("POST", path, body, sent)

    def _exchange(self, method: str, path: str, body: bytes | None, sent: dict[str, str]) -> Answer:
        try:
            self._conn.request(method, path, body, sent)
            raw = self._conn.getresponse()
            return Answer(
                raw.status, {name.lower(): value for name, value in raw.getheaders()}, raw.read()
            )
        except (OSError, http.client.HTTPException):
            self._conn.close()
            raise


def seller(host: Host, name: str) -> str:
    """A new seller with a store; the access token."""
    client = Client(host)
    body = {"name": name, "email": f"{name}@t.example", "password": PASSWORD, "role": "seller"}
    token = str(client.call("POST", "/api/auth/register", body).json["access_token"])
    answer = client.call("POST", "/api/stores", {"name": f"Toko {name}"}, token)
    if answer.status != 201:
        raise SystemExit(f"a store cannot be opened: {answer}")
    return token


class Record:
    """What writers and readers met, from all threads."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, int] = {}
        self.written_at: list[float] = []
        self.read_at: list[float] = []
        self.refused: list[int] = []
        self.wrong: list[str] = []
        self.cut: dict[str, int] = {}
        self.never: list[str] = []
        self.longest = 0.0
        self._lock = threading.Lock()

    def note(self, client: Client, answer: Answer | None, seconds: float, reading: bool) -> None:
        """Judge one answer, or that none came."""
        with self._lock:
            self.longest = max(self.longest, seconds)
            if answer is None:
                self.cut[client.host.name] = self.cut.get(client.host.name, 0) + 1
            elif answer.status in (200, 201):
                (self.read_at if reading else self.written_at).append(time.monotonic())
            elif answer.status == 503 or b"request_in_progress" in answer.body:
                self.refused.append(answer.status)
                if "retry-after" not in answer.headers:
                    self.wrong.append(f"{answer.status} without Retry-After")
            else:
                self.wrong.append(f"{answer.status} {answer.body[:200]!r}")


class Load:
    """Four writers and two readers over all hosts."""

    def __init__(self, hosts: list[Host], token: str, name: str) -> None:
        self.record = Record()
        self._hosts = hosts
        self._token = token
        self._name = name
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(number,)) for number in range(4)
        ]
        self._threads += [
            threading.Thread(target=self._read, args=(number,)) for number in range(2)
        ]

    @contextmanager
    def running(self) -> Iterator[Record]:
        """The load runs for the length of the block; at its end every write has been
        acknowledged, or never will be.
        """
        for thread in self._threads:
            thread.start()
        try:
            yield self.record
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def _write(self, number: int) -> None:
        clients = [Client(host) for host in self._hosts]
        turn, made = number, 0
        while not self._stop.is_set():
            made += 1
            name = f"ha {self._name} {number} {made}"
            turn = self._create(clients, turn, name)
            time.sleep(PAUSE)

    def _create(self, clients: list[Client], turn: int, name: str) -> int:
        """Make a product, with one key for all attempts; whose host does not answer goes to the
        next one.
        """
        key, deadline = str(uuid.uuid4()), time.monotonic() + 120
        while time.monotonic() < deadline:
            client = clients[turn % len(clients)]
            answer = self._send(
                client, "POST", "/api/products", {"name": name, "price": "5", "stock": 3}, key
            )
            if answer is not None and answer.status == 201:
                self.record.acknowledged[name] = answer.json["id"]
                return turn
            if answer is None:
                turn += 1
                time.sleep(0.1)
            else:
                time.sleep(float(answer.headers.get("retry-after", "1")))
        self.record.never.append(name)
        return turn

    def _read(self, number: int) -> None:
        clients = [Client(host) for host in self._hosts]
        turn = number
        while not self._stop.is_set():
            answer = self._send(clients[turn % len(clients)], "GET", "/api/products?per_page=5")
            if answer is None:
                turn += 1
            time.sleep(PAUSE if answer is not None and answer.status == 200 else 0.2)

    def _send(
        self, client: Client, method: str, path: str, document: Any = None, key: str = ""
    ) -> Answer | None:
        headers = {"Idempotency_Key": key} if key else {}
        started = time.monotonic()
        try:
            answer = client.call(method, path, document, self._token if key else "", **headers)
        except (OSError, http.client.HTTPException):
            answer = None
        self.record.note(client, answer, time.monotonic() - started, reading=not key)
        return answer


def gap(times: list[float], start: float, end: float) -> float:
    """The longest time between two successes, from the last one before `start` on; seconds."""
    before = [time for time in times if time < start][-1:] or [start]
    within = sorted(time for time in times if start <= time <= end)
    points = [*before, *within, end]
    return max(later - earlier for earlier, later in itertools.pairwise(points))
