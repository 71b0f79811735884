"""Everything goes from one database to another and back, whatever happens on the way."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.migrate.filled import EXECUTING, copy_of_filled, rows_of
from tests.servers.postgresql import fresh_database

from detent.config import Config, load_config
from detent.engine import Engine
from detent.engine.leaders import Leaders
from detent.errors import ConfigError, Conflict, NotFound, ProjectLocked, StoreError
from detent.migrate import Moved, Progress, copy_objects, move
from detent.model.protocol import NewRun
from detent.objects import open_store
from detent.server.lock import ProjectLock
from detent.store import SqliteStore
from detent.store.postgresql import PostgresStore

#: A process that moves and, where it is told to, stands still in the middle for a signal.
MOVER = """
import sys
from pathlib import Path
from detent.config import load_config
from detent.migrate import move

source, target, root, stand = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
seen = 0

def tell(now):
    global seen
    seen += 1
    if seen == stand:
        print(now.doing, now.table, flush=True)
        sys.stdin.read()

move(source, target, load_config(root, {}), on_progress=tell, batch_rows=2)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_of_filled(tmp_path / "project")


@pytest.fixture
def database() -> Iterator[str]:
    with fresh_database() as url:
        yield url


def config_of(root: Path) -> Config:
    return load_config(root, {})


def file_url(path: Path) -> str:
    return f"sqlite:///{path}"


def source_of(root: Path) -> str:
    return file_url(root / ".detent" / "detent.db")


def start_mover(source: str, target: str, root: Path, stand: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MOVER, source, target, str(root), str(stand)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed_in_the_middle(source: str, target: str, root: Path, stand: int) -> str:
    """What a mover did when it was killed."""
    mover = start_mover(source, target, root, stand)
    assert mover.stdout is not None
    with mover, mover.stdout:
        doing = mover.stdout.readline().strip()
        mover.send_signal(signal.SIGKILL)
    return doing


def dump(root: Path, telemetry: bool = True) -> dict[str, list[tuple[object, ...]]]:
    """All that a project's files hold, but what says where it came from."""
    rows = rows_of(root / "detent.db") | (rows_of(root / "telemetry.db") if telemetry else {})
    rows["settings"] = [row for row in rows["settings"] if row[0] != "moved_from"]
    return rows


def test_everything_arrives_and_comes_back_the_same(project: Path, database: str, tmp_path: Path) -> None:
    told: list[Progress] = []
    there = move(source_of(project), database, config_of(project), on_progress=told.append, batch_rows=3)
    back = move(database, file_url(tmp_path / "back" / "detent.db"), config_of(project))

    assert dump(tmp_path / "back") == dump(project / ".detent")
    assert there.rows == back.rows
    assert there.rows["runs"] > 10
    assert there.rows["log_lines"] and there.rows["spans"] and there.rows["variables"] == there.secrets == 1
    assert {"copying", "comparing"} == {now.doing for now in told}
    assert told[-1].all_done == told[-1].all_rows == sum(there.rows.values())


def test_what_executed_is_queued_again_and_numbers_go_on(project: Path, database: str) -> None:
    moved = move(source_of(project), database, config_of(project))

    assert moved.given_back == 1
    store = PostgresStore(database)
    try:
        engine = Engine(store)
        [row] = store.read("find_run", id=EXECUTING)
        assert (row["state"], row["worker_id"]) == ("QUEUED", None)
        engine.trigger([NewRun("run_00000000000000000000000000000002", "move-held")])
        [fresh] = store.read("find_run", id="run_00000000000000000000000000000002")
        assert fresh["seq"] > row["seq"]
        assert [event["seq"] for event in store.read("list_events", run_id=fresh["id"])]
    finally:
        store.close()


def test_a_move_into_a_server_that_was_killed_goes_on_where_it_was(project: Path, database: str) -> None:
    doing = killed_in_the_middle(source_of(project), database, project, 60)
    with pytest.raises(StoreError, match="not all has been moved"):
        PostgresStore(database)

    moved = move(source_of(project), database, config_of(project))

    assert doing
    assert moved.resumed
    assert same_as(project, database)


def test_a_move_into_a_file_that_was_killed_goes_on_where_it_was(project: Path, database: str, tmp_path: Path) -> None:
    move(source_of(project), database, config_of(project))
    place = tmp_path / "back" / "detent.db"

    assert killed_in_the_middle(database, file_url(place), project, 60)
    assert not place.exists()
    moved = move(database, file_url(place), config_of(project))

    assert moved.resumed
    assert dump(place.parent) == dump(project / ".detent")
    assert sorted(path.name for path in place.parent.iterdir()) == ["detent.db", "lock", "telemetry.db"]


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_moves_that_are_killed_at_every_step_lose_nothing(project: Path, database: str, tmp_path: Path) -> None:
    back = file_url(tmp_path / "back" / "detent.db")
    for source, target in ((source_of(project), database), (database, back)):
        while killed_in_the_middle(source, target, project, 12).startswith("copying"):
            pass
        assert move(source, target, config_of(project)).resumed

    assert dump(tmp_path / "back") == dump(project / ".detent")


def test_a_source_that_was_used_meanwhile_is_moved_anew(project: Path, database: str) -> None:
    killed_in_the_middle(source_of(project), database, project, 30)
    store = SqliteStore(project / ".detent" / "detent.db")
    Engine(store).trigger([NewRun("run_00000000000000000000000000000003", "move-held")])
    store.write(lambda tx: tx.run("keep_setting", name="used", value="meanwhile"))
    store.close()

    moved = move(source_of(project), database, config_of(project))

    assert moved.resumed
    assert same_as(project, database)


def same_as(project: Path, database: str) -> bool:
    """Whether a database holds what the files do: moved back into others, it is the same."""
    back = project.parent / "as-files"
    move(database, file_url(back / "detent.db"), config_of(project))
    assert dump(back) == dump(project / ".detent")
    return True


def test_a_target_with_other_data_is_refused_and_left_alone(project: Path, database: str) -> None:
    store = PostgresStore(database)
    Engine(store).trigger([NewRun("run_00000000000000000000000000000009", "other")])
    store.close()

    with pytest.raises(Conflict, match="holds other data"):
        move(source_of(project), database, config_of(project))
    with pytest.raises(Conflict, match="holds other data"):
        move(database, source_of(project), config_of(project))

    with psycopg.connect(database) as db:
        assert db.execute("SELECT count(*) FROM detent.runs").fetchall() == [(1,)]


def test_a_move_that_is_done_is_not_done_again(project: Path, database: str) -> None:
    move(source_of(project), database, config_of(project))

    with pytest.raises(Conflict, match="holds what was moved from sqlite:///"):
        move(source_of(project), database, config_of(project))


@pytest.mark.soak
def test_an_unfinished_move_from_elsewhere_is_refused_until_it_is_thrown_away(
    project: Path, database: str, tmp_path: Path
) -> None:
    other = copy_of_filled(tmp_path / "other")
    killed_in_the_middle(source_of(other), database, other, 10)

    with pytest.raises(Conflict, match="was begun from"):
        move(source_of(project), database, config_of(project))
    moved = move(source_of(project), database, config_of(project), restart=True)

    assert not moved.resumed


def test_a_source_that_somebody_holds_is_refused(project: Path, database: str) -> None:
    with ProjectLock(project / ".detent"), pytest.raises(ProjectLocked, match="stop servers and workers"):
        move(source_of(project), database, config_of(project))


def test_a_server_that_uses_the_source_is_noticed(project: Path, database: str, tmp_path: Path) -> None:
    move(source_of(project), database, config_of(project))
    store = PostgresStore(database)
    engine = Engine(store)
    leaders = Leaders(engine.write, store, engine.clock, engine.loops, "somebody")
    leaders.start()
    try:
        with pytest.raises(ProjectLocked, match="on every machine"):
            move(database, file_url(tmp_path / "x.db"), config_of(project))
    finally:
        leaders.stop()
        store.close()


def test_nobody_writes_the_source_while_it_is_moved(project: Path, database: str, tmp_path: Path) -> None:
    move(source_of(project), database, config_of(project))
    refused = []

    def write(_: Progress) -> None:
        if not refused:
            with psycopg.connect(database) as db:
                db.execute("SET lock_timeout = '50ms'")
                try:
                    db.execute(f"SELECT pg_advisory_xact_lock({int.from_bytes(b'detent', 'big')})")
                except psycopg.errors.LockNotAvailable as error:
                    refused.append(error)

    move(database, file_url(tmp_path / "x.db"), config_of(project), on_progress=write)

    assert refused


def test_a_text_that_a_server_cannot_hold_is_changed_and_told_of(project: Path, database: str) -> None:
    with closing(sqlite3.connect(project / ".detent" / "telemetry.db")) as db:
        db.execute("UPDATE lines SET message = 'a' || char(0) || 'b' WHERE seq = 1")
        db.commit()

    moved: Moved = move(source_of(project), database, config_of(project))

    assert moved.changed_texts == 1
    with psycopg.connect(database) as db:
        assert db.execute("SELECT message FROM detent.log_lines WHERE seq = 1").fetchall() == [("a\u2400b",)]


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        ("sqlite:///nowhere.db", "sqlite:///there.db", NotFound),
        ("sqlite:///same.db", "sqlite:///same.db", ConfigError),
        ("mysql://h/d", "sqlite:///there.db", ConfigError),
        ("sqlite:///", "sqlite:///there.db", ConfigError),
    ],
)
def test_urls_that_cannot_be_used_are_refused(tmp_path: Path, source: str, target: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        move(source, target, config_of(tmp_path))


def test_objects_are_copied_once(tmp_path: Path) -> None:
    source = open_store(tmp_path / "a")
    for key in ("x/1", "x/2", "y"):
        source.put(key, key.encode() * 1000)
    open_store(tmp_path / "b").put("y", b"y" * 1000)

    first = copy_objects(str(tmp_path / "a"), str(tmp_path / "b"))
    again = copy_objects(str(tmp_path / "a"), str(tmp_path / "b"))

    assert (first.copied, first.present, first.bytes) == (2, 1, 6000)
    assert (again.copied, again.present) == (0, 3)
    assert open_store(tmp_path / "b").get("x/2") == b"x/2" * 1000
