"""Schedules: every slot gets one run, whoever passes it, and whatever happened meanwhile."""

from __future__ import annotations

import json
import random
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.engine.bench import MORNING, Bench, Worker

from detent.engine import Engine
from detent.engine.operations import Operations
from detent.errors import Conflict, InvalidOptions, NotFound, TaskNotFound
from detent.model.cron import latest_slot
from detent.model.ids import new_id
from detent.model.manifest import Manifest, ProblemSpec, ScheduleSpec, TaskSpec
from detent.store import SqliteStore

HOUR, DAY = 3_600, 86_400
#: The bench's clock begins at 08:00 on 15 January 2027, UTC.
BERLIN = "Europe/Berlin"


def connect(bench: Bench, *problems: ProblemSpec, name: str | None = None, **schedules: ScheduleSpec | None) -> Worker:
    """A worker whose tasks have these schedules."""
    specs = [TaskSpec(task, f"task/{task}", schedule=spec) for task, spec in schedules.items()]
    return Worker(bench, Manifest(specs, [], list(problems)), name or new_id("worker"))


def ask(bench: Bench, operation: str, **values: Any) -> Any:
    return Operations(bench.engine).call(operation, **values)


def create(bench: Bench, cron: str = "0 * * * *", key: str = "k", **values: Any) -> Any:
    return ask(bench, "schedules.create", **{"task": "work", "cron": cron, "deduplication_key": key} | values)


def listed(bench: Bench, **filters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = ask(bench, "schedules.list", **filters)["items"]
    return items


def runs_of(bench: Bench, schedule_id: str) -> list[dict[str, Any]]:
    """The payloads of the runs of a schedule, oldest first."""
    rows = bench.store.read_sql("SELECT * FROM runs WHERE schedule_id = :id ORDER BY seq", {"id": schedule_id})
    return [json.loads(row["payload"]) for row in rows]


def stamps(bench: Bench, schedule_id: str) -> list[str]:
    return [payload["timestamp"][:16] for payload in runs_of(bench, schedule_id)]


# Declared in the code.


def test_a_declared_schedule_runs_its_task_at_each_of_its_times(bench: Bench) -> None:
    worker = connect(bench, report=ScheduleSpec("30 9 * * *", BERLIN))
    [schedule] = listed(bench)
    assert (schedule["task"], schedule["kind"], schedule["next_at"]) == (
        "report", "declared", "2027-01-15T08:30:00.000Z",
    )  # fmt: skip
    for _ in range(40):
        bench.pass_time(HOUR)
    [first, second] = worker.claim(5)
    assert first.task == second.task == "report"
    [one, two] = runs_of(bench, schedule["id"])
    assert (one["timestamp"], one["last_timestamp"]) == ("2027-01-15T08:30:00.000Z", None)
    assert (two["timestamp"], two["last_timestamp"]) == ("2027-01-16T08:30:00.000Z", one["timestamp"])
    assert (one["timezone"], one["schedule_id"], one["external_id"]) == (BERLIN, schedule["id"], None)
    assert len(one["upcoming"]) == 10
    assert one["upcoming"][0] == two["timestamp"]
    detail = ask(bench, "runs.retrieve", id=first.run_id)
    assert detail["schedule_id"] == schedule["id"]
    assert [run["id"] for run in ask(bench, "runs.list", schedule=schedule["id"])["items"]] == [
        second.run_id, first.run_id,
    ]  # fmt: skip


def test_workers_and_restarts_do_not_double_a_declared_schedule(bench: Bench) -> None:
    spec = ScheduleSpec("0 * * * *")
    connect(bench, report=spec)
    connect(bench, report=spec)
    [before] = listed(bench)
    bench.pass_time(HOUR)
    bench.restart()
    connect(bench, report=spec)
    [after] = listed(bench)
    assert after["id"] == before["id"]
    assert (after["last_at"], after["next_at"]) == ("2027-01-15T09:00:00.000Z", "2027-01-15T10:00:00.000Z")


def test_a_declared_schedule_changes_and_goes_with_the_code(bench: Bench) -> None:
    first = connect(bench, report=ScheduleSpec("0 * * * *"), other=ScheduleSpec("0 0 * * *"))
    bench.engine.lose_worker(first.id, "stopped")
    second = connect(bench, report=ScheduleSpec("30 9 * * *", BERLIN), other=None)
    [changed] = listed(bench)
    assert (changed["cron"], changed["timezone"], changed["next_at"]) == (
        "30 9 * * *", BERLIN, "2027-01-15T08:30:00.000Z",
    )  # fmt: skip
    bench.engine.lose_worker(second.id, "stopped")
    connect(bench, another=None)
    assert listed(bench) == []


def test_a_schedule_stays_while_another_worker_runs_its_task_or_a_file_cannot_be_read(bench: Bench) -> None:
    spec = ScheduleSpec("0 * * * *")
    first = connect(bench, report=spec)
    second = connect(bench, another=spec)
    assert {row["task"] for row in listed(bench)} == {"report", "another"}
    bench.engine.lose_worker(first.id, "stopped")
    bench.engine.lose_worker(second.id, "stopped")
    connect(bench, ProblemSpec("tasks/report.py", 1, "no import"), another=None)
    assert {row["task"] for row in listed(bench)} == {"report"}
    bench.pass_time(HOUR)
    [waiting] = listed(bench)
    assert (waiting["last_at"], waiting["next_at"]) == (None, "2027-01-15T10:00:00.000Z")
    assert "no worker has described a task 'report'" in waiting["problem"]
    connect(bench, report=spec)
    bench.pass_time(HOUR)
    [again] = listed(bench)
    assert (again["last_at"], again["problem"]) == ("2027-01-15T10:00:00.000Z", None)


def test_a_declared_schedule_is_only_there_in_its_environments(bench: Bench) -> None:
    connect(
        bench,
        here=ScheduleSpec("0 * * * *", environments=["dev", "prod"]),
        elsewhere=ScheduleSpec("0 * * * *", environments=["prod"]),
    )
    assert [row["task"] for row in listed(bench)] == ["here"]


def test_a_declared_schedule_can_be_stopped_and_stays_so_but_not_changed(bench: Bench) -> None:
    spec = ScheduleSpec("0 * * * *")
    connect(bench, report=spec)
    [schedule] = listed(bench)
    stopped = ask(bench, "schedules.deactivate", id=schedule["id"])
    assert (stopped["active"], stopped["next_at"], stopped["upcoming"]) == (False, None, [])
    connect(bench, report=ScheduleSpec("30 * * * *"))
    bench.pass_time(DAY)
    assert runs_of(bench, schedule["id"]) == []
    for operation, values in (("update", {"cron": "1 * * * *"}), ("delete", {})):
        with pytest.raises(Conflict, match="is declared with task 'report'; change it there"):
            ask(bench, f"schedules.{operation}", id=schedule["id"], **values)
    again = ask(bench, "schedules.activate", id=schedule["id"])
    assert (again["cron"], again["next_at"]) == ("30 * * * *", "2027-01-16T08:30:00.000Z")


# Slots.


def test_of_the_slots_that_were_missed_the_latest_gets_a_run(bench: Bench) -> None:
    bench.worker()
    schedule = create(bench)
    bench.clock.forward(2 * DAY + 20 * 60)
    bench.restart()
    bench.worker()
    for _ in range(3):
        bench.engine.sweep()
    assert stamps(bench, schedule["id"]) == ["2027-01-17T08:00"]
    bench.pass_time(40 * 60)
    assert stamps(bench, schedule["id"]) == ["2027-01-17T08:00", "2027-01-17T09:00"]


def test_a_server_that_restarts_at_a_slot_makes_its_run_once(bench: Bench) -> None:
    bench.worker()
    schedule = create(bench)
    bench.pass_time(HOUR)
    bench.restart()
    bench.engine.sweep()
    bench.clock.forward(-HOUR)
    bench.engine.sweep()
    bench.pass_time(HOUR)
    assert stamps(bench, schedule["id"]) == ["2027-01-15T09:00"]


def test_a_clock_that_is_set_back_brings_no_slot_again_even_after_a_change(bench: Bench) -> None:
    bench.worker()
    schedule = create(bench)
    bench.pass_time(HOUR)
    bench.clock.forward(-HOUR)
    for cron in ("30 * * * *", "0 * * * *"):
        ask(bench, "schedules.update", id=schedule["id"], cron=cron)
    bench.pass_time(HOUR)
    assert stamps(bench, schedule["id"]) == ["2027-01-15T09:00"]
    [row] = listed(bench)
    assert row["next_at"] == "2027-01-15T10:00:00.000Z"


def test_runs_of_a_schedule_keep_to_the_queue_of_its_task(bench: Bench) -> None:
    worker = bench.worker("work@narrow")
    bench.set_limit("narrow", 1)
    for number in range(3):
        create(bench, key=str(number))
    bench.pass_time(HOUR)
    assert len(worker.claim(5)) == 1


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_clock_does_each_slot_has_one_run_and_the_latest_is_never_left_out(
    bench: Bench, seed: int
) -> None:
    """Given schedules, when the clock jumps by seconds, hours and days to and fro and servers come and go, then no slot
    has two runs, and the latest slot before the latest moment has one."""
    chance = random.Random(seed)  # a game
    bench.worker()
    patterns = {"*/5 * * * *": "UTC", "30 2 * * *": BERLIN, "15 */3 * * *": "Asia/Kolkata"}
    ids = {cron: create(bench, cron, cron, timezone=zone)["id"] for cron, zone in patterns.items()}
    latest = bench.clock.now()
    for _ in range(150):
        bench.clock.forward(chance.choice([1, -1, 1, 1]) * chance.choice([40, 600, HOUR, DAY]) * chance.random())
        if chance.random() < 0.1:
            bench.restart()
            bench.worker()
        bench.engine.sweep()
        latest = max(latest, bench.clock.now())
    for cron, zone in patterns.items():
        slots = [payload["timestamp"] for payload in runs_of(bench, ids[cron])]
        assert slots == sorted(set(slots))
        due = latest_slot(cron, zone, MORNING, latest)
        assert slots[-1] == datetime.fromtimestamp(due / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        assert all(datetime.fromisoformat(slot).timestamp() * 1000 <= latest for slot in slots)


def test_a_zone_that_is_not_known_any_more_stops_its_schedule_alone(bench: Bench) -> None:
    bench.worker()
    broken, sound = create(bench, key="a"), create(bench, key="b")
    bench.engine.write(
        lambda scene: scene.tx.run(
            "change_schedule", id=broken["id"], task="work", external_id=None, cron="0 * * * *",
            timezone="Mars/Olympus", active=1, next_at=scene.now, now=scene.now,
        )
    )  # fmt: skip
    bench.pass_time(HOUR)
    problem = next(row["problem"] for row in listed(bench) if row["id"] == broken["id"])
    assert "the next time cannot be told: timezone: no time zone is named 'Mars/Olympus'" in problem
    assert len(runs_of(bench, sound["id"])) == 1


def test_a_worker_whose_zone_the_server_does_not_know_is_let_in_and_its_schedule_says_why(bench: Bench) -> None:
    connect(bench, report=ScheduleSpec("0 * * * *", "Mars/Olympus"), sound=ScheduleSpec("0 * * * *"))
    bench.pass_time(HOUR)
    by_task = {row["task"]: row for row in listed(bench)}
    assert "no time zone is named 'Mars/Olympus'" in by_task["report"]["problem"]
    assert len(runs_of(bench, by_task["sound"]["id"])) == 1


def test_two_servers_on_one_database_make_each_run_once(bench: Bench) -> None:
    """Given 250 schedules and two engines, when both pass ten slots at the same time, then each slot has one run."""
    bench.worker()
    ids = [create(bench, key=str(number))["id"] for number in range(250)]
    other = SqliteStore(bench.path)
    engines = [bench.engine, Engine(other, bench.clock)]
    for _ in range(10):
        bench.clock.forward(HOUR)
        together = threading.Barrier(2)

        def sweep(engine: Engine, together: threading.Barrier = together) -> None:
            together.wait()
            engine.schedules.sweep()

        threads = [threading.Thread(target=sweep, args=(engine,)) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    other.close()
    assert bench.count("SELECT count(*) FROM runs") == 250 * 10
    wanted = [f"2027-01-15T{hour:02}:00" for hour in range(9, 19)]
    assert all(stamps(bench, schedule_id) == wanted for schedule_id in ids)


def test_the_loop_passes_a_slot_by_itself(bench: Bench) -> None:
    made = threading.Event()
    bench.worker()

    def look() -> None:
        if bench.count("SELECT count(*) FROM runs"):
            made.set()

    bench.engine.listeners.append(look)
    bench.engine.start()
    create(bench)
    bench.clock.forward(HOUR)
    # A schedule that is made wakes the loop.
    create(bench, key="other")
    assert made.wait(30)
    bench.engine.stop()


# Created at run time.


def test_the_same_key_changes_the_same_schedule(bench: Bench) -> None:
    bench.worker("work", "other")
    first = create(bench, external_id="ada")
    assert (first["kind"], first["active"], first["deduplication_key"]) == ("created", True, "k")
    bench.clock.forward(60)
    same = create(bench, external_id="ada")
    assert same == first
    second = create(bench, "30 9 * * *", timezone=BERLIN, task="other")
    assert second["id"] == first["id"]
    assert (second["task"], second["external_id"], second["next_at"]) == ("other", None, "2027-01-15T08:30:00.000Z")
    assert [row["id"] for row in listed(bench)] == [first["id"]]
    assert create(bench, key="another")["id"] != first["id"]


def test_what_is_left_out_of_an_update_stays(bench: Bench) -> None:
    bench.worker()
    made = create(bench, external_id="ada")
    changed = ask(bench, "schedules.update", id=made["id"], timezone=BERLIN)
    assert (changed["cron"], changed["timezone"], changed["external_id"]) == ("0 * * * *", BERLIN, "ada")
    assert ask(bench, "schedules.update", id=made["id"], external_id=None)["external_id"] is None


def test_a_change_of_something_else_keeps_the_slot_that_is_due(bench: Bench) -> None:
    bench.worker()
    made = create(bench)
    bench.clock.forward(HOUR)
    ask(bench, "schedules.update", id=made["id"], external_id="ada")
    bench.engine.sweep()
    [payload] = runs_of(bench, made["id"])
    assert payload["external_id"] == "ada"


def test_a_deleted_schedule_makes_no_run_and_its_runs_stay(bench: Bench) -> None:
    bench.worker()
    made = create(bench)
    bench.pass_time(HOUR)
    assert ask(bench, "schedules.delete", id=made["id"]) == {"id": made["id"], "deleted": True}
    bench.pass_time(HOUR)
    assert len(runs_of(bench, made["id"])) == 1
    for operation in ("retrieve", "update", "delete", "activate", "deactivate"):
        with pytest.raises(NotFound, match="no schedule"):
            ask(bench, f"schedules.{operation}", id=made["id"])


def test_a_schedule_of_another_environment_is_not_there(bench: Bench) -> None:
    bench.worker()
    made = create(bench)
    there = Operations(Engine(bench.store, bench.clock, env="prod"))
    assert there.call("schedules.list")["items"] == []
    for operation in ("retrieve", "update", "delete", "activate", "deactivate"):
        with pytest.raises(NotFound):
            there.call(f"schedules.{operation}", id=made["id"])
    mine = there.call("schedules.create", task="work", cron="0 0 * * *", deduplication_key="k")
    assert mine["id"] != made["id"]
    assert ask(bench, "schedules.retrieve", id=made["id"]) == made


def test_one_engine_passes_the_slots_of_every_environment_within_it(bench: Bench) -> None:
    bench.worker()
    other = Engine(bench.store, bench.clock, env="prod")
    prod = Bench.__new__(Bench)
    prod.__dict__ |= bench.__dict__ | {"engine": other}
    prod.worker()
    made = create(prod)
    bench.pass_time(HOUR)
    [row] = bench.store.read_sql("SELECT env, state FROM runs WHERE schedule_id = :id", {"id": made["id"]})
    assert tuple(row) == ("prod", "QUEUED")


def test_a_task_that_no_worker_has_is_refused_once_one_is_connected(bench: Bench) -> None:
    early = create(bench, task="wrok")
    bench.worker()
    with pytest.raises(TaskNotFound, match="did you mean 'work'"):
        create(bench, task="wrok", key="late")
    bench.pass_time(HOUR)
    assert runs_of(bench, early["id"]) == []
    assert "no worker has described a task 'wrok'" in listed(bench)[0]["problem"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"cron": "0 25 * * *"}, "has a bad hour"),
        ({"cron": 5}, "cron must be a text"),
        ({"timezone": "Berlin"}, "no time zone is named 'Berlin'"),
        ({"deduplication_key": ""}, "deduplication_key must be a text of 1 to 512 characters, got ''"),
        ({"deduplication_key": None}, "deduplication_key must be a text"),
        ({"external_id": 7}, "external_id must be a text"),
        ({"task": ""}, "task must be a text"),
    ],
)
def test_a_bad_value_is_refused(bench: Bench, values: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOptions, match=said):
        create(bench, **values)
    assert listed(bench) == []


def test_schedules_are_listed_page_by_page_and_by_what_they_are(bench: Bench) -> None:
    connect(bench, work=None, report=ScheduleSpec("0 * * * *"))
    made = [create(bench, key=str(number), external_id=f"c{number % 2}")["id"] for number in range(5)]
    ask(bench, "schedules.deactivate", id=made[0])
    page = ask(bench, "schedules.list", limit=3, kind="created")
    rest = ask(bench, "schedules.list", limit=3, kind="created", cursor=page["next_cursor"])
    assert [row["id"] for row in page["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    assert [row["id"] for row in listed(bench, external_id="c1")] == [made[3], made[1]]
    assert [row["id"] for row in listed(bench, active=False)] == [made[0]]
    assert [row["task"] for row in listed(bench, kind="declared")] == ["report"]
    assert len(listed(bench, task="work")) == 5


def test_the_next_times_of_a_pattern_can_be_seen_before_it_is_used(bench: Bench) -> None:
    seen = ask(bench, "schedules.preview", cron="30  2 * * *", timezone=BERLIN, after="2026-10-24T12:00:00Z", limit=2)
    assert seen == {
        "cron": "30 2 * * *",
        "timezone": BERLIN,
        "upcoming": ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"],
    }
    now = datetime.fromtimestamp(bench.clock.now() / 1000, UTC)
    first = ask(bench, "schedules.preview", cron="* * * * *")["upcoming"]
    assert len(first) == 10
    assert datetime.fromisoformat(first[0]) > now
    assert ask(bench, "timezones.list")["items"][0] == "UTC"
