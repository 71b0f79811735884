"""Scheduled tasks in tests: declared, run by the virtual clock, asked for by their module-level names."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detent import Detent, ScheduledPayload, schedules, task
from detent.errors import DiscoveryError, InvalidOptions
from detent.model.manifest import ScheduleSpec
from detent.sdk.registry import registry
from detent.sync import schedules as sync_schedules
from detent.testing import harness

BERLIN = "Europe/Berlin"


@pytest.fixture(autouse=True)
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # A harness of another test would take these tasks, and run them.
    monkeypatch.setattr(registry, "declared", [])
    yield


def test_a_virtual_clock_passes_the_times_of_a_schedule_also_where_clocks_change() -> None:
    seen: list[ScheduledPayload] = []

    @schedules.task(id="sched-nightly", cron="30 2 * * *", timezone=BERLIN)
    async def nightly(payload: ScheduledPayload) -> None:
        seen.append(payload)

    with harness() as h:
        h.clock.move_to(int(datetime(2026, 3, 28, tzinfo=UTC).timestamp() * 1000))
        h.engine.sweep()
        h.drain()
        seen.clear()
        h.advance("3d")
        assert [payload.timestamp for payload in seen] == [
            datetime(2026, 3, 28, 1, 30, tzinfo=UTC),
            datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
            datetime(2026, 3, 30, 0, 30, tzinfo=UTC),
        ]
        assert seen[1].last_timestamp == seen[0].timestamp
        assert seen[1].upcoming[0] == seen[2].timestamp
        [schedule] = Detent().schedules.list()
        assert {payload.schedule_id for payload in seen} == {schedule.id}
        assert [run.schedule_id for run in Detent().runs.list(schedule=schedule.id)][:3] == [schedule.id] * 3


def test_to_drain_moves_the_clock_for_no_schedule() -> None:
    @schedules.task(id="sched-minutely", cron="* * * * *")
    def minutely(payload: ScheduledPayload) -> None: ...

    with harness() as h:
        h.drain()
        assert list(Detent().runs.list()) == []
        h.advance("90s")
        [run] = Detent().runs.list()
        assert run.task == "sched-minutely"


def test_inside_a_run_schedules_are_made_and_asked_for() -> None:
    @task(id="sched-reminder")
    async def reminder(payload: ScheduledPayload) -> str | None:
        return payload.external_id

    @task(id="sched-signup")
    async def signup(customer: str) -> str:
        made = await schedules.create(
            task=reminder, cron="0 8 * * *", external_id=customer, deduplication_key=f"remind {customer}"
        )
        return made.id

    with harness() as h:
        schedule_id = h.output(signup.sync.trigger("ada"))
        assert sync_schedules.retrieve(schedule_id).external_id == "ada"
        h.advance("1d")
        [run] = Detent().runs.list(task="sched-reminder")
        assert h.run(run.id).output == "ada"
        asyncio.run(_delete(schedule_id))
        assert list(sync_schedules.list()) == []


async def _delete(schedule_id: str) -> None:
    await schedules.delete(schedule_id)


def test_a_scheduled_task_takes_its_payload_as_it_likes_and_can_be_triggered_by_hand() -> None:
    seen: dict[str, Any] = {}

    @schedules.task(id="sched-mapping", cron="0 * * * *")
    def mapping(payload: dict[str, Any]) -> None:
        seen["mapping"] = payload["timestamp"]

    @schedules.task(id="sched-plain", cron="0 * * * *")
    def plain(payload) -> None:  # type: ignore[no-untyped-def]  # without an annotation it is a ScheduledPayload
        seen["plain"] = payload.timestamp

    @sync_schedules.task(id="sched-nothing", cron="0 * * * *")
    def nothing() -> None:
        seen["nothing"] = True

    with harness() as h:
        h.advance("1h")
        assert seen == {
            "mapping": "2026-01-01T01:00:00.000Z",
            "plain": datetime(2026, 1, 1, 1, tzinfo=UTC),
            "nothing": True,
        }
        plain.sync.trigger()
        h.drain()
        assert datetime.now(UTC) - seen["plain"] < timedelta(minutes=5)


def test_a_task_that_does_not_take_a_scheduled_payload_is_refused_with_a_sentence() -> None:
    @schedules.task(id="sched-wrong", cron="0 * * * *")
    def wrong(payload: int) -> None: ...

    with pytest.raises(DiscoveryError, match="its payload is a ScheduledPayload, and it takes int"):
        wrong.spec()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"cron": "0 25 * * *"}, "cron of sched-bad: '0 25 \\* \\* \\*' has a bad hour"),
        ({"cron": {"pattern": "0 0 * * * *"}}, "has 6 fields, expected five"),
        ({"cron": {"timezone": "UTC"}}, "cron of sched-bad has no pattern"),
        ({"cron": {"pattern": "* * * * *", "zone": "UTC"}}, "cron of sched-bad has 'zone', expected pattern"),
        ({"cron": {"pattern": "* * * * *", "timezone": "UTC"}, "timezone": "UTC"}, "timezone .* was given twice"),
        ({"cron": "* * * * *", "timezone": "Europe/Berln"}, "did you mean 'Europe/Berlin'"),
        ({"cron": "* * * * *", "environments": ["prd"]}, "environments of sched-bad: .*did you mean 'prod'"),
    ],
)
def test_a_bad_pattern_or_zone_is_refused_where_it_is_declared(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOptions, match=said):
        schedules.task(id="sched-bad", **values)


def test_a_pattern_may_be_given_with_its_zone_and_its_environments() -> None:
    @schedules.task(
        id="sched-mapped", cron={"pattern": "0  9 * * *", "timezone": BERLIN, "environments": ["prod", "preview"]}
    )
    def mapped() -> None: ...

    assert mapped.spec().schedule == ScheduleSpec("0 9 * * *", BERLIN, ["prod", "preview"])
    with harness() as h:
        assert list(Detent().schedules.list()) == []
        h.advance("2d")
        assert list(Detent().runs.list()) == []
