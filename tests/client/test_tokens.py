"""Tokens through the clients, over HTTP and in process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent, HttpTransport
from detent.config import load_config
from detent.embedded import ProjectTransport
from detent.errors import Conflict, InvalidOptions, LimitExceeded, NotFound, Unserializable
from detent.model.transport import Transport
from detent.server.http import HttpServer


@pytest.fixture(params=["http", "embedded"])
def transport(request: pytest.FixtureRequest, project: Project, server: HttpServer) -> Iterator[Transport]:
    transport: Transport = project.transport
    if request.param == "http":
        transport = HttpTransport(server.url, KEY)
    yield transport
    transport.close()


@pytest.fixture
def client(transport: Transport) -> Detent:
    return Detent(transport)


def test_a_token_is_made_completed_and_read(client: Detent) -> None:
    token = client.tokens.create(timeout="1h", tags="approval")
    assert (token.status, token.tags, token.is_cached, token.is_completed) == ("WAITING", ["approval"], False, False)
    assert token.timeout_at == token.created_at + timedelta(hours=1)
    assert client.tokens.retrieve(token.id) == token

    done = client.tokens.complete(token.id, {"by": "Ada", "at": datetime(2026, 11, 22, tzinfo=UTC), "n": [1.5, None]})

    assert (done.status, done.is_completed) == ("COMPLETED", True)
    assert done.output == {"by": "Ada", "at": "2026-11-22T00:00:00Z", "n": [1.5, None]}
    assert client.tokens.retrieve(token.id) == done
    with pytest.raises(Conflict, match=r"was completed already at .*; the first outcome counts"):
        client.tokens.complete(token.id, "late")


@pytest.mark.parametrize(
    ("timeout", "after"),
    [
        ("90s", 90),
        (0.5, 0.5),
        (timedelta(days=2), 172_800),
        (datetime(2100, 1, 1, tzinfo=UTC), None),
        ("2100-01-01T01:00:00+01:00", None),
    ],
)
def test_a_time_out_is_a_length_of_time_or_a_moment(client: Detent, timeout: Any, after: float | None) -> None:
    token = client.tokens.create(timeout=timeout)
    assert token.timeout_at is not None
    if after is None:
        assert token.timeout_at == datetime(2100, 1, 1, tzinfo=UTC)
    else:
        assert token.timeout_at == token.created_at + timedelta(seconds=after)


def test_a_token_without_a_time_out_waits_for_ever(client: Detent) -> None:
    assert client.tokens.create().timeout_at is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"timeout": "soon"}, "timeout: 'soon'"),
        ({"timeout": 0}, "timeout must be longer than 0"),
        ({"timeout": datetime(2100, 1, 1)}, "no time zone"),
        ({"tags": ["x" * 129]}, "a tag is a text of 1 to 128 characters"),
        ({"tags": 5}, "tags must be a text or a list of texts"),
        ({"idempotency_key": 5}, "idempotency_key must be a text"),
        ({"idempotency_key_ttl": "x"}, "idempotency_key_ttl: 'x'"),
    ],
)
def test_a_bad_value_is_refused(client: Detent, values: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOptions) as refusal:
        client.tokens.create(**values)
    assert said in str(refusal.value)


def test_a_key_finds_the_token_that_it_has_made(client: Detent) -> None:
    first = client.tokens.create(idempotency_key=["order", "7"], idempotency_key_ttl="1h")
    again = client.tokens.create(idempotency_key=["order", "7"])
    assert (again.id, again.is_cached, first.is_cached) == (first.id, True, False)
    assert [token.id for token in client.tokens.list(idempotency_key=["order", "7"])] == [first.id]
    assert client.tokens.create(idempotency_key="order").id != first.id


def test_what_is_no_output_or_no_token_is_refused(client: Detent) -> None:
    token = client.tokens.create()
    with pytest.raises(Unserializable, match=r"output\.a"):
        client.tokens.complete(token.id, {"a": object()})
    with pytest.raises(LimitExceeded, match="10 MiB"):
        client.tokens.complete(token.id, "x" * (10 * 1024 * 1024))
    for act in (client.tokens.retrieve, client.tokens.complete):
        with pytest.raises(NotFound, match=r"no token 'waitpoint_nope'.*detent tokens list"):
            act("waitpoint_nope")
    assert client.tokens.retrieve(token.id).status == "WAITING"


def test_a_list_goes_on_over_its_pages(client: Detent) -> None:
    made = [client.tokens.create(tags=["a"] if n % 2 else ["b"]).id for n in range(5)]
    client.tokens.complete(made[0])
    assert [token.id for token in client.tokens.list(limit=2)] == made[::-1]
    assert [token.id for token in client.tokens.list(tag="a", limit=1)] == [made[3], made[1]]
    assert [token.id for token in client.tokens.list(status=["completed"])] == [made[0]]
    page = client.tokens.list(status="WAITING", tag=["a", "b"], limit=3).page()
    assert [token.id for token in page.items] == [made[4], made[3], made[2]]
    assert [token.id for token in client.tokens.list(status="WAITING", cursor=page.next_cursor)] == [made[1]]
    with pytest.raises(InvalidOptions, match="limit must be from 1 to 100"):
        client.tokens.list(limit=0)
    with pytest.raises(InvalidOptions, match="did you mean 'WAITING'"):
        client.tokens.list(status="WAITIN").page()


def test_the_async_client_does_the_same(transport: Transport) -> None:
    async def scenario() -> None:
        async with AsyncDetent(transport) as client:
            first = await client.tokens.create(timeout="1h", tags=["a"], idempotency_key="k")
            assert (await client.tokens.create(idempotency_key="k")).is_cached
            others = [await client.tokens.create() for _ in range(2)]
            assert (await client.tokens.complete(first.id, 42)).output == 42
            assert (await client.tokens.retrieve(first.id)).output == 42
            listed = [token.id async for token in client.tokens.list(limit=1)]
            assert listed == [others[1].id, others[0].id, first.id]
            assert [token.id for token in (await client.tokens.list(status="completed").page()).items] == [first.id]
        if isinstance(transport, HttpTransport):
            await transport.aclose()

    asyncio.run(scenario())


def test_calls_that_are_sent_twice_are_answered_as_if_sent_once(project: Project) -> None:
    """Given a connection that breaks after the server has done what was asked, then the call succeeds."""

    class Doubled:
        def call(self, operation: str, **values: Any) -> Any:
            plain = {name: msgspec.json.decode(msgspec.json.encode(value)) for name, value in values.items()}
            project.transport.call(operation, **plain)
            return project.transport.call(operation, **plain)

    transport: Any = Doubled()
    client = Detent(transport)
    token = client.tokens.create(timeout="1h", idempotency_key="k")
    assert not token.is_cached
    assert client.tokens.complete(token.id, "x").output == "x"
    assert len(list(Detent(project.transport).tokens.list())) == 1


@pytest.mark.parametrize(
    ("settings", "variable", "base"),
    [
        ("", "", "http://127.0.0.1:8377"),
        ("port = 9000", "", "http://127.0.0.1:9000"),
        ('public_url = "https://a.example/"', "", "https://a.example"),
        ('public_url = "https://a.example"', "https://b.example", "https://b.example"),
    ],
)
def test_a_script_without_a_server_gives_out_the_address_where_one_will_be(
    tmp_path: Path, settings: str, variable: str, base: str
) -> None:
    (tmp_path / "detent.toml").write_text(settings)
    transport = ProjectTransport(load_config(tmp_path, env={"DETENT_PUBLIC_URL": variable}))
    try:
        assert Detent(transport).tokens.create().url.startswith(f"{base}/api/v1/waitpoints/tokens/")
    finally:
        transport.close()
