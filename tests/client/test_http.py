"""How requests are sent, sent again and refused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent, HttpTransport
from detent.errors import (
    ConfigError,
    Conflict,
    DetentError,
    Forbidden,
    InvalidOptions,
    InvalidPayload,
    LimitExceeded,
    NotFound,
    RateLimited,
    ServerError,
    ServerUnreachable,
    StoreError,
    TaskNotFound,
    Unauthorized,
)
from detent.server.http import HttpServer


@contextmanager
def cutting(server: HttpServer, times: int) -> Iterator[str]:
    """A proxy that cuts the connection `times` times once the server has answered, and then lets answers through."""
    listener = socket.create_server(("127.0.0.1", 0))
    target = ("127.0.0.1", int(server.url.rpartition(":")[2]))

    def serve() -> None:
        left = times
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, socket.create_connection(target) as behind:
                behind.sendall(_message(client))
                answer = _message(behind)
                if left > 0:
                    left -= 1
                    continue
                client.sendall(answer.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _message(connection: socket.socket) -> bytes:
    """One whole message of HTTP with its length told."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(1 << 16)
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(1 << 16)
    return head + b"\r\n\r\n" + body


class Counting(httpx.HTTPTransport):
    """A transport that keeps what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        return super().handle_request(request)


def scripted(*answers: httpx.Response) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A transport that gives these answers one after the other, and what it was asked."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers[len(asked) - 1]

    return httpx.MockTransport(answer), asked


def refusal(status: int, code: str, **headers: str) -> httpx.Response:
    problem = {"title": "No", "status": status, "code": code, "detail": f"{code} it is"}
    return httpx.Response(
        status, json=problem, headers={name.replace("_", "-"): told for name, told in headers.items()}
    )


@pytest.mark.parametrize(
    "start",
    [
        lambda client: client.tasks.trigger("plain", 1),
        lambda client: client.tasks.trigger("plain", 1, idempotency_key="k"),
        lambda client: client.tasks.batch_trigger([{"task": "plain"}]),
    ],
)
def test_a_connection_that_drops_after_the_commit_triggers_once(
    project: Project, server: HttpServer, start: Callable[[Detent], Any]
) -> None:
    project.worker()

    with cutting(server, 2) as url, Detent(api_url=url, secret_key=KEY) as client:
        start(client)

    assert len(project.operations.call("runs.list")["items"]) == 1


def test_a_connection_that_drops_after_the_commit_replays_and_makes_tokens_once(
    project: Project, server: HttpServer
) -> None:
    project.worker()
    first = Detent(project.transport).tasks.trigger("plain")

    with cutting(server, 1) as url, Detent(api_url=url, secret_key=KEY) as client:
        client.runs.replay(first.id)
    with cutting(server, 1) as url, Detent(api_url=url, secret_key=KEY) as client:
        client.tokens.create()
    with cutting(server, 1) as url, Detent(api_url=url, secret_key=KEY) as client:
        assert client.runs.cancel(first.id) == "CANCELED"

    with cutting(server, 1) as url, Detent(api_url=url, secret_key=KEY) as client:
        client.envvars.create("A", "b")  # done twice, it would be a conflict
    assert len(project.operations.call("runs.list")["items"]) == 2
    assert len(project.operations.call("tokens.list")["items"]) == 1


def test_each_call_is_one_request(project: Project, server: HttpServer) -> None:
    project.worker()
    counting = Counting()
    with Detent(api_url=server.url, secret_key=KEY, http_transport=counting) as client:
        calls: list[Callable[[], Any]] = [
            client.health,
            lambda: client.tasks.trigger("plain"),
            lambda: client.tasks.batch_trigger([{"task": "plain"}] * 3),
            lambda: list(client.runs.list()),
            lambda: client.runs.retrieve(next(iter(project.operations.call("runs.list")["items"]))["id"]),
            client.queues.list,
            client.tasks.list,
            client.tokens.create,
        ]
        for call in calls:
            before = len(counting.asked)
            call()
            assert len(counting.asked) == before + 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_options", InvalidOptions),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden_origin", Forbidden),
        (404, "not_found", NotFound),
        (404, "task_not_found", TaskNotFound),
        (409, "conflict", Conflict),
        (413, "limit_exceeded", LimitExceeded),
        (422, "invalid_payload", InvalidPayload),
        (429, "rate_limited", RateLimited),
        (500, "internal_error", ServerError),
        (503, "store_error", StoreError),
        (418, "teapot", DetentError),
    ],
)
def test_each_refusal_is_an_error_of_its_own_with_the_sentence_of_the_server(
    status: int, code: str, kind: type[DetentError]
) -> None:
    transport, _ = scripted(refusal(status, code))
    client = Detent(api_url="http://detent.test", http_transport=transport, max_retries=0)

    with pytest.raises(DetentError) as caught:
        client.health()

    assert type(caught.value) is kind
    assert (str(caught.value), caught.value.code, caught.value.status) == (f"{code} it is", code, status)


def test_a_server_that_asks_for_patience_is_asked_again_after_it() -> None:
    done = httpx.Response(200, json={"id": "run_1", "status": "QUEUED"})
    transport, asked = scripted(refusal(429, "rate_limited", retry_after="0"), refusal(429, "rate_limited"), done)
    client = Detent(api_url="http://detent.test", http_transport=transport)

    assert client.runs.resume("run_1") == "QUEUED"
    assert len(asked) == 3


def test_the_async_client_is_as_patient_and_has_the_same_errors() -> None:
    done = httpx.Response(200, json={"id": "run_1", "status": "QUEUED"})
    transport, asked = scripted(refusal(429, "rate_limited", retry_after="0"), done, refusal(404, "not_found"))

    async def scenario() -> None:
        async with AsyncDetent(api_url="http://detent.test", http_transport=transport) as client:
            assert await client.runs.resume("run_1") == "QUEUED"
            with pytest.raises(NotFound, match="not_found it is"):
                await client.runs.resume("run_1")

    asyncio.run(scenario())
    keys = [request.headers["idempotency-key"] for request in asked]
    assert keys[0] == keys[1] != keys[2]


def test_a_wait_that_is_too_long_is_left_to_the_caller() -> None:
    transport, asked = scripted(refusal(429, "rate_limited", retry_after="3600"))
    client = Detent(api_url="http://detent.test", http_transport=transport)

    with pytest.raises(RateLimited) as caught:
        client.health()

    assert (caught.value.retry_after, len(asked)) == (3600.0, 1)


def test_the_key_goes_to_the_address_that_was_given_and_not_where_it_leads() -> None:
    away = httpx.Response(307, headers={"location": "https://evil.test/health"})
    transport, asked = scripted(away)
    client = Detent(api_url="https://detent.test", secret_key=KEY, http_transport=transport)

    with pytest.raises(DetentError, match=r"sends to 'https://evil.test/health', which is not followed"):
        client.health()

    assert [request.url.host for request in asked] == ["detent.test"]
    assert asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_headers_and_a_proxy_are_used(server: HttpServer) -> None:
    transport, asked = scripted(refusal(404, "not_found"))
    client = Detent(api_url="http://detent.test/base/", http_transport=transport, headers={"X-Team": "a"})
    with pytest.raises(NotFound):
        client.health()
    assert (asked[0].headers["x-team"], asked[0].url.path) == ("a", "/base/health")

    # The server stands for a proxy: it is asked for a whole address, of a host that it is not.
    with Detent(api_url="http://detent.test", secret_key=KEY, proxy=server.url) as behind, pytest.raises(Forbidden):
        behind.health()


def test_a_server_that_does_not_answer_in_time_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            Detent(api_url=url, timeout=httpx.Timeout(0.05), max_retries=0) as client,
            pytest.raises(ServerUnreachable, match=url),
        ):
            client.health()


def test_neither_the_client_nor_its_transport_shows_the_key() -> None:
    for client in (Detent(api_url="http://x", secret_key=KEY), AsyncDetent(api_url="http://x", secret_key=KEY)):
        assert KEY not in f"{client!r} {client.runs!r}"
        assert "http://x" in repr(client)


@pytest.mark.parametrize(
    "url", ["detent.test", "ftp://x", "http://", "http://user:pass@x", "http://x?a=b", "http://x:99999"]
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected http://HOST:PORT"):
        HttpTransport(url)


def test_options_of_http_need_a_server(project: Project) -> None:
    with pytest.raises(InvalidOptions, match="not both"):
        Detent(project.transport, timeout=1)
    with pytest.raises(ConfigError, match="event loops only"):
        Detent(api_url="http://x", http_transport=httpx.AsyncHTTPTransport()).health()
    with pytest.raises(ConfigError, match="AsyncBaseTransport"):
        asyncio.run(AsyncDetent(api_url="http://x", http_transport=httpx.HTTPTransport()).health())


def test_one_client_serves_several_threads_and_event_loops(project: Project, server: HttpServer) -> None:
    project.worker()
    client = AsyncDetent(api_url=server.url, secret_key=KEY)
    made: list[str] = []

    async def trigger() -> None:
        runs = await asyncio.gather(*(client.tasks.trigger("plain", n) for n in range(5)))
        made.extend(run.id for run in runs)
        await client.close()

    threads = [Thread(target=lambda: asyncio.run(trigger())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(trigger())

    assert len(set(made)) == 20
    assert len(project.operations.call("runs.list", limit=100)["items"]) == 20
