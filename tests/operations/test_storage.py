"""Files are there as a whole or not at all, under keys that cannot lead elsewhere."""

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from marketplace.files.local import LocalStorage
from marketplace.files.storage import Storage, StorageError, image_key

KEY = "pictures/ab/cd/one.webp"
DIGEST = "ab12" + "0" * 60


@pytest.fixture
def public(tmp_path) -> LocalStorage:
    return LocalStorage(tmp_path / "uploads", public=True)


@pytest.fixture
def private(tmp_path) -> LocalStorage:
    return LocalStorage(tmp_path / "private")


def content(storage: Storage, key=KEY) -> bytes:
    with storage.open(key) as file:
        return file.read()


def files(storage) -> list[Path]:
    return [path for path in storage.root.rglob("*") if path.is_file()]


def test_what_is_put_is_there_until_it_is_deleted(public):
    assert public.modified(KEY) is None
    public.put(KEY, b"one")
    assert public.modified(KEY) is not None
    assert content(public) == b"one"
    public.delete(KEY)
    assert public.modified(KEY) is None
    public.delete(KEY)
    with pytest.raises(FileNotFoundError):
        public.open(KEY)


def test_putting_again_replaces_another_content(public):
    for data in (b"one", b"two", b"", b"longer"):
        public.put(KEY, data)
        assert content(public) == data
    assert len(files(public)) == 1


def test_the_same_content_is_not_written_again_but_counts_as_young(public):
    public.put(KEY, b"one")
    path = public.root / KEY
    os.utime(path, (1000, 1000))
    before = path.stat()
    public.put(KEY, b"one")
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime > time.time() - 60


def test_a_large_file_is_written_in_pieces(private):
    with private.writing("imports/7.csv") as file:
        for _ in range(300):
            file.write(b"x" * 10_000)
        assert private.modified("imports/7.csv") is None
    assert len(content(private, "imports/7.csv")) == 3_000_000


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(private):
    private.put(KEY, b"old")

    def fail():
        with private.writing(KEY) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert content(private) == b"old"
    assert len(files(private)) == 1


def test_what_a_crash_leaves_is_no_file_and_is_cleared_when_old(public):
    public.put(KEY, b"whole")
    writer = public.writing("pictures/ab/cd/two.webp")
    writer.__enter__().write(b"half")  # and never leaves: as if the process were killed
    assert [stored.key for stored in public.keys("")] == [KEY]
    assert public.clear_unfinished(3600) == 0
    assert len(files(public)) == 2
    assert public.clear_unfinished(0) == 1
    assert [path.name for path in files(public)] == ["one.webp"]


def test_keys_are_listed_with_size_and_age(public):
    public.put(KEY, b"one")
    public.put("pictures/ab/ce/two.webp", b"four")
    public.put("avatars/three.webp", b"")
    os.utime(public.root / KEY, (1000, 1000))
    listed = {stored.key: stored for stored in public.keys("")}
    assert {key: stored.size for key, stored in listed.items()} == {
        KEY: 3,
        "pictures/ab/ce/two.webp": 4,
        "avatars/three.webp": 0,
    }
    assert listed[KEY].modified == 1000
    assert sorted(stored.key for stored in public.keys("pictures/")) == [
        KEY,
        "pictures/ab/ce/two.webp",
    ]
    assert list(public.keys("pictures/ab/cf/")) == []
    with pytest.raises(StorageError):
        list(public.keys("pic"))


def test_files_of_others_in_the_folder_are_not_listed(public):
    public.put(KEY, b"one")
    (public.root / ".gitkeep").touch()
    (public.root / "Notes.TXT").touch()
    assert [stored.key for stored in public.keys("")] == [KEY]
    assert public.clear_unfinished(0) == 0


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "../one",
        "a/../b",
        "a/..",
        "..",
        ".",
        "a//b",
        "a/",
        ".hidden",
        "a/.part",
        "A.webp",
        "a..b",
        "a b",
        "a\\b",
        "a\n",
        "a\0b",
        "é",
        "a%2e",
        "~root",
        "x" * 600,
        "a/./b",
        "c:d",
    ],
)
def test_what_could_lead_elsewhere_is_no_key(public, key):
    for action in (
        lambda: public.put(key, b""),
        lambda: public.open(key),
        lambda: public.delete(key),
        lambda: public.modified(key),
        lambda: list(public.keys(key + "/")),
        lambda: public.writing(key).__enter__(),
    ):
        with pytest.raises(StorageError):
            action()
    assert not public.root.exists()


def test_public_files_can_be_read_by_the_web_server_private_ones_by_nobody_else(public, private):
    old = os.umask(0o022)
    try:
        public.put(KEY, b"one")
        private.put(KEY, b"one")
    finally:
        os.umask(old)
    for path in files(public):
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
    for path in [private.root, *private.root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_many_writers_of_one_key_leave_one_whole_file(public):
    contents = [bytes([number]) * 200_000 for number in range(8)]
    stop, wrong = threading.Event(), []

    def watch():
        while not stop.is_set():
            if public.modified(KEY) is not None and content(public) not in contents:
                wrong.append("torn")

    threads = [threading.Thread(target=public.put, args=(KEY, data)) for data in contents * 3]
    watcher = threading.Thread(target=watch)
    for thread in [watcher, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    watcher.join()
    assert not wrong
    assert len(files(public)) == 1


def test_picture_keys_are_spread_over_folders():
    assert image_key(DIGEST, "thumb") == f"pictures/ab/12/{DIGEST}-thumb.webp"
    for digest, variant in (
        (DIGEST.upper(), "thumb"),
        (DIGEST[1:], "thumb"),
        (DIGEST, "../x"),
        (DIGEST, ""),
    ):
        with pytest.raises(StorageError):
            image_key(digest, variant)
