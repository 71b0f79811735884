from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detent.store import SqliteStore, Tx


class Commits:
    """A store that counts its commits."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path)
        self.n = 0
        self.store._session._db.set_trace_callback(self._see)

    def _see(self, statement: str) -> None:
        self.n += statement == "COMMIT"


@pytest.fixture
def commits(tmp_path: Path) -> Iterator[Commits]:
    commits = Commits(tmp_path / "a.db")
    yield commits
    commits.store.close()


def put(name: str) -> Any:
    def operation(tx: Tx) -> str:
        tx.run("put_queue", env="dev", name=name, limit_n=1, limit_per_key=None)
        return name

    return operation


def bad(tx: Tx) -> None:
    tx.run("put_queue", env="dev", name="bad", limit_n=1, limit_per_key=None)
    raise ValueError("bad operation")


def names(store: SqliteStore) -> list[str]:
    return [row["name"] for row in store.read("list_queue_names", env="dev")]


def test_a_bad_operation_fails_alone_and_its_neighbours_are_committed(commits: Commits) -> None:
    one, failure, three = commits.store.write_all([put("one"), bad, put("three")])
    assert (one, three) == ("one", "three")
    assert isinstance(failure, ValueError)
    assert names(commits.store) == ["one", "three"]


def test_an_operation_that_fails_raises_in_its_caller_and_leaves_nothing(commits: Commits) -> None:
    with pytest.raises(ValueError, match="bad operation"):
        commits.store.write(bad)
    assert names(commits.store) == []
    assert commits.store.write(put("next")) == "next"


def test_operations_of_one_frame_share_a_commit_and_answer_in_order(commits: Commits) -> None:
    wanted = [f"q{n:03}" for n in range(100)]
    assert commits.store.write_all([put(name) for name in wanted]) == wanted
    assert commits.n == 1


def test_no_operations_make_no_commit(commits: Commits) -> None:
    assert commits.store.write_all([]) == []
    assert commits.n == 0


def test_callers_that_come_during_a_commit_share_the_next_one(commits: Commits) -> None:
    """Given 20 callers who come while a commit is held open, when it ends, then one more serves them all."""
    entered, go = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        entered.set()
        assert go.wait(30)

    results: dict[str, str] = {}

    def call(name: str) -> None:
        results[name] = commits.store.write(put(name))

    leader = threading.Thread(target=commits.store.write, args=(slow,))
    leader.start()
    assert entered.wait(30)
    callers = [threading.Thread(target=call, args=(f"q{n}",)) for n in range(20)]
    for caller in callers:
        caller.start()
    while len(commits.store._group._waiting) < 20:
        threading.Event().wait(0.001)
    go.set()
    for thread in (leader, *callers):
        thread.join(30)
    assert results == {f"q{n}": f"q{n}" for n in range(20)}
    assert commits.n == 2


def test_many_callers_at_once_all_get_their_own_results(commits: Commits) -> None:
    wrong: list[Any] = []

    def call(who: int) -> None:
        for n in range(100):
            name = f"{who}-{n}"
            if n % 10 == 3:
                try:
                    commits.store.write(bad)
                    wrong.append("a bad operation passed")
                except ValueError:
                    pass
            elif commits.store.write(put(name)) != name:
                wrong.append(name)

    callers = [threading.Thread(target=call, args=(who,)) for who in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert not wrong
    assert len(names(commits.store)) == 8 * 90


def test_actions_come_after_the_commit_and_never_for_what_failed(commits: Commits) -> None:
    seen: list[tuple[str, list[str]]] = []

    def acting(name: str, fails: bool = False) -> Any:
        def operation(tx: Tx) -> None:
            put(name)(tx)
            tx.after_commit(lambda: seen.append((name, names(commits.store))))
            if fails:
                raise ValueError(name)

        return operation

    commits.store.write_all([acting("a"), acting("b", fails=True), acting("c")])
    assert [name for name, _ in seen] == ["a", "c"]
    assert all(name in durable for name, durable in seen)


def test_an_action_that_fails_does_not_make_the_write_fail_nor_stop_the_others(
    commits: Commits, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def operation(tx: Tx) -> str:
        tx.after_commit(lambda: seen.remove("what is not there"))
        tx.after_commit(lambda: seen.append("told"))
        return "written"

    with caplog.at_level(logging.CRITICAL + 1, logger="detent.store"):
        assert commits.store.write(operation) == "written"
    assert seen == ["told"]


def test_an_interrupt_reaches_the_caller_and_the_store_goes_on_for_the_others(commits: Commits) -> None:
    """Given a follower who waits behind an interrupted leader, then it is served and the next caller too."""
    entered, go = threading.Event(), threading.Event()
    outcome: list[Any] = []

    def interrupted(tx: Tx) -> None:
        entered.set()
        assert go.wait(30)
        raise KeyboardInterrupt

    def lead() -> None:
        try:
            commits.store.write(interrupted)
        except KeyboardInterrupt:
            outcome.append("interrupted")

    leader = threading.Thread(target=lead)
    leader.start()
    assert entered.wait(30)
    follower = threading.Thread(target=lambda: outcome.append(commits.store.write(put("follower"))))
    follower.start()
    while not commits.store._group._waiting:
        threading.Event().wait(0.001)
    go.set()
    leader.join(30)
    follower.join(30)
    assert sorted(outcome) == ["follower", "interrupted"]
    assert commits.store.write(put("next")) == "next"


def test_no_more_operations_share_a_commit_than_the_most(tmp_path: Path) -> None:
    commits = Commits(tmp_path / "b.db")
    commits.store._group._most = 3
    entered, go = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        entered.set()
        assert go.wait(30)

    threads = [threading.Thread(target=commits.store.write, args=(slow,))]
    threads[0].start()
    assert entered.wait(30)
    threads += [threading.Thread(target=commits.store.write, args=(put(f"q{n}"),)) for n in range(9)]
    for thread in threads[1:]:
        thread.start()
    while len(commits.store._group._waiting) < 9:
        threading.Event().wait(0.001)
    go.set()
    for thread in threads:
        thread.join(30)
    assert commits.n == 4
    assert len(names(commits.store)) == 9
    commits.store.close()


def test_batches_and_the_others_take_turns(commits: Commits) -> None:
    """Given callers and batches that wait for a commit, when it ends, then a batch goes first, all callers together
    next, and the other batches each by itself after them."""
    entered, go = threading.Event(), threading.Event()
    turns: list[str] = []

    def slow(tx: Tx) -> None:
        entered.set()
        assert go.wait(30)

    def say(word: str) -> Any:
        return lambda tx: turns.append(f"{word} {commits.n}")

    leader = threading.Thread(target=commits.store.write, args=(slow,))
    leader.start()
    assert entered.wait(30)
    callers = [threading.Thread(target=commits.store.write, args=(say("caller"),)) for _ in range(3)]
    batches = [
        threading.Thread(target=commits.store.write, args=(say("batch"),), kwargs={"yields": True}) for _ in range(2)
    ]
    for thread in (*callers, *batches):
        thread.start()
    group = commits.store._group
    while len(group._waiting) < 3 or len(group._batches) < 2:
        threading.Event().wait(0.001)
    go.set()
    for thread in (leader, *callers, *batches):
        thread.join(30)
    assert turns == ["batch 1", "caller 2", "caller 2", "caller 2", "batch 3"]
