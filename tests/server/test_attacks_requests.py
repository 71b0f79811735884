"""A web page that was not asked for, and requests that no good client sends: refused, answered, and never a failure."""

from __future__ import annotations

import gzip
import json
import socket
from itertools import product
from typing import Any, NamedTuple

import httpx
import pytest
from tests.server.project import KEY, Project
from tests.server.test_doorkeeper import concrete

from detent.model.http_api import ROUTES, TRIGGER_TASK
from detent.model.ids import new_id
from detent.server import bodies
from detent.server.http import HttpServer

CALLBACK = f"/api/v1/waitpoints/tokens/{new_id('waitpoint')}/callback/{'0' * 40}"
OURS = ["127.0.0.1", "localhost", "LOCALHOST", "localhost.", "localhost:", "localhost:8377", "[::1]", "[::1]:65535"]
FOREIGN = [
    "", "::1", "[::1", "[::1]x", "[::1%25lo]", "[::]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "0", "2130706433",
    "0x7f.1", "0177.0.0.1", "127.0.0.1.nip.io", "localhost.evil.com", "evil.com", "evil.com:80", "localtest.me",
    "user@localhost", "localhost@evil.com", "127.0.0.1:80@evil.com", "localhost,evil.com", "evil.com,localhost",
    "localhost evil.com", "loca\tlhost", "localhost\tx", "localhost..", ".localhost", "foo.localhost",
    "localhost:65536",
    "localhost:-1", "localhost:80:80", "localhost:8a", "localhost#", "localhost?", "localhost/", "localhost\\x",
    "lo%63alhost",
    "localhost;x", "localhost:\u00b2", "\u00e9.com",
]  # fmt: skip
PAGES = [
    "null",
    "http://evil.com",
    "http://localhost.evil.com",
    "http://user@localhost",
    "http://localhost/",
    "file://",
    "",
]

#: What is no JSON, or not the JSON that is wanted.
BODIES = [
    b"{", b"nul", b"[]", b"1", b"null", b"{}x", b"\xff\xfe{}", b"\xef\xbb\xbf{}", gzip.compress(b"{}"),
    b'{"payload":NaN}', b'{"payload":-Infinity}', b'{"payload":1e999}', b'{"payload":' + b"9" * 10_000 + b"}",
    b'{"payload":"\\ud800"}', b'{"payload":"\x00"}', b'{"\\u0000":1}', b'{"options":{"\\ud800":1}}',
    b'{"payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"payload":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    b'{"payload":' + b"[" * 100_000, b'{"payload":1,"payload":2}', b'{"options":{"delay":1e308}}',
    b'{"options":{"queue":{"name":"q","concurrency_limit":99999999999999999999999}}}',
    b'{"options":{"idempotency_key":"k","idempotency_key_ttl":1e300}}',
]  # fmt: skip


class Said(NamedTuple):
    """What a server answered."""

    status: int
    kind: str
    body: bytes


def said(
    server: HttpServer,
    method: str,
    target: str,
    headers: str = "",
    body: bytes = b"",
    *,
    host: str | None = "localhost",
) -> Said:
    """The answer to a request as it stands here: no client tidies it up."""
    port = int(server.url.rpartition(":")[2])
    head = f"{method} {target} HTTP/1.1\r\n" + ("" if host is None else f"Host: {host}\r\n")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"{head}Connection: close\r\n{headers}\r\n".encode("latin-1") + body)
        reader = connection.makefile("rb")
        status = int(reader.readline().split()[1])
        fields: dict[str, str] = {}
        while (line := reader.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        kind = fields.get("content-type", "").partition(";")[0]
        is_stream = kind == "text/event-stream" or method == "HEAD"
        return Said(status, kind, b"" if is_stream else reader.read(int(fields.get("content-length", 0))))


def key(more: str = "") -> str:
    return f"Authorization: Bearer {KEY}\r\n{more}"


def code_of(answer: Said) -> str:
    """The code of a refusal, which is a problem document in whole."""
    assert answer.kind == "application/problem+json", answer
    document = json.loads(answer.body)
    assert document["status"] == answer.status
    assert document["detail"]
    assert document["title"]
    assert document["type"] == f"urn:detent:problem:{document['code']}"
    code: str = document["code"]
    return code


def test_only_the_names_of_this_machine_name_this_server(server: HttpServer) -> None:
    for host in OURS:
        assert said(server, "GET", "/api/v1/runs", key(), host=host).status == 200, host
    for host in FOREIGN:
        answer = said(server, "GET", "/api/v1/runs", key(), host=host)
        assert answer.status in (400, 403), (host, answer)
        if answer.status == 403:
            assert code_of(answer) == "forbidden_host", host
    for host in (None, "localhost\r\nHost: evil.com", "localhost\r\nHost: localhost"):
        assert said(server, "GET", "/api/v1/runs", key(), host=host).status in (400, 403)


def test_no_method_on_any_route_answers_to_another_name(server: HttpServer) -> None:
    paths = {concrete(route.path) for route in ROUTES.values()} | {
        "/openapi.json",
        "/",
        "/nothing",
        concrete(TRIGGER_TASK),
    }
    with httpx.Client(base_url=server.url, trust_env=False, headers={"authorization": f"Bearer {KEY}"}) as client:
        for path in sorted(paths):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
                rebound = client.request(method, path, headers={"host": "evil.com:8377"})
                assert rebound.status_code == 403, (method, path)
                page = client.request(method, path, headers={"origin": "http://evil.com"})
                assert page.status_code == 403, (method, path)
                assert "access-control-allow-origin" not in page.headers


def test_a_page_of_another_origin_is_refused_however_it_calls_itself(server: HttpServer) -> None:
    for origin in PAGES:
        for path in ("/api/v1/runs", "/openapi.json", "/realtime/v1/runs"):
            answer = said(server, "GET", path, key(f"Origin: {origin}\r\n"))
            assert (answer.status, code_of(answer)) == (403, "forbidden_origin"), (origin, path)
    both = "Origin: http://localhost\r\nOrigin: http://evil.com\r\n"
    assert said(server, "GET", "/api/v1/runs", key(both)).status == 403


def test_a_page_out_of_the_internet_gets_no_leave_to_enter_the_private_network(server: HttpServer) -> None:
    asked = {
        "origin": "http://evil.com",
        "access-control-request-method": "POST",
        "access-control-request-private-network": "true",
        "access-control-request-local-network": "true",
    }
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        answer = client.options("/api/v1/runs", headers=asked)
        assert not [name for name in answer.headers if "private-network" in name or "local-network" in name]
        assert "access-control-allow-credentials" not in answer.headers
        assert client.options("/api/v1/runs", headers=asked | {"host": "evil.com"}).status_code == 403


def test_a_callback_of_a_token_is_the_only_thing_that_any_name_may_post_to(server: HttpServer) -> None:
    for path in (
        CALLBACK,
        CALLBACK.replace("/callback", "/%63allback"),
        CALLBACK + "/",
        CALLBACK.upper(),
        CALLBACK + "?x=1",
    ):
        answer = said(server, "POST", path, "Content-Length: 0\r\n", host="evil.com")
        assert answer.status == (404 if path.partition("?")[0] == CALLBACK else 403), path
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        assert said(server, method, CALLBACK, "Content-Length: 0\r\n", host="evil.com").status == 403, method


def test_targets_that_are_no_path_of_this_server_lead_nowhere(server: HttpServer) -> None:
    for target in (
        "http://evil.com/api/v1/runs",
        "http://localhost/openapi.json",
        "evil.com:443",
        "*",
        "//evil.com/api/v1/runs",
    ):
        answer = said(server, "GET", target, key())
        assert answer.status in (400, 404), target
        assert said(server, "GET", target).status in (400, 401), target


@pytest.mark.parametrize(
    "junk", ["%", "%zz", "%00", "%ff%fe", "%ed%a0%80", "%F0%9F%98%80", "..%2f..%2fetc%2fpasswd", "9" * 5_000]
)
def test_whatever_stands_in_a_path_or_a_query_is_answered(server: HttpServer, junk: str) -> None:
    for operation, route in ROUTES.items():
        path = route.path
        for name in ("{id}", "{run}", "{name}", "{key}", "{stream}"):
            path = path.replace(name, junk)
        body = "" if route.method == "GET" else "Content-Length: 0\r\n"
        if path != route.path:
            answer = said(server, route.method, path, key(body))
            if operation == "tasks.check" and answer.status == 200:
                continue  # any text may be the id of a task that is yet to be deployed
            assert answer.status in (400, 404, 414), (operation, answer)
            code_of(answer)
    for path in (
        "/api/v1/runs",
        "/api/v1/logs",
        "/api/v1/queues",
        "/realtime/v1/runs",
        "/api/v1/errors",
        "/api/v1/schedules",
    ):
        for name in (
            "cursor",
            "limit",
            "since",
            "period",
            "tag",
            "tags",
            "search",
            "status",
            "last_event_id",
            "token",
            junk,
        ):
            answer = said(server, "GET", f"{path}?{name}={junk}", key())
            assert answer.status in (200, 400, 414), (path, name, answer)
            if answer.status == 400:
                assert code_of(answer) == "invalid_options"


def test_headers_of_junk_are_answered(server: HttpServer) -> None:
    run = said(server, "POST", "/api/v1/tasks/plain/trigger", key("Content-Length: 0\r\n"))
    followed = f"/realtime/v1/runs/{json.loads(run.body)['id']}"
    for header in (
        "9" * 5_000,
        f"{'9' * 5_000}-{'9' * 5_000}",
        "\xff",
        "-",
        "1-",
        "-1",
        "1-1-1",
        "\xb2-\xb2",
        f"{'9' * 18}-1",
    ):
        for path in ("/realtime/v1/runs", followed, f"/realtime/v1/streams/{followed.rpartition('/')[2]}/text"):
            answer = said(server, "GET", path, key(f"Last-Event-ID: {header}\r\n"))
            assert answer.status in (200, 400), (header[:20], answer)
    for header in (
        "Bearer \xff\xfe",
        "Bearer",
        "Bearer a.b.c",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        f"Basic {KEY}",
        KEY,
        f"Bearer {KEY}x",
    ):
        answer = said(server, "GET", "/api/v1/runs", f"Authorization: {header}\r\n")
        assert (answer.status, code_of(answer)) == (401, "unauthorized"), header
        assert KEY.encode() not in answer.body
    for name in ("x-detent-environment", "x-detent-project", "Idempotency-Key"):
        answer = said(
            server, "POST", "/api/v1/waitpoints/tokens", key(f"{name}: \xff\xfe\r\nContent-Length: 2\r\n"), b"{}"
        )
        assert answer.status in (200, 400, 404), name


def test_a_body_that_is_none_is_told_so(server: HttpServer) -> None:
    paths = ("/api/v1/tasks/plain/trigger", "/api/v1/tasks/batch", "/api/v1/waitpoints/tokens", "/api/v1/query")
    for path, body in product(paths, BODIES):
        answer = said(server, "POST", path, key(f"Content-Length: {len(body)}\r\n"), body)
        assert answer.status in (400, 413, 422), (path, body[:80], answer)
        code_of(answer)


def test_a_body_in_pieces_that_grows_over_its_limit_is_refused(server: HttpServer) -> None:
    piece = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
    answer = said(
        server, "POST", "/api/v1/tasks/plain/trigger", key("Transfer-Encoding: chunked\r\n"), piece * 5 + b"0\r\n\r\n"
    )
    assert (answer.status, code_of(answer)) == (413, "limit_exceeded")


def test_a_body_that_stops_coming_is_told_so(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 0.1)
    answer = said(server, "POST", "/api/v1/tasks/plain/trigger", key("Content-Length: 100\r\n"), b'{"pay')
    assert (answer.status, code_of(answer)) == (408, "request_timeout")


def test_a_connection_that_breaks_in_the_middle_of_a_body_is_no_failure_of_the_server(
    project: Project, server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"POST /api/v1/tasks/plain/trigger HTTP/1.1\r\nHost: localhost\r\n{key('Content-Length: 100')}\r\n\r\n"
        connection.sendall(head.encode() + b'{"pay')
    assert said(server, "GET", "/api/v1/runs", key()).status == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert project.operations.call("runs.list")["items"] == []


def test_a_look_at_the_head_of_a_stream_comes_to_an_end(server: HttpServer) -> None:
    with httpx.Client(
        base_url=server.url, trust_env=False, headers={"authorization": f"Bearer {KEY}"}, timeout=30
    ) as client:
        # The second request uses the connection of the first, which is free only when that one has ended.
        for _ in range(2):
            answer: Any = client.head("/realtime/v1/runs")
            assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
