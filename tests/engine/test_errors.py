"""Failures in groups: counted once, whatever happens; resolved, ignored, and come back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.engine.bench import Bench
from tests.engine.failing import Failing

from detent.engine import Engine
from detent.engine.alert_operations import AlertOperations
from detent.engine.error_groups import KEPT_RUNS
from detent.engine.error_operations import ErrorOperations
from detent.engine.loops import Digest
from detent.errors import InvalidOptions, NotFound
from detent.model.redaction import Redactor
from detent.store.statements import statements
from detent.vault import Vault

DAY_S = 86_400


@pytest.fixture
def failing(bench: Bench) -> Failing:
    return Failing(bench, "work", "other")


def test_failures_that_are_the_same_problem_are_one_group(failing: Failing) -> None:
    first = failing.fail("no user 17")
    failing.bench.clock.forward(60)
    last = failing.fail("no user 4", task="other")
    failing.fail("another thing", status="TIMED_OUT")
    failing.succeed()

    failing.read()

    other, group = failing.errors.list()["items"]
    assert (other["count"], other["message"]) == (1, "another thing")
    assert (group["type"], group["message"], group["count"]) == ("ValueError", "no user 4", 2)
    assert (group["first_run_id"], group["last_run_id"]) == (first, last)
    assert group["first_seen_at"] < group["last_seen_at"]
    assert group["tasks"] == ["other", "work"]
    assert group["status"] == "UNRESOLVED"


def test_each_failure_is_counted_once_however_often_the_reader_stops(failing: Failing) -> None:
    failing.fail_many(450)
    for _ in range(3):
        failing.digest.sweep()
        # The server stops, and another one goes on where it was
        failing.bench.restart()
        failing = Failing(failing.bench)
    failing.fail_many(30)
    failing.read()
    failing.read()
    assert failing.only()["count"] == 480


def test_two_readers_count_nothing_twice(failing: Failing) -> None:
    engine = failing.bench.engine
    readers = [Digest(engine.write, engine.store, engine.clock) for _ in range(2)]
    failing.fail_many(250)
    for _ in range(4):
        for reader in readers:
            reader.sweep()
    assert failing.only()["count"] == 250


def test_retention_neither_removes_what_is_not_read_nor_hides_what_comes_after(bench: Bench) -> None:
    # Given a store that keeps runs for a day, and a failure that was read
    bench.engine = Engine(bench.store, bench.clock, retention_ms=DAY_S * 1000)
    failing = Failing(bench)
    failing.fail()
    failing.read()
    # When another one is not read for two days
    failing.fail()
    bench.clock.forward(2 * DAY_S)
    # Then it stays
    assert bench.engine.remove_old_runs() == 1
    failing.read()
    assert failing.only()["count"] == 2
    # And when all the history is gone, the places of its events come again, for others
    assert bench.engine.remove_old_runs() == 1
    assert bench.count("SELECT count(*) FROM events") == 0
    failing.fail()
    failing.read()
    assert failing.only()["count"] == 3


def test_a_group_keeps_its_latest_runs_and_shows_the_error_of_the_last(failing: Failing) -> None:
    failing.fail_many(KEPT_RUNS + 5)
    last = failing.fail()
    failing.read()
    found = failing.errors.retrieve(id=failing.only()["id"])
    assert (found["count"], len(found["runs"]), found["runs"][0]["id"]) == (KEPT_RUNS + 6, KEPT_RUNS, last)
    assert found["task_counts"] == {"work": KEPT_RUNS + 6}
    assert (found["error"]["type"], found["error"]["message"]) == ("ValueError", "it broke")


def test_a_failure_after_it_was_resolved_is_a_regression(failing: Failing) -> None:
    failing.fail()
    failing.read()
    error_id = failing.only()["id"]
    late = failing.fail("it broke")
    failing.bench.clock.forward(1)

    resolved = failing.errors.resolve(id=error_id)
    assert (resolved["status"], resolved["resolved_at"] is None) == ("RESOLVED", False)
    # A failure from before, which is read only now, is none
    failing.read()
    assert (failing.only()["status"], failing.only()["count"], failing.only()["last_run_id"]) == ("RESOLVED", 2, late)

    failing.bench.clock.forward(1)
    failing.fail()
    failing.read()
    again = failing.only()
    assert (again["status"], again["regressions"], again["resolved_at"]) == ("UNRESOLVED", 1, None)
    assert again["regressed_at"] == again["last_seen_at"]


def test_what_is_ignored_for_a_time_is_open_again_afterwards(failing: Failing) -> None:
    failing.fail()
    failing.read()
    ignored = failing.errors.ignore(id=failing.only()["id"], until="1h")
    assert (ignored["status"], ignored["ignored_until"] is None) == ("IGNORED", False)
    failing.fail()
    failing.read()
    assert (failing.only()["status"], failing.only()["count"]) == ("IGNORED", 2)

    failing.bench.clock.forward(3600)

    assert failing.only()["status"] == "UNRESOLVED"
    assert [each["id"] for each in failing.errors.list(status=["UNRESOLVED"])["items"]] == [ignored["id"]]
    assert failing.errors.list(status=["IGNORED"])["items"] == []


def test_what_is_ignored_for_so_many_failures_is_opened_by_the_last_of_them(failing: Failing) -> None:
    failing.fail()
    failing.read()
    ignored = failing.errors.ignore(id=failing.only()["id"], occurrences=3)
    assert ignored["ignored_until_count"] == 4
    failing.fail_many(2)
    failing.read()
    assert failing.only()["status"] == "IGNORED"
    failing.fail()
    failing.read()
    assert (failing.only()["status"], failing.only()["ignored_until_count"]) == ("UNRESOLVED", None)


def test_what_is_ignored_for_good_stays_so_until_somebody_says_otherwise(failing: Failing) -> None:
    failing.fail()
    failing.read()
    error_id = failing.errors.ignore(id=failing.only()["id"])["id"]
    failing.bench.clock.forward(30 * DAY_S)
    failing.fail_many(5)
    failing.read()
    assert failing.only()["status"] == "IGNORED"
    assert failing.errors.unresolve(id=error_id)["status"] == "UNRESOLVED"


def test_errors_are_listed_latest_seen_first_and_by_what_they_are(failing: Failing) -> None:
    for name in ("apple pie", "pear pie", "plum jam"):
        failing.fail(name, task="other" if name == "pear pie" else "work")
        failing.bench.clock.forward(60)
    failing.read()

    def found(**values: Any) -> list[str]:
        return [each["message"].split()[0] for each in failing.errors.list(**values)["items"]]

    assert found() == ["plum", "pear", "apple"]
    assert found(search="PIE") == ["pear", "apple"]
    assert found(task="other") == ["pear"]
    assert found(task=["other", "work"], search="p") == ["plum", "pear", "apple"]
    assert found(status=["RESOLVED"]) == []
    page = failing.errors.list(limit=2)
    assert failing.errors.list(limit=2, cursor=page["next_cursor"])["next_cursor"] is None
    assert found(limit=2, cursor=page["next_cursor"]) == ["apple"]
    plum = failing.errors.list()["items"][0]
    assert found(since=plum["last_seen_at"]) == ["plum"]
    assert found(until=plum["last_seen_at"]) == ["pear", "apple"]


@pytest.mark.parametrize("cursor", ["x", "1", "-", "1-", "1-x", "9" * 19 + "-1", "\u0661-1"])
def test_a_cursor_that_no_page_gave_is_refused(failing: Failing, cursor: str) -> None:
    with pytest.raises(InvalidOptions, match="cursor must be the next_cursor of another page"):
        failing.errors.list(cursor=cursor)


def test_an_error_of_another_environment_is_not_there(failing: Failing) -> None:
    failing.fail()
    failing.read()
    error_id = failing.only()["id"]
    bench = failing.bench
    elsewhere = ErrorOperations(Engine(bench.store, bench.clock, env="prod"))
    assert elsewhere.list()["items"] == []
    for ask in (elsewhere.retrieve, elsewhere.resolve, elsewhere.ignore, elsewhere.unresolve):
        with pytest.raises(NotFound, match="detent errors list"):
            ask(id=error_id)
    assert failing.only()["status"] == "UNRESOLVED"


def test_the_same_error_in_two_environments_is_two_groups(failing: Failing) -> None:
    failing.fail()
    bench = failing.bench
    prod = Bench.__new__(Bench)
    prod.store, prod.clock = bench.store, bench.clock
    prod.engine = Engine(bench.store, bench.clock, env="prod")
    there = Failing(prod)
    there.fail_many(3)
    failing.read()
    assert (failing.only()["count"], there.only()["count"]) == (1, 3)


def test_groups_that_were_not_seen_for_long_are_forgotten(failing: Failing) -> None:
    failing.fail("old")
    failing.read()
    failing.bench.clock.forward(80 * DAY_S)
    failing.fail("newer")
    failing.bench.clock.forward(20 * DAY_S)
    failing.digest._tick()
    failing.read()
    assert failing.only()["message"] == "newer"
    assert failing.bench.count("SELECT count(*) FROM error_tasks") == 1
    assert failing.bench.count("SELECT count(*) FROM error_runs") == 1


def test_what_is_secret_is_in_no_group_and_in_no_message(bench: Bench) -> None:
    # Given an error that holds a key, and a reader that knows the environment's secrets
    failing = Failing(bench)
    failing.digest = Digest(
        bench.engine.write, bench.store, bench.clock, redactor=lambda env: Redactor([f"canary-of-{env}"])
    )
    alerts = AlertOperations(bench.engine, Vault.of_this_process())
    alerts.create(events=["run.failed"], webhook="https://hooks.example", window="0s")
    # When it is read
    failing.fail("the key canary-of-dev is refused")
    failing.read()
    # Then it is nowhere in what is kept for people
    assert failing.only()["message"] == "the key [redacted] is refused"
    kept = bench.store.read_sql("SELECT body FROM alert_deliveries UNION ALL SELECT message FROM error_groups", {})
    assert len(kept) == 2
    assert all("[redacted]" in row["body"] and "canary" not in row["body"] for row in kept)


@pytest.mark.parametrize("make_bench", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "name",
    ["list_ended", "list_due_deliveries", "next_delivery", "next_window", "list_due_windows", "find_error_group",
     "trim_error_runs", "view_error_runs", "view_error_tasks", "find_alert_window", "count_alert_windows",
     "queue_lengths", "view_workforce", "end_alert_attempt", "fail_alert_deliveries", "forget_error_groups",
     "forget_alert_deliveries", "view_alert_attempts"],
)  # fmt: skip
def test_a_statement_of_the_digest_and_the_courier_finds_its_rows_by_an_index(bench: Bench, name: str) -> None:
    sql = statements("sqlite")[name]
    values = dict.fromkeys(re.findall(r":([a-z_]+)", sql))
    plan = [row["detail"] for row in bench.store.read_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
    tables = "runs|r|events|e|error_groups|error_runs|error_tasks|alert_windows|alert_deliveries|d|lanes|l"
    assert not [step for step in plan if re.match(rf"SCAN ({tables})\b(?!.*USING)", step)], plan
