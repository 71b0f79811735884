"""What the doctor finds on this machine: folders, locks, files, extras, servers that are not there."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.servers.pooler import Pooler
from tests.servers.postgresql import fresh_database
from tests.servers.process import free_port
from tests.servers.redis import shared_redis

from detent.config import Config, ensure_state_dir, load_config
from detent.doctor import Finding, examine
from detent.doctor.api_server import check_api
from detent.doctor.broker_server import check_broker_server
from detent.doctor.database_server import check_database_server
from detent.doctor.engine_health import check_engine
from detent.doctor.extras import check_extras
from detent.doctor.folders import check_folders
from detent.doctor.machine import check_machine
from detent.doctor.object_folder import check_objects
from detent.doctor.project_lock import check_lock
from detent.doctor.sqlite_file import check_sqlite
from detent.server.host import Host
from detent.server.lock import ProjectLock
from detent.store import SqliteStore
from detent.store.postgresql import LOCK, PostgresStore


def found(look: Callable[[Config], Iterable[Finding]], config: Config) -> dict[str, Finding]:
    return {finding.check: finding for finding in look(config)}


def config_of(root: Path, **env: str) -> Config:
    return load_config(root, {"DETENT_PROJECT_DIR": str(root), **env})


def test_a_folder_where_nothing_is_yet_has_nothing_wrong_and_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "detent.toml").write_text("port = 0\n")

    result = examine(lambda: config_of(tmp_path))

    assert result.status != "failed", result
    assert [path.name for path in tmp_path.iterdir()] == ["detent.toml"]


def test_a_state_folder_that_others_may_look_into_is_told_of(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    ensure_state_dir(config)
    assert found(check_folders, config)["folders.state"].status == "ok"

    config.state_dir.chmod(0o755)

    told = found(check_folders, config)["folders.state"]
    assert told.status == "warning"
    assert told.advice == f"chmod go-rwx {config.state_dir}"


def test_a_process_that_holds_the_project_and_takes_no_requests_is_named(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    ensure_state_dir(config)
    lock = ProjectLock(config.state_dir)
    assert found(check_lock, config)["lock.holder"].status == "ok"

    with lock:
        told = found(check_lock, config)["lock.holder"]
    again = found(check_lock, config)["lock.holder"]

    assert told.status == "failed"
    assert str(os.getpid()) in told.message
    assert again.status == "ok"


def test_what_a_dead_server_left_behind_is_told_of(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    ensure_state_dir(config)
    with ProjectLock(config.state_dir):
        pass
    (config.state_dir / "server.json").write_text(f'{{"url": "http://127.0.0.1:1", "pid": {os.getpid()}}}')

    told = found(check_lock, config)["lock.holder"]

    assert told.status == "warning"
    assert "server.json" in (told.advice or "")


def test_a_store_of_a_newer_version_fails_and_one_of_an_older_asks_for_migrate(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    path = config.database_path
    assert path is not None
    SqliteStore(path, "OFF").close()
    assert found(check_sqlite, config)["database.schema"].status == "ok"

    for version, status, advice in ((99, "failed", "upgrade"), (1, "warning", "detent migrate")):
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA user_version = {version}")
        told = found(check_sqlite, config)["database.schema"]
        assert told.status == status
        assert advice in (told.advice or "")


def test_a_file_that_is_no_database_fails(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    ensure_state_dir(config)
    assert config.database_path is not None
    config.database_path.write_bytes(b"this is a text, not a database" * 100)

    assert found(check_sqlite, config)["database.file"].status == "failed"


def test_more_workers_than_the_machine_carries_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "detent.toml").write_text("[worker]\nprocesses = 1000\nthreads = 1000\nasync_limit = 10000000\n")

    told = found(check_machine, config_of(tmp_path))

    assert told["machine.cores"].status == "warning"
    assert told["machine.memory"].status == "failed"
    assert told["machine.files"].status != "ok"


def test_an_extra_that_a_url_needs_is_looked_for(tmp_path: Path) -> None:
    assert list(found(check_extras, config_of(tmp_path))) == ["extras"]

    told = found(check_extras, config_of(tmp_path, DETENT_DATABASE_URL="postgresql://a:b@h/d"))

    assert told["extras.postgres"].status == "ok"


def test_an_object_is_written_read_and_removed(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    ensure_state_dir(config)

    assert found(check_objects, config)["objects.use"].status == "ok"
    assert not [path for path in (config.state_dir / "objects").rglob("*") if path.is_file()]

    (tmp_path / "file").write_text("in the way")
    told = found(check_objects, config_of(tmp_path, DETENT_OBJECT_STORE_URL=str(tmp_path / "file" / "objects")))
    assert told["objects.use"].status == "failed"


def test_servers_that_are_not_there_fail_with_what_to_do(tmp_path: Path) -> None:
    port = free_port()
    config = config_of(
        tmp_path,
        DETENT_DATABASE_URL=f"postgresql://me:hidden-word@127.0.0.1:{port}/d",
        DETENT_BROKER_URL=f"redis://:hidden-word@127.0.0.1:{port}/0",
        DETENT_API_URL=f"http://127.0.0.1:{port}",
    )

    told = {**found(check_database_server, config), **found(check_broker_server, config), **found(check_api, config)}

    assert {name: finding.status for name, finding in told.items()} == {
        "database.reach": "failed",
        "broker.reach": "failed",
        "api.reach": "failed",
    }
    assert all(finding.advice for finding in told.values())
    assert "hidden-word" not in str(told)


def test_a_redis_that_is_there_is_measured(tmp_path: Path) -> None:
    told = found(check_broker_server, config_of(tmp_path, DETENT_BROKER_URL=shared_redis().url))

    assert told["broker.reach"].status == told["broker.use"].status == "ok"
    assert float(told["broker.reach"].figures["latency_ms"] or 0) > 0


def test_a_server_that_runs_is_asked_for_its_key_its_version_and_its_report(tmp_path: Path) -> None:
    (tmp_path / "detent.toml").write_text("port = 0\n")
    config = config_of(tmp_path)
    host = Host(config, port=0)
    host.start()
    try:
        told = {**found(check_api, config), **found(check_engine, config), **found(check_lock, config)}
        refused = found(check_api, config_of(tmp_path, DETENT_API_URL=host.url, DETENT_SECRET_KEY="dt_dev_wrong"))
    finally:
        host.stop()

    assert {name: finding.status for name, finding in told.items() if finding.status != "ok"} == {}
    assert {"api.key", "api.version", "engine.workers", "engine.queue", "engine.loops", "lock.socket"} <= set(told)
    assert refused["api.key"].status == "failed"
    assert "dt_dev_wrong" not in str(refused)


def test_a_database_server_is_asked_for_all_that_matters(tmp_path: Path) -> None:
    with fresh_database() as url:
        told = found(check_database_server, config_of(tmp_path, DETENT_DATABASE_URL=url))

    assert told["database.reach"].status == "ok"
    assert told["database.schema"].figures == {"version": 0}
    assert told["database.settings"].status == "warning"  # the tests' own writes without fsync
    assert told["database.pooler"].figures == {"pooler": False}
    assert {"database.rights", "database.commit", "database.clock", "database.room"} <= set(told)


def test_a_database_of_several_machines_and_its_loops_are_told_of(tmp_path: Path) -> None:
    with fresh_database() as url:
        config = config_of(tmp_path, DETENT_DATABASE_URL=url)
        PostgresStore(url).close()
        told = found(check_database_server, config)

    assert told["database.schema"].status == "ok"
    assert told["database.rights"].status == "ok"
    assert told["database.leaders"].figures == {"loops": 0, "engines": 0}


def test_a_pooler_that_stands_between_is_noticed(tmp_path: Path) -> None:
    with fresh_database() as url, Pooler(urlsplit(url).port or 0) as pooler:
        there = urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{pooler.port}").geturl()
        alone = found(check_database_server, config_of(tmp_path, DETENT_DATABASE_URL=there))
        env = {"DETENT_DATABASE_URL": there, "DETENT_BROKER_URL": "redis://127.0.0.1/0"}
        with_broker = found(check_database_server, config_of(tmp_path, **env))

    assert alone["database.pooler"].status == "warning"
    assert "DETENT_BROKER_URL" in (alone["database.pooler"].advice or "")
    assert (with_broker["database.pooler"].status, with_broker["database.pooler"].figures) == ("ok", {"pooler": True})


@pytest.mark.soak
def test_who_holds_the_lock_of_all_writes_for_long_is_named(tmp_path: Path) -> None:
    with fresh_database() as url, psycopg.connect(url) as held:
        held.execute(f"SELECT pg_advisory_xact_lock({LOCK})".encode())
        told = found(check_database_server, config_of(tmp_path, DETENT_DATABASE_URL=url))["database.commit"]

        assert told.status == "failed"
        assert f"pg_terminate_backend({held.info.backend_pid})" in (told.advice or "")


def test_a_server_elsewhere_without_a_password_fails(tmp_path: Path) -> None:
    url = "redis://broker.example.invalid/0"

    told = found(check_broker_server, config_of(tmp_path, DETENT_BROKER_URL=url))
    allowed = found(check_broker_server, config_of(tmp_path, DETENT_BROKER_URL=url, DETENT_ALLOW_INSECURE="1"))

    assert (told["broker.password"].status, allowed["broker.password"].status) == ("failed", "warning")
