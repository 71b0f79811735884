from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from detent.errors import StoreError
from detent.store import SqliteStore, Tx


def put(name: str) -> Any:
    return lambda tx: tx.run("put_queue", env="dev", name=name, limit_n=1, limit_per_key=None)


def names(store: SqliteStore) -> list[str]:
    return [row["name"] for row in store.read("list_queue_names", env="dev")]


def test_a_file_of_a_newer_schema_is_refused_with_both_versions(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 999")
    with pytest.raises(StoreError, match=r"has schema 999, this detent knows \d+; upgrade detent"):
        SqliteStore(path)


def test_a_file_with_pages_of_another_size_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA page_size = 8192")
        db.execute("PRAGMA user_version = 0")
        db.execute("VACUUM")

    store = SqliteStore(path)
    store.write(put("q"))

    assert names(store) == ["q"]
    assert store.read_sql("PRAGMA page_size", {})[0][0] == 8192
    store.close()


def test_a_file_that_is_no_database_is_called_damaged_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"this is a text, and a long one at that. " * 200)
    with pytest.raises(StoreError, match=r"a\.db is damaged .*restore it from a copy, or move it away"):
        SqliteStore(path)
    assert path.read_bytes().startswith(b"this is a text")


def test_a_damaged_page_is_an_error_that_says_so_also_for_readers(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    store.write_all([put(f"q{n:05}" + "x" * 300) for n in range(3000)])
    store.close()
    raw = bytearray(path.read_bytes())
    pages = len(raw) // 4096
    for page in range(pages - 100, pages):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(raw)
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="is damaged") as raised:
        names(store)
    assert "Nothing that was acknowledged is lost" not in str(raised.value)
    with pytest.raises(StoreError, match="is damaged"):
        store.write(put("q02999x"))
    store.close()


def test_a_folder_that_cannot_be_made_a_file_says_what_to_check(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        SqliteStore(tmp_path / "a.db")


def test_processes_that_make_the_same_file_at_once_all_succeed(tmp_path: Path) -> None:
    """Given four processes at a starting line, when all open a new file, then each can write to it."""
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from detent.store import SqliteStore
        print("ready", flush=True)
        sys.stdin.readline()
        for n in range(5):
            store = SqliteStore(Path(sys.argv[1]) / f"{n}.db")
            values = dict(env="dev", name=sys.argv[2], limit_n=1, limit_per_key=None)
            store.write(lambda tx: tx.run("put_queue", **values))
            store.close()
        """
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), f"p{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
    for n in range(5):
        store = SqliteStore(tmp_path / f"{n}.db")
        assert sorted(names(store)) == ["p0", "p1", "p2", "p3"]
        store.close()


def test_readers_see_what_is_committed_while_a_writer_is_at_work(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    store.write(put("before"))
    entered, go = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        put("during")(tx)
        entered.set()
        assert go.wait(30)

    writer = threading.Thread(target=store.write, args=(slow,))
    writer.start()
    assert entered.wait(30)
    assert names(store) == ["before"]
    go.set()
    writer.join(30)
    assert sorted(names(store)) == ["before", "during"]
    store.close()


def test_readers_cannot_write(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    with pytest.raises(StoreError, match="cannot be written"):
        store.read_sql("DELETE FROM queues", {})
    store.close()


def test_reading_from_many_threads_keeps_no_connection_for_each(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    for _ in range(50):
        thread = threading.Thread(target=names, args=(store,))
        thread.start()
        thread.join(30)
    assert len(store._readers) == 1
    store.close()


def test_a_full_disk_is_an_error_with_advice_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Given a disk that fills up, then writes say so, what was acknowledged stays, and room heals it."""
    store = SqliteStore(tmp_path / "a.db")
    (pages,) = store._session._db.execute("PRAGMA page_count").fetchone()
    store._session._db.execute(f"PRAGMA max_page_count = {pages + 20}")
    acknowledged: list[str] = []
    with pytest.raises(StoreError, match=r"disk .* is full or failing .*free space on it") as raised:
        for n in range(10_000):
            store.write(put(f"q{n}-{'x' * 500}"))
            acknowledged.append(f"q{n}-{'x' * 500}")
    assert str(raised.value).endswith("Nothing that was acknowledged is lost")
    assert acknowledged
    assert sorted(names(store)) == sorted(acknowledged)
    store._session._db.execute("PRAGMA max_page_count = 100000")
    store.write(put("after"))
    store.close()
    again = SqliteStore(tmp_path / "a.db")
    assert sorted(names(again)) == sorted([*acknowledged, "after"])
    again.close()


def test_files_that_may_not_grow_are_an_error_with_advice_and_nothing_acknowledged_is_lost(
    tmp_path: Path,
) -> None:
    """The same with a real limit of the operating system, on a group of operations, lifted in the end."""
    script = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from detent.errors import StoreError
        from detent.store import SqliteStore
        store = SqliteStore(Path(sys.argv[1]))
        limits = dict(env="dev", limit_n=1, limit_per_key=None)
        put = lambda name: lambda tx: tx.run("put_queue", name=name, **limits)
        acknowledged = []
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
        failures = []
        for n in range(2000):
            group = [f"q{n}-{k}-" + "x" * 800 for k in range(3)]
            for name, outcome in zip(group, store.write_all([put(name) for name in group])):
                if isinstance(outcome, BaseException):
                    failures.append(outcome)
                else:
                    acknowledged.append(name)
            if len(failures) > 20:
                break
        assert failures
        assert all(isinstance(f, StoreError) and "free space" in str(f) for f in failures), failures
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        store.write(put("after"))
        store.close()
        store = SqliteStore(Path(sys.argv[1]))
        assert store.read_sql("PRAGMA integrity_check", {})[0][0] == "ok"
        stored = {row["name"] for row in store.read("list_queue_names", env="dev")}
        assert stored == {*acknowledged, "after"}, (len(stored), len(acknowledged))
        store.close()
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.db")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_another_process_that_does_not_let_go_is_named_as_the_cause(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    store._session._db.execute("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"another process writes .* and did not let go"):
            store.write(put("a"))
        other.execute("ROLLBACK")
    store.write(put("a"))
    store.close()


def test_the_guard_is_held_around_each_transaction_and_let_go_when_one_fails(tmp_path: Path) -> None:
    held: list[int] = []
    depth = [0]

    class Guard:
        def __enter__(self) -> None:
            depth[0] += 1
            held.append(depth[0])

        def __exit__(self, *_: object) -> None:
            depth[0] -= 1

    store = SqliteStore(tmp_path / "a.db", guard=Guard)
    store.write(put("a"))

    def bad(tx: Tx) -> None:
        raise ValueError

    with pytest.raises(ValueError):
        store.write(bad)
    assert held == [1, 1, 1]
    assert depth == [0]
    store.close()


def test_a_store_is_closed_under_threads_that_go_on_writing(tmp_path: Path) -> None:
    for number in range(5):
        store = SqliteStore(tmp_path / f"{number}.db", "OFF")
        begun, refusals = threading.Barrier(5), []

        def write(store: SqliteStore = store, begun: threading.Barrier = begun, refusals: list[str] = refusals) -> None:
            begun.wait()
            while True:
                try:
                    store.write(lambda tx: tx.run("keep_setting", name="x", value="y"))
                except StoreError as error:
                    refusals.append(str(error))
                    return

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        begun.wait()
        store.write(lambda tx: tx.run("keep_setting", name="z", value="y"))
        store.close()
        for thread in threads:
            thread.join(10)
        assert len(refusals) == 4
        assert all("closed" in refusal for refusal in refusals)
        store.close()
