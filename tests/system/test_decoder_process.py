"""Images are decoded in a process of their own: whatever a file does to it, the API lives, and says
422.
"""

import contextlib
import hashlib
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from conftest import Api
from PIL import Image
from support.heic_files import NO_TEXT, heic
from support.processes import children, is_there, until
from support.responses import problem

from marketplace.config.settings import ROOT
from marketplace.files import decoder_pool
from marketplace.files import images as pictures
from marketplace.files.decoder_messages import Limits
from marketplace.files.images import ImageRefused, ImagesBusy, SizedImage
from marketplace.telemetry import metrics

PIXELS = 50_000_000
LIMITS = Limits.of_pixels(PIXELS)
pytestmark = pytest.mark.alone
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into Linux's /proc")


def make(data: bytes, limits: Limits = LIMITS) -> SizedImage:
    return pictures.make(data, max_bytes=100 << 20, max_pixels=PIXELS, within=limits, wait=60.0)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@cache
def small() -> bytes:
    return saved(Image.effect_noise((90, 60), 70))


@cache
def slow() -> bytes:
    """A JPEG of seconds, on a fast machine too: the largest that is allowed, and the scan that costs
    the most, of all components of all blocks, again and again, as often as is allowed.
    """
    image = Image.new("RGB", (7000, 7000), "red")
    data = saved(image, "JPEG", progressive=True, subsampling=0)
    first = data.find(b"\xff\xda")
    scan = data[first : data.find(b"\xff\xda", first + 2)]
    return data[:-2] + scan * 50 + data[-2:]


def refusal(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(ImageRefused) as refused:
        make(data, limits)
    return refused.value.code


def process() -> int:
    """The decoder process of this one."""
    found = pictures._decoder._process
    assert found is not None
    return found.pid


def counted(outcome: str) -> float:
    return metrics.DECODED.labels(outcome)._value.get()


@contextmanager
def while_decoding(act) -> Iterator[None]:
    """Call `act` with the process ids of the decoder and of its child, once, as soon as an image is
    decoded.
    """
    make(small())
    done = threading.Event()

    def watch() -> None:
        parent = process()
        while not done.is_set():
            for child in children(parent):
                act(parent, child)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# What a file does to its decoder


@pytest.mark.parametrize("kind", NO_TEXT, ids=bytes.hex)
def test_a_heic_that_ends_its_decoder_is_refused_and_everybody_else_goes_on(kind, caplog):
    data, before = heic(kind), counted("crashed")
    made = make(small())
    decoder = process()
    with caplog.at_level(logging.ERROR):
        assert refusal(data) == "picture_damaged"
    assert counted("crashed") == before + 1
    (line,) = caplog.records
    assert hashlib.sha256(data).hexdigest() in line.error
    assert "HEIF" in line.error
    assert f"{len(data)} bytes" in line.error
    assert make(small()) == made
    assert process() == decoder, "no other one had to be started"


def test_a_heic_without_pixels_is_refused():
    before = counted("refused")
    assert refusal(heic()) == "picture_damaged"
    assert counted("refused") == before + 1


def test_such_a_heic_is_a_422_at_every_door(api: Api):
    buyer, seller = api.buyer(), api.seller()
    product = api.product(seller)
    for user, path, part in (
        (buyer, "/api/users/upload-avatar", "avatar"),
        (seller, f"/api/products/{product['id']}/images", "images"),
    ):
        for kind in (*NO_TEXT, b"Exif"):
            found = problem(
                api.upload(path, user, [(part, "foto.heic", heic(kind))]), 422, "picture_refused"
            )
            assert found["errors"][0]["code"] == "picture_damaged"


@linux
def test_a_decoder_that_is_killed_refuses_its_image():
    with while_decoding(lambda _, child: os.kill(child, signal.SIGKILL)):
        assert refusal(slow()) == "picture_damaged"
    assert make(small())


@linux
def test_an_image_is_decoded_again_where_the_decoder_process_is_killed():
    killed = []

    def kill(parent: int, _: int) -> None:
        os.kill(parent, signal.SIGKILL)
        killed.append(parent)

    data = saved(Image.effect_noise((3000, 2000), 70), "JPEG")
    with while_decoding(kill):
        assert make(data).width == 3000
    assert killed
    assert process() not in killed
    assert not is_there(killed[0])


@linux
def test_a_decoder_that_hangs_is_ended_and_takes_nobody_with_it(monkeypatch):
    monkeypatch.setattr(decoder_pool, "GRACE", 0.5)
    seen: list[int] = []

    def stop(parent: int, child: int) -> None:
        seen.extend((parent, child))
        os.kill(child, signal.SIGSTOP)  # it cannot even be told that its time is up

    started = time.monotonic()
    with while_decoding(stop):
        assert refusal(slow(), Limits(LIMITS.memory_bytes, seconds=0.5)) == "picture_too_complex"
    assert time.monotonic() - started < 8
    assert until(lambda: not any(map(is_there, seen)))
    assert make(small())


def test_time_by_the_clock_is_bounded(caplog):
    before, started, data = counted("time"), time.monotonic(), slow()
    with caplog.at_level(logging.WARNING):
        assert refusal(data, Limits(LIMITS.memory_bytes, seconds=0.2)) == "picture_too_complex"
    assert time.monotonic() - started < 8
    assert counted("time") == before + 1
    assert hashlib.sha256(data).hexdigest() in caplog.records[-1].error


def test_cpu_is_bounded():
    before = counted("time")
    assert (
        refusal(slow(), Limits(LIMITS.memory_bytes, cpu_seconds=1, seconds=60.0))
        == "picture_too_complex"
    )
    assert counted("time") == before + 1


@linux
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF"])
def test_memory_is_bounded(kind):
    data = saved(
        Image.new("RGB", (4000, 3000), "red"), kind, **({"speed": 10} if kind == "AVIF" else {})
    )
    assert refusal(data, Limits(8 << 20)) in ("picture_too_complex", "picture_damaged")
    assert make(data).width == 4000


@linux
def test_memory_is_the_reason_that_is_given(caplog):
    before = counted("memory")
    with caplog.at_level(logging.WARNING):
        assert (
            refusal(saved(Image.new("RGB", (4000, 3000))), Limits(8 << 20)) == "picture_too_complex"
        )
    assert counted("memory") == before + 1
    assert "limit of memory" in caplog.text


# The process


@linux
def test_there_is_one_warm_process_and_one_child_however_many_ask():
    make(small())
    decoder, seen, done, made = process(), set(), threading.Event(), []

    def watch() -> None:
        while not done.is_set():
            seen.add(len(children(decoder)))
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    data = saved(Image.effect_noise((1200, 900), 70), "JPEG")
    threads = [threading.Thread(target=lambda: made.append(make(data))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert seen <= {0, 1}
    assert process() == decoder
    assert decoder in children_of_threads()


def children_of_threads() -> set[int]:
    """Children of this process, whichever of its threads has started them."""
    children: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended meanwhile
            children |= set(map(int, (task / "children").read_text().split()))
    return children


@linux
def test_a_process_with_nothing_to_do_ends_and_leaves_no_zombie():
    make(small(), Limits(LIMITS.memory_bytes, idle_seconds=1))
    first = process()
    assert until(lambda: not Path(f"/proc/{first}").exists())
    assert make(small())
    assert process() != first


@linux
def test_close_ends_the_process_and_the_next_image_starts_another():
    make(small())
    first = process()
    pictures.close()
    assert not Path(f"/proc/{first}").exists()
    assert make(small())


@linux
def test_a_fork_has_a_decoder_of_its_own_and_leaves_its_parents_alone():
    expected = make(small())
    decoder = process()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            own = make(small())
            code = 0 if own == expected and process() != decoder else 2
            pictures.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert make(small()) == expected
    assert process() == decoder


@linux
def test_it_does_not_outlive_the_one_it_works_for():
    program = textwrap.dedent("""
        import sys, threading
        from marketplace.files import images as pictures
        data = sys.stdin.buffer.read()
        def make():
            return pictures.make(data, max_bytes=100 << 20, max_pixels=50_000_000)
        threading.Thread(target=make, daemon=True).start()
        while pictures._decoder._process is None or not hasattr(pictures._decoder._process, "pid"):
            pass
        print(pictures._decoder._process.pid, flush=True)
        threading.Event().wait()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as api:
        assert api.stdin
        assert api.stdout
        api.stdin.write(slow())
        api.stdin.close()
        decoder = int(api.stdout.readline())
        assert until(lambda: bool(children(decoder)))
        family = [decoder, *children(decoder)]
        api.kill()
    assert until(lambda: not any(map(is_there, family)), 20)


@linux
def test_it_is_given_no_secret_and_no_open_file(monkeypatch):
    pictures.close()
    monkeypatch.setenv("SECRET_KEY", "k" * 40)
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody:secret@db/shop")
    with Path(__file__).open("rb") as file:
        os.set_inheritable(file.fileno(), True)
        make(small())
        proc = Path(f"/proc/{process()}")
        environment = (proc / "environ").read_bytes()
        assert b"SECRET_KEY" not in environment
        assert b"DATABASE_URL" not in environment
        open_files = {str(each.readlink()).partition(":")[0] for each in (proc / "fd").iterdir()}
    assert open_files == {"/dev/null", "socket"}
    pictures.close()


@linux
def test_it_is_the_first_to_go_when_memory_ends():
    make(small())
    assert Path(f"/proc/{process()}/oom_score_adj").read_text() == "1000\n"


def test_what_calls_it_needs_no_image_library():
    program = (
        "import sys, marketplace.app; names = {name.partition('.')[0] for name in sys.modules};"
        "sys.exit(str(names & {'PIL', 'pi_heif', 'thumbhash'}) if names & {'PIL', 'pi_heif', 'thumbhash'} else 0)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_it_loads_neither_web_nor_database():
    program = (
        "import sys, marketplace.files.decoder_process; names = {name.partition('.')[0] for name in sys.modules};"
        "found = names & {'falcon', 'psycopg', 'prometheus_client', 'orjson', 'jwt', 'bcrypt'}; sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_child_can_open_nothing_and_needs_nothing_that_is_not_loaded(tmp_path):
    """Decode every format under the very limits, and print what was loaded on the way."""
    files = []
    for kind, options in {
        "JPEG": {"exif": rotated()}, "PNG": {"exif": rotated()}, "WEBP": {"exif": rotated()}, "GIF": {}, "AVIF": {},
    }.items():  # fmt: skip
        files.append(tmp_path / kind)
        files[-1].write_bytes(
            saved(Image.effect_noise((90, 60), 70).convert("RGBA").convert("RGB"), kind, **options)
        )
    files.append(tmp_path / "HEIF")
    files[-1].write_bytes(heic())
    program = textwrap.dedent("""
        import os, socket, sys
        from pathlib import Path
        from marketplace.files import decoder_process, decoders, image_sizes
        from marketplace.files.decoder_messages import Limits, Order, Sized
        image_sizes.prepare()
        for path in map(Path, sys.argv[1:]):
            decoders.load(path.name)
            data, before = path.read_bytes(), set(sys.modules)
            order = Order(len(data), path.name, 50_000_000, Limits.of_pixels(50_000_000))
            child = os.fork()
            if child == 0:
                decoder_process._limit(order)
                result = decoder_process._result(data, order)
                assert isinstance(result, Sized) == (path.name != "HEIF"), result
                assert set(sys.modules) == before, set(sys.modules) - before
                for forbidden in (lambda: open("/etc/passwd"), socket.socket, os.pipe):
                    try:
                        forbidden()
                    except OSError:
                        continue
                    raise AssertionError("it was allowed")
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, path
    """)
    subprocess.run([sys.executable, "-c", program, *files], cwd=ROOT, check=True)


def rotated() -> Image.Exif:
    values = Image.Exif()
    values[0x0112] = 6
    return values


@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/false"])
def test_who_cannot_have_one_is_told_to_come_back(monkeypatch, program, caplog):
    pictures.close()
    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
        broken.setattr(sys, "executable", program)
        with pytest.raises(ImagesBusy):
            make(small())
    assert caplog.records
    assert make(small())
