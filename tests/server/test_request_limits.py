"""Requests that are too long, too deep or ambiguous are refused with a reason, never with a dropped connection."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest
from tests.server.project import KEY, Project

from detent.errors import DetentError, InvalidOptions, InvalidPayload, LimitExceeded
from detent.server.http import HttpServer
from detent.server.json_checks import check_json

TRIGGER = "/api/v1/tasks/plain/trigger"


@pytest.fixture
def http(project: Project, server: HttpServer) -> Iterator[httpx.Client]:
    project.worker()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        yield client


def refused(answer: httpx.Response) -> tuple[int, str]:
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:detent:problem:{problem['code']}"
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["code"]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"NaN", (400, "invalid_options")),
        (b"Infinity", (400, "invalid_options")),
        (b"[1e999]", (400, "invalid_options")),
        (b'"\\ud800"', (400, "invalid_options")),
        (b'"\\ud800 and more text after it"', (400, "invalid_options")),
        (b'"\xff"', (422, "invalid_payload")),
        (b'{"a": 1, "a": 2}', (400, "invalid_options")),
        (b'{"b": [{"a": 1, "\\u0061": 2}]}', (400, "invalid_options")),
        (b"[" * 101 + b"]" * 101, (413, "limit_exceeded")),
        (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, (413, "limit_exceeded")),
        (b"[" * 500_000, (413, "limit_exceeded")),
        (b"[1,]", (400, "invalid_options")),
        (b"\x00", (400, "invalid_options")),
    ],
    ids=lambda value: str(value)[:24],
)
def test_json_that_readers_would_take_differently_is_refused(
    http: httpx.Client, payload: bytes, expected: tuple[int, str]
) -> None:
    assert refused(http.post(TRIGGER, content=b'{"payload": ' + payload + b"}")) == expected
    batch = b'{"items": [{"task": "plain", "payload": ' + payload + b"}]}"
    assert refused(http.post("/api/v1/tasks/batch", content=batch)) == expected
    assert refused(http.post("/api/v1/waitpoints/tokens", content=b'{"tags": ' + payload + b"}")) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"a": {"a": 1}, "b": {"a": ":"}},
        {'"': "{[", "\\": "\\\\", "a:b": '\\"{'},
        ["[" * 200, {"x": "{" * 200}],
        [[[[]]]] * 60,
        2**70,
        "",
    ],
)
def test_json_that_only_looks_strange_is_taken(value: object) -> None:
    check_json(json.dumps(value).encode())
    check_json(json.dumps(value, indent=1, ensure_ascii=False).encode())


def test_the_depth_is_counted_exactly() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        check_json((opening * 100 + "1" + closing * 100).encode())
        with pytest.raises(LimitExceeded, match="100 deep"):
            check_json((opening * 101 + "1" + closing * 101).encode())


@pytest.mark.parametrize("body", [b'{"a":1,"b":{"a":2,"a":3}}', b'{"a\\"":1,"a\\u0022":2}', b'{"":1,"":1}'])
def test_a_name_that_comes_twice_is_found_however_it_is_written(body: bytes) -> None:
    with pytest.raises(InvalidOptions, match="same name twice"):
        check_json(body)


def test_nothing_that_can_be_sent_as_json_ends_in_another_error() -> None:
    pieces = [b"{", b"}", b"[", b"]", b'"', b"\\", b":", b",", b"1", b"a", b"\xc3", b"null", b" ", b"\\u", b"-"]
    for first in pieces:
        for second in pieces:
            for third in pieces:
                try:
                    check_json(first + second + third)
                except (InvalidOptions, InvalidPayload):
                    continue
                except DetentError as error:
                    pytest.fail(f"{error!r}")


def test_an_address_or_headers_that_are_too_long_are_refused_with_the_limit(http: httpx.Client) -> None:
    assert refused(http.get("/api/v1/runs", params={"search": "x" * 9_000})) == (414, "url_too_long")
    assert refused(http.get("/health", headers={"x-long": "x" * 40_000})) == (431, "headers_too_large")
    many = [(f"x-{n}", "1") for n in range(110)]
    assert refused(http.get("/health", headers=many)) == (431, "headers_too_large")
    assert http.get("/health").status_code == 200


def test_a_problem_names_the_address_that_was_asked(http: httpx.Client) -> None:
    assert http.get("/api/v1/runs/run_x y").json()["instance"] == "/api/v1/runs/run_x%20y"


def test_whoever_sends_too_much_at_once_still_reads_why(server: HttpServer) -> None:
    """Given a body of 12 MB, sent by a program that reads only once all is sent, then it reads a refusal."""
    body = b"x" * 12_000_000
    port = int(server.url.rpartition(":")[2])
    head = (
        f"POST {TRIGGER} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tags": [f"t{n}" for n in range(11)]}, "10"),
        ({"tags": ["x" * 129]}, "128"),
        ({"metadata": {"a": "x" * 262_145}}, "262,144"),
        ({"idempotency_key": "x" * 2_049}, "2048"),
    ],
    ids=["tags", "tag", "metadata", "key"],
)
def test_what_a_run_may_carry_is_limited(http: httpx.Client, options: dict[str, object], said: str) -> None:
    answer = http.post(TRIGGER, json={"options": options})
    assert refused(answer)[0] in (400, 413)
    assert said in answer.json()["detail"].replace("2,048", "2048")


def test_a_batch_has_at_most_a_thousand_items(http: httpx.Client) -> None:
    answer = http.post("/api/v1/tasks/batch", json={"items": [{"task": "plain"}] * 1_001})
    assert refused(answer) == (413, "limit_exceeded")
