"""Schedules through the clients, over HTTP and in process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent, HttpTransport
from detent.errors import InvalidOptions, NotFound
from detent.model.transport import Transport
from detent.server.http import HttpServer


@pytest.fixture(params=["http", "embedded"])
def transport(request: pytest.FixtureRequest, project: Project, server: HttpServer) -> Iterator[Transport]:
    transport: Transport = project.transport
    if request.param == "http":
        transport = HttpTransport(server.url, KEY)
    yield transport
    transport.close()


def test_a_schedule_is_made_changed_stopped_found_and_removed(transport: Transport) -> None:
    schedules = Detent(transport).schedules
    made = schedules.create(task="report", cron="30 2 * * *", timezone="Europe/Berlin", deduplication_key="k")
    assert (made.kind, made.active, made.cron, made.timezone) == ("created", True, "30 2 * * *", "Europe/Berlin")
    assert len(made.upcoming) == 10
    assert made.next_at == made.upcoming[0] > datetime.now(UTC)
    assert schedules.retrieve(made.id) == made
    assert schedules.create(task="report", cron="0 3 * * *", deduplication_key="k").id == made.id

    changed = schedules.update(made.id, external_id="ada", timezone="Asia/Kolkata")
    assert (changed.cron, changed.timezone, changed.external_id) == ("0 3 * * *", "Asia/Kolkata", "ada")
    assert schedules.update(made.id, external_id=None).external_id is None
    assert schedules.deactivate(made.id).next_at is None
    assert [schedule.id for schedule in schedules.list(active=False, task="report", kind="created")] == [made.id]
    assert list(schedules.list(active=True)) == []
    assert schedules.activate(made.id).active
    schedules.delete(made.id)
    with pytest.raises(NotFound, match="detent schedules list"):
        schedules.del_(made.id)


def test_lists_go_on_over_all_pages(transport: Transport) -> None:
    schedules = Detent(transport).schedules
    made = [schedules.create(task="report", cron="* * * * *", deduplication_key=f"{number}").id for number in range(5)]
    assert [schedule.id for schedule in schedules.list(limit=2)] == made[::-1]
    with pytest.raises(InvalidOptions, match="limit must be from 1 to 100"):
        schedules.list(limit=0)


def test_times_are_previewed_and_zones_are_named(transport: Transport) -> None:
    schedules = Detent(transport).schedules
    seen = schedules.preview("0 9 L * *", timezone="Asia/Kolkata", after=datetime(2026, 2, 1, tzinfo=UTC), limit=2)
    assert seen.upcoming == [datetime(2026, 2, 28, 3, 30, tzinfo=UTC), datetime(2026, 3, 31, 3, 30, tzinfo=UTC)]
    [soon] = schedules.preview("* * * * *", after="1h", limit=1).upcoming
    assert timedelta(minutes=59) < soon - datetime.now(UTC) <= timedelta(minutes=61)
    assert {"UTC", "Europe/Berlin"} <= set(schedules.timezones())
    with pytest.raises(InvalidOptions, match="has 3 fields, expected five"):
        schedules.preview("* * *")


def test_the_awaited_client_does_the_same(transport: Transport) -> None:
    async def scenario() -> None:
        schedules = AsyncDetent(transport).schedules
        made = await schedules.create(task="report", cron="0 * * * *", deduplication_key="k", external_id="ada")
        assert [each async for each in schedules.list(external_id="ada")] != []
        assert (await schedules.update(made.id, cron="1 * * * *")).cron == "1 * * * *"
        assert not (await schedules.deactivate(made.id)).active
        assert (await schedules.activate(made.id)).upcoming == (await schedules.retrieve(made.id)).upcoming
        assert len((await schedules.preview("0 * * * *")).upcoming) == 10
        assert "UTC" in await schedules.timezones()
        await schedules.delete(made.id)
        if isinstance(transport, HttpTransport):
            await transport.aclose()

    asyncio.run(scenario())


def test_over_http_a_schedule_is_plain_json(project: Project, server: HttpServer) -> None:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as http:
        body = {"task": "report", "cron": "0 9 * * *", "deduplication_key": "k"}
        made = http.post("/api/v1/schedules", json=body).json()
        place = f"/api/v1/schedules/{made['id']}"
        assert http.get(place).json() == made
        assert http.put(place, json={"external_id": "ada"}).json()["external_id"] == "ada"
        assert http.put(place, json={"external_id": None}).json()["external_id"] is None
        assert http.get("/api/v1/schedules", params={"active": "true"}).json()["items"][0]["id"] == made["id"]
        preview = http.get("/api/v1/schedules/preview", params={"cron": "0 9 * * *", "limit": 3})
        assert len(preview.json()["upcoming"]) == 3
        assert "Europe/Berlin" in http.get("/api/v1/timezones").json()["items"]
        assert http.delete(place).json() == {"id": made["id"], "deleted": True}
        assert http.get(place).json()["code"] == "not_found"
        for wrong in ({"cron": "x"}, {"timezone": "Mars"}, {"deduplication_key": ""}, {"task": 7}, {"colour": "red"}):
            answer = http.post("/api/v1/schedules", json=body | wrong)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_options"), wrong
