"""The schema of a database is brought to the present version by whoever comes, once."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.servers.postgresql import fresh_database

from detent.config import Config, ensure_state_dir, load_config
from detent.errors import ProjectLocked, StoreError
from detent.migrate import bring_up_to_date, look_at
from detent.server.lock import ProjectLock
from detent.store.statements import migrations


def config_of(root: Path, url: str = "") -> Config:
    return load_config(root, {"DETENT_DATABASE_URL": url, "DETENT_PROJECT_DIR": str(root)})


def test_a_file_that_is_not_there_is_made_once(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    assert look_at(config).version == 0
    assert not config.state_dir.exists()

    before, after = bring_up_to_date(config)
    again = bring_up_to_date(config)

    assert (before.version, after.version) == (0, len(migrations("sqlite")))
    assert again == (after, after)


def test_several_that_come_at_once_make_one_schema(tmp_path: Path) -> None:
    with fresh_database() as url:
        with ThreadPoolExecutor(4) as pool:
            done = [work.result() for work in [pool.submit(bring_up_to_date, config_of(tmp_path, url)) for _ in "1234"]]
        with psycopg.connect(url) as db:
            versions = db.execute("SELECT version FROM detent.schema_version").fetchall()

    assert {after.version for _, after in done} == {len(migrations("postgresql"))}
    assert versions == [(len(migrations("postgresql")),)]


def test_a_newer_schema_is_refused_with_both_versions(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    bring_up_to_date(config)
    with closing(sqlite3.connect(config.state_dir / "detent.db")) as db:
        db.execute("PRAGMA user_version = 99")

    with pytest.raises(StoreError, match=f"has schema 99, this detent knows {len(migrations('sqlite'))}"):
        bring_up_to_date(config)
    with fresh_database() as url:
        bring_up_to_date(config_of(tmp_path, url))
        with psycopg.connect(url) as server:
            server.execute("UPDATE detent.schema_version SET version = 99")
        with pytest.raises(StoreError, match="has schema 99"):
            look_at(config_of(tmp_path, url))


def test_a_file_that_an_older_server_holds_is_left_to_it(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    ensure_state_dir(config)
    with ProjectLock(config.state_dir), pytest.raises(ProjectLocked, match="stop it, then run"):
        bring_up_to_date(config)
