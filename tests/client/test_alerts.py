"""Alerts through the clients, over HTTP and in process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent, HttpTransport
from detent.errors import Conflict, InvalidOptions, NotFound
from detent.model.transport import Transport
from detent.server.http import HttpServer

HOOK = "https://hooks.example/detent"


@pytest.fixture(params=["http", "embedded"])
def transport(request: pytest.FixtureRequest, project: Project, server: HttpServer) -> Iterator[Transport]:
    transport: Transport = project.transport
    if request.param == "http":
        transport = HttpTransport(server.url, KEY)
    yield transport
    transport.close()


def test_an_alert_is_made_changed_tested_and_deleted(transport: Transport) -> None:
    client = Detent(transport)
    made = client.alerts.create(
        events=["run.failed", "queue.too_long"],
        webhook=HOOK,
        name="On call",
        task="plain",
        only=["first_seen", "regression"],
        threshold=1000,
        after="5m",
        window=30,
    )
    assert made.secret is not None
    found = client.alerts.retrieve(made.id)
    assert client.alerts.list() == [found]
    assert (found.task, found.only, found.threshold) == (["plain"], ["first_seen", "regression"], 1000)
    assert (found.after_ms, found.window_ms, found.enabled, found.channel) == (300_000, 30_000, True, "webhook")

    changed = client.alerts.update(made.id, name="Off call", only=[], enabled=False)
    assert (changed.name, changed.only, changed.enabled, changed.secret) == ("Off call", [], False, None)
    assert changed.disabled_reason == "somebody switched it off"
    assert client.alerts.update(made.id, enabled=True).enabled
    assert client.alerts.rotate_secret(made.id).secret not in (None, made.secret)

    sent = client.alerts.test(made.id)
    assert (sent.status, sent.event, sent.attempts, sent.body["alert"]["name"]) == (
        "PENDING",
        "alert.test",
        [],
        "Off call",
    )
    assert client.alerts.delivery(sent.id) == sent
    assert [each.id for each in client.alerts.deliveries(alert=made.id, status="pending", limit=1)] == [sent.id]
    with pytest.raises(Conflict, match="is on its way"):
        client.alerts.replay(sent.id)

    assert client.alerts.delete(made.id).id == made.id
    assert client.alerts.list() == []
    assert client.alerts.delivery(sent.id).status == "FAILED"
    with pytest.raises(Conflict, match="is deleted"):
        client.alerts.replay(sent.id)


def test_what_is_wrong_or_not_there_is_said(transport: Transport) -> None:
    client = Detent(transport)
    with pytest.raises(InvalidOptions, match=r"did you mean 'run\.failed'"):
        client.alerts.create(events="run.faild", webhook=HOOK)
    with pytest.raises(InvalidOptions, match="one of webhook, slack and email, got none"):
        client.alerts.create(events="run.failed")
    with pytest.raises(InvalidOptions, match="window: 'soon'"):
        client.alerts.create(events="run.failed", webhook=HOOK, window="soon")
    for ask in (client.alerts.retrieve, client.alerts.delete, client.alerts.test, client.alerts.rotate_secret):
        with pytest.raises(NotFound, match="detent alerts list"):
            ask("alert_0")
    with pytest.raises(NotFound, match="detent alerts deliveries"):
        client.alerts.delivery("msg_0")
    with pytest.raises(InvalidOptions, match="from 1 to 100"):
        client.alerts.deliveries(limit=101)


def test_the_same_awaited(transport: Transport) -> None:
    async def main() -> None:
        client = AsyncDetent(transport)
        made = await client.alerts.create(events="run.failed", email="ada@example.com")
        assert [each.id for each in await client.alerts.list()] == [made.id]
        assert (await client.alerts.update(made.id, webhook=HOOK)).secret is not None
        assert (await client.alerts.retrieve(made.id)).channel == "webhook"
        assert (await client.alerts.rotate_secret(made.id)).secret is not None
        sent = await client.alerts.test(made.id)
        assert [each.id async for each in client.alerts.deliveries()] == [sent.id]
        assert (await client.alerts.delivery(sent.id)).status == "PENDING"
        assert (await client.alerts.delete(made.id)).id == made.id
        with pytest.raises(Conflict):
            await client.alerts.replay(sent.id)
        if isinstance(transport, HttpTransport):
            await transport.aclose()

    asyncio.run(main())
