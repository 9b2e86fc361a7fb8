"""A shop with images and a backup of it, whole or spoiled."""

import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from conftest import Api, created, make_config

from marketplace.ops import backups
from marketplace.postgres.database import Database
from marketplace.postgres.databases import drop
from support.commands import command
from support.images import shot
from support.stored import add


class Kept:
    """A shop with pictures, and one backup of it."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.uploads = api.config.uploads_dir
        self.to = folder / "backups"

    def back_up(self, *more: str) -> "subprocess.CompletedProcess[str]":
        return command(
            self.api.owner_url,
            self.folder,
            "backup",
            "--to",
            str(self.to),
            *more,
            uploads=self.uploads,
        )

    def restore(self, backup: Path, folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
        """Into uploads of their own."""
        return command(self.api.owner_url, folder, "restore", "--from", str(backup), *more)


@contextmanager
def opened(url: str, folder: Path) -> Iterator[Api]:
    config = make_config(url, folder, pool_size=16)
    db = Database(config)
    yield Api(config, db, url)
    db.close()


@pytest.fixture(scope="module")
def kept(owner_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("kept")
    with created(owner_url, f"{template}_kept", template) as url, opened(url, folder) as api:
        seller = api.seller()
        add(api, seller, api.product(seller)["id"], shot("red"), shot("green"))
        shop = Kept(api, folder)
        done = shop.back_up()
        assert done.returncode == 0, done.stderr
        assert stat_mode(shop.to) == 0o700
        assert backups.last(api.config.data_dir) == pytest.approx(time.time(), abs=60)
        yield shop


@pytest.fixture
def damaged(kept: Kept, tmp_path: Path) -> Path:
    """A copy of the backup, to be spoiled."""
    (backup,) = backups.whole(kept.to)
    return Path(shutil.copytree(backup, tmp_path / backup.name))


@contextmanager
def another(owner_url: str) -> Iterator[str]:
    """A name for a database that a restore makes."""
    name = f"marketplace_test_{secrets.token_hex(6)}"
    yield name
    with psycopg.connect(owner_url, autocommit=True) as conn:
        drop(conn, name)


def stat_mode(path: Path) -> int:
    return path.stat().st_mode & 0o777
