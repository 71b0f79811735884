"""Callback addresses of tokens, as services that have nothing but the address meet them."""

from __future__ import annotations

import re
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.project import KEY, Project

from detent.config import load_config
from detent.errors import InvalidPayload
from detent.server.callbacks import output_of
from detent.server.host import Host
from detent.server.http import HttpServer

MIB = 1024 * 1024


@pytest.fixture
def anyone(project: Project, server: HttpServer) -> Iterator[httpx.Client]:
    """Somebody without a key."""
    project.engine.callbacks.base = server.url
    with httpx.Client(trust_env=False) as client:
        yield client


def token(project: Project, **values: Any) -> dict[str, Any]:
    made: dict[str, Any] = project.operations.call("tokens.create", **values)
    return made


def now(project: Project, made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = project.operations.call("tokens.retrieve", id=made["id"])
    return found


def test_whoever_has_the_address_completes_the_token_once(project: Project, anyone: httpx.Client) -> None:
    made = token(project)

    first = anyone.post(made["url"], json={"approved": True})
    second = anyone.post(made["url"], json={"approved": False})

    assert (first.status_code, first.json()) == (200, {"success": True})
    assert (now(project, made)["status"], now(project, made)["output"]) == ("COMPLETED", {"approved": True})
    assert (second.status_code, second.json()["code"]) == (409, "conflict")
    assert second.headers["content-type"] == "application/problem+json"
    assert "approved" not in second.text


def test_a_token_that_has_timed_out_is_not_completed_by_its_address(project: Project, anyone: httpx.Client) -> None:
    made = token(project, timeout="2020-01-01T00:00:00Z")
    project.engine.sweep()
    assert now(project, made)["status"] == "TIMED_OUT"
    assert anyone.post(made["url"]).status_code == 409


@pytest.mark.parametrize(
    ("content_type", "body", "output"),
    [
        ("application/json", b'{"a": [1, null]}', {"a": [1, None]}),
        ("application/json; charset=utf-8", b"42", 42),
        ("application/cloudevents+json", b'"x"', "x"),
        ("application/json", b"", None),
        ("", b"", None),
        ("", b"true", True),
        ("text/plain", "schön {".encode(), "schön {"),
        ("text/plain; charset=latin-1", "schön".encode("latin-1"), "schön"),
        ("text/xml", b"<ok/>", "<ok/>"),
        (
            "application/x-www-form-urlencoded",
            b"text=a+b%26c&user=u&user=v&user=w&empty=",
            {"text": "a b&c", "user": ["u", "v", "w"], "empty": ""},
        ),
        ("application/x-www-form-urlencoded", b"", None),
        ("application/octet-stream", b"plain", "plain"),
    ],
)
def test_the_body_is_the_output(
    project: Project, anyone: httpx.Client, content_type: str, body: bytes, output: Any
) -> None:
    made = token(project)
    headers = {"content-type": content_type} if content_type else {}
    assert anyone.post(made["url"], content=body, headers=headers).status_code == 200
    assert now(project, made)["output"] == output


def test_digits_of_a_number_are_kept_as_they_came() -> None:
    assert output_of("application/json", b'{"id": 123456789012345678901234567890}') == (
        '{"id": 123456789012345678901234567890}'
    )


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        ("application/json", b"{", "not JSON"),
        ("application/json", b"NaN", "not JSON"),
        ("application/json", b"[" * 60, "not JSON"),
        ("application/json", b'"\xff"', "not utf-8 text"),
        ("text/plain", b"\xff", "not utf-8 text"),
        ("text/plain; charset=klingon", b"x", "'klingon'"),
        ("application/x-www-form-urlencoded", b"a=%FF", "form"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 2_000), "form"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_completes_nothing(
    project: Project, anyone: httpx.Client, content_type: str, body: bytes, said: str
) -> None:
    made = token(project)
    answer = anyone.post(made["url"], content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_payload")
    assert said in answer.json()["detail"]
    assert now(project, made)["status"] == "WAITING"


def test_a_codec_of_python_that_is_no_charset_is_refused() -> None:
    for name in ("rot13", "zlib", "base64", "idna", "undefined"):
        with pytest.raises(InvalidPayload):
            output_of(f"text/plain; charset={name}", b"x\xff" * 40)


def test_a_body_over_three_mebibytes_is_refused_and_one_of_that_size_is_taken(
    project: Project, anyone: httpx.Client
) -> None:
    made = token(project)
    assert anyone.post(made["url"], content=b"x" * (3 * MIB + 1)).status_code == 413
    assert now(project, made)["status"] == "WAITING"
    taken = anyone.post(made["url"], content=b"x" * (3 * MIB), headers={"content-type": "text/plain"})
    assert taken.status_code == 200
    assert now(project, made)["output"] == "x" * (3 * MIB)
    assert [row["output"] for row in project.store.read("find_waitpoint", id=made["id"])] == [None]


def test_neither_host_nor_origin_nor_a_wrong_key_matter_at_a_callback(project: Project, anyone: httpx.Client) -> None:
    for headers in (
        {"host": "hooks.example.com"},
        {"origin": "https://mail.example.com"},
        {"authorization": "Bearer other"},
    ):
        assert anyone.post(token(project)["url"], headers=headers).status_code == 200


def test_a_wrong_digest_and_an_unknown_token_are_refused_alike(project: Project, anyone: httpx.Client) -> None:
    made, other = token(project), token(project)
    wrong = made["url"][:-1] + ("0" if made["url"][-1] != "0" else "1")
    of_other = f"{made['url'].rpartition('/')[0]}/{other['url'].rpartition('/')[2]}"
    unknown = made["url"].replace(made["id"], "waitpoint_" + "0" * 32)

    answers = [anyone.post(url, content=b"x" * (4 * MIB)) for url in (wrong, of_other, unknown)]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert now(project, made)["status"] == "WAITING"


NEAR_MISSES = [
    ("POST", "{url}/"),
    ("POST", "{url}/more"),
    ("POST", "{url}0"),
    ("POST", "{url};x"),
    ("POST", "{base}//{path}"),
    ("POST", "{base}/./{path}"),
    ("POST", "{base}/x/../{path}"),
    ("POST", "{url}/../../complete"),
    ("POST", "{url}/.."),
    ("POST", "{url}%2f..%2f..%2fcomplete"),
    ("POST", "{base}/api/v1/waitpoints/tokens/{id}%2Fcallback%2F{digest}"),
    ("POST", "{base}/api/v1/waitpoints/tokens/%77aitpoint_{tail}/callback/{digest}"),
    ("POST", "{base}/api/v1/waitpoints/tokens/{id}/callback"),
    ("POST", "{base}/api/v1/waitpoints/tokens/{id}/callback/"),
    ("POST", "{base}/api/v1/waitpoints/tokens/{id}/complete"),
    ("POST", "{base}/api/v1/waitpoints/tokens/..%2f..%2fruns/callback/{digest}"),
    ("POST", "{base}/api/v1/waitpoints/tokens/{upper}/callback/{digest}"),
    ("POST", "{base}/api/v1/waitpoints/tokens"),
    ("POST", "{base}/api/v1/tasks/api/v1/waitpoints/tokens/{id}/callback/{digest}/trigger"),
    ("GET", "{url}"),
    ("PUT", "{url}"),
    ("DELETE", "{url}"),
    ("OPTIONS", "{url}"),
    ("HEAD", "{url}"),
    ("post", "{url}"),
    ("GET", "{base}/api/v1/waitpoints/tokens/{id}"),
    ("GET", "{base}/api/v1/waitpoints/tokens"),
]


@pytest.mark.parametrize(("method", "shape"), NEAR_MISSES)
def test_nothing_near_a_callback_comes_in_without_the_key(
    project: Project, server: HttpServer, method: str, shape: str
) -> None:
    project.engine.callbacks.base = server.url
    made = token(project)
    target = shape.format(
        url=made["url"],
        base=server.url,
        path=made["url"].removeprefix(f"{server.url}/"),
        id=made["id"],
        upper=made["id"].upper(),
        tail=made["id"].removeprefix("waitpoint_"),
        digest=made["url"].rpartition("/")[2],
    ).removeprefix(server.url)

    assert status_of(server, method, target) in ({400, 401} if method == "post" else {401})
    assert now(project, made)["status"] == "WAITING"


def status_of(server: HttpServer, method: str, target: str) -> int:
    """The status of a request whose target is sent as it is: clients tidy paths up before they send them."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"{method} {target} HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        connection.sendall(head.encode())
        with connection.makefile("rb") as answer:
            return int(answer.readline().split()[1])


def test_a_query_after_the_address_does_no_harm(project: Project, anyone: httpx.Client) -> None:
    assert anyone.post(f"{token(project)['url']}?utm_source=mail").status_code == 200


def test_every_other_route_of_the_server_asks_for_the_key(project: Project, server: HttpServer) -> None:
    """The census of the gate: what the app serves, each path once with and once without the key."""
    from detent.model.http_api import ROUTES, TRIGGER_BATCH, TRIGGER_TASK

    project.worker()
    needing = [(route.method, route.path) for route in ROUTES.values() if route.scope != "public"]
    for method, path in [*needing, ("POST", TRIGGER_TASK), ("POST", TRIGGER_BATCH)]:
        assert status_of(server, method, re.sub(r"\{\w+\}", "waitpoint_" + "0" * 32, path)) == 401, path


def test_of_callbacks_at_once_one_is_taken(project: Project, anyone: httpx.Client) -> None:
    made = token(project)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: anyone.post(made["url"], json=n), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 15
    winner = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
    assert now(project, made)["output"] == winner


def test_addresses_stay_the_same_after_a_restart_and_differ_between_projects(tmp_path: Path) -> None:
    urls = []
    for _ in range(2):
        project = Project(tmp_path / "one")
        made = project.operations.call("tokens.create", id="waitpoint_" + "a" * 32)
        urls.append(made["url"])
        project.close()
    other = Project(tmp_path / "other")
    urls.append(other.operations.call("tokens.create", id="waitpoint_" + "a" * 32)["url"])
    other.close()
    assert urls[0] == urls[1] != urls[2]


def test_an_address_that_is_made_within_a_transaction_is_the_same(project: Project) -> None:
    token_id = "waitpoint_" + "b" * 32
    callbacks = project.engine.callbacks
    inside = project.engine.write(lambda scene: callbacks.url(token_id, scene.tx))
    assert inside == callbacks.url(token_id)


def test_a_secret_that_was_made_in_a_transaction_that_failed_is_forgotten(project: Project) -> None:
    token_id = "waitpoint_" + "b" * 32
    callbacks = project.engine.callbacks
    made: list[str] = []

    def fail(scene: Any) -> None:
        made.append(callbacks.url(token_id, scene.tx))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        project.engine.write(fail)

    assert callbacks.url(token_id) != made[0]
    with sqlite3.connect(project.store.path) as database:
        assert database.execute("SELECT count(*) FROM settings").fetchone() == (1,)
    database.close()


@pytest.mark.parametrize("public", [None, "https://hooks.example.com/detent/"])
def test_a_server_gives_out_its_own_address_or_the_public_one(tmp_path: Path, public: str | None) -> None:
    (tmp_path / "detent.toml").write_text("" if public is None else f'public_url = "{public}"\n')
    host = Host(load_config(tmp_path, env={"DETENT_SECRET_KEY": KEY}), port=0)
    host.start()
    try:
        url = host.operations.call("tokens.create")["url"]
        base = public.rstrip("/") if public else host.url
        assert url.startswith(f"{base}/api/v1/waitpoints/tokens/waitpoint_")
        here = url.replace(base, host.url)
        assert httpx.post(here, json=1, headers={"host": "hooks.example.com"}, trust_env=False).status_code == 200
    finally:
        host.stop()
