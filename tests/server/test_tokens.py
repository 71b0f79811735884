"""Tokens over the HTTP API, as a client without our code meets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from tests.server.project import KEY, Project

from detent.engine.token_lists import page_of_tokens
from detent.server.http import HttpServer
from detent.store import SqliteStore

TOKENS = "/api/v1/waitpoints/tokens"


@pytest.fixture
def http(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        yield client


def make(http: httpx.Client, **values: Any) -> dict[str, Any]:
    answer = http.post(TOKENS, json=values)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def ids(http: httpx.Client, **query: Any) -> list[str]:
    answer = http.get(TOKENS, params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_a_token_is_made_found_and_completed_with_plain_json(http: httpx.Client) -> None:
    made = make(http, timeout="1h", tags=["approval"], idempotency_key="order-7")
    assert (made["status"], made["tags"], made["is_cached"], made["output"]) == ("WAITING", ["approval"], False, None)
    assert made["created_at"] < made["timeout_at"]
    assert make(http, idempotency_key="order-7") | {"is_cached": False} == made

    answer = http.post(f"{TOKENS}/{made['id']}/complete", json={"output": {"ok": True}})

    assert answer.status_code == 200
    found = http.get(f"{TOKENS}/{made['id']}").json()
    assert answer.json() == found
    assert (found["status"], found["output"], found["waiting_runs"]) == ("COMPLETED", {"ok": True}, [])
    assert found["completed_at"].endswith("Z")


def test_a_completion_without_a_body_gives_null(http: httpx.Client) -> None:
    made = make(http)
    assert http.post(f"{TOKENS}/{made['id']}/complete").json()["output"] is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"timeout": "soon"}, "timeout: 'soon' is not a length of time"),
        ({"timeout": 0}, "timeout must be longer than 0, got 0; leave it out"),
        ({"timeout": "2026-11-22T09:00:00"}, "no time zone"),
        ({"timeout": True}, "timeout: got True (bool)"),
        ({"tags": 5}, "tags must be a text or a list of texts, got 5 (int)"),
        ({"tags": [""]}, "a tag is a text of 1 to 128 characters"),
        ({"tags": [str(n) for n in range(11)]}, "a token has at most 10 tags, got 11"),
        ({"idempotency_key": ""}, "idempotency_key must be a text of 1 to 2048 characters"),
        ({"idempotency_key": "x", "idempotency_key_ttl": "0s"}, "idempotency_key_ttl must be positive"),
        ({"idempotency_key": "x", "idempotency_key_ttl": []}, "idempotency_key_ttl: got []"),
        ({"id": "waitpoint_1"}, "id must be one that was made for a token"),
        ({"id": 7}, "id must be a text, got 7"),
        ({"timout": "1h"}, "tokens.create does not take 'timout'; it takes: id, idempotency_key"),
    ],
)
def test_a_bad_value_is_refused_with_what_came_and_what_is_allowed(
    http: httpx.Client, body: dict[str, Any], said: str
) -> None:
    problem = http.post(TOKENS, json=body).json()
    assert (problem["status"], problem["code"]) == (400, "invalid_options")
    assert said in problem["detail"]
    assert ids(http) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=WAITIN", "did you mean 'WAITING'"),
        ("limit=0", "limit must be a whole number from 1 to 100"),
        ("cursor=x", "cursor must be"),
        ("colour=red", "'colour'"),
    ],
)
def test_a_bad_filter_is_refused(http: httpx.Client, query: str, said: str) -> None:
    answer = http.get(f"{TOKENS}?{query}")
    assert (answer.status_code, said in answer.json()["detail"]) == (400, True), answer.text


def test_a_second_completion_is_told_the_first_outcome(http: httpx.Client) -> None:
    made = make(http)
    where = f"{TOKENS}/{made['id']}/complete"
    assert http.post(where, json={"output": 1, "by": "call_1"}).status_code == 200
    assert http.post(where, json={"output": 1, "by": "call_1"}).status_code == 200
    refused = http.post(where, json={"output": 2, "by": "call_2"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "with 1; the first outcome counts" in refused.json()["detail"]
    assert http.post(where, json={"output": 2, "by": ""}).status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_token_is_told_with_what_to_do(project: Project, http: httpx.Client, method: str) -> None:
    moment = project.engine.create_waitpoint(id="waitpoint_" + "c" * 32, kind="time", due_at=2**52).row
    for unknown in ("waitpoint_nope", moment["id"]):
        answer = http.request(method, f"{TOKENS}/{unknown}{'/complete' if method == 'POST' else ''}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "detent tokens list" in answer.json()["detail"]


def test_a_large_output_goes_to_the_object_store_and_a_larger_one_is_refused(
    project: Project, http: httpx.Client
) -> None:
    made = make(http)
    where = f"{TOKENS}/{made['id']}/complete"
    over = http.post(where, json={"output": "x" * (10 * 1024 * 1024 - 1)})
    assert (over.status_code, "the limit is 10,485,760" in over.json()["detail"]) == (413, True)

    assert http.post(where, json={"output": "x" * (10 * 1024 * 1024 - 2), "by": "call_1"}).status_code == 200

    [row] = project.store.read("find_waitpoint", id=made["id"])
    assert row["output"] is None
    assert len(project.objects.get(row["output_ref"])) == 10 * 1024 * 1024
    # Nor does a late one replace the object of the winner
    assert http.post(where, json={"output": "y" * 200_000}).status_code == 409
    assert http.post(where, json={"output": "y" * 200_000, "by": "call_1"}).status_code == 200
    assert http.get(f"{TOKENS}/{made['id']}").json()["output"] == "x" * (10 * 1024 * 1024 - 2)


def test_tokens_are_listed_newest_first_in_pages_and_by_what_they_are(http: httpx.Client) -> None:
    # Given five tokens, of which one is completed and two are over
    tokens = [make(http, tags=tags)["id"] for tags in (["a"], ["a", "b"], ["b"])]
    late = [make(http, timeout="2020-01-01T00:00:00Z", tags=["b"])["id"] for _ in range(2)]
    http.post(f"{TOKENS}/{tokens[0]}/complete")
    newest = [*reversed(late), *reversed(tokens)]
    # Then
    assert ids(http) == newest
    assert ids(http, status="WAITING") == [tokens[2], tokens[1]]
    assert ids(http, status="COMPLETED") == [tokens[0]]
    assert ids(http, status="TIMED_OUT") == [*reversed(late)]
    assert ids(http, status=["COMPLETED", "TIMED_OUT"]) == [*reversed(late), tokens[0]]
    assert ids(http, tag="a") == [tokens[1], tokens[0]]
    assert ids(http, tag=["a", "b"]) == newest
    assert ids(http, tag="b", status="WAITING") == [tokens[2], tokens[1]]
    assert ids(http, tag="c") == []
    # And in pages, which stay where they are while tokens arrive
    page = http.get(TOKENS, params={"limit": 2}).json()
    make(http)
    following = http.get(TOKENS, params={"limit": 3, "cursor": page["next_cursor"]}).json()
    assert [item["id"] for item in page["items"] + following["items"]] == newest
    assert following["next_cursor"] is None
    assert "output" not in page["items"][0]


def test_tokens_are_found_by_their_key(http: httpx.Client) -> None:
    made = make(http, idempotency_key="order-7", tags=["a"])["id"]
    make(http, idempotency_key="order-8")
    assert ids(http, idempotency_key="order-7") == [made]
    assert ids(http, idempotency_key="order-7", status="COMPLETED") == []
    assert ids(http, idempotency_key="order-7", tag="b") == []
    assert ids(http, idempotency_key="order-9") == []


def test_a_time_out_shows_at_once_though_nobody_has_noted_it(project: Project, http: httpx.Client) -> None:
    made = make(http, timeout="2020-01-01T00:00:00Z")["id"]
    before = http.get(f"{TOKENS}/{made}").json()
    project.engine.sweep()
    assert before == http.get(f"{TOKENS}/{made}").json()
    assert (before["status"], before["completed_at"]) == ("TIMED_OUT", None)
    assert ids(http, status="TIMED_OUT") == [made]


@pytest.mark.parametrize(
    ("status", "tag", "key"),
    [([], [], None), (["WAITING"], [], None), (["TIMED_OUT"], [], None), (["WAITING"], ["a"], None), ([], [], "k")],
)
def test_a_page_reads_no_table_from_one_end_to_the_other(
    project: Project, status: list[str], tag: list[str], key: str | None
) -> None:
    asked: Any = Asked(project.store)
    page_of_tokens(asked, "dev", 2, status=status, tag=tag, key=key, limit=25, before=None)
    assert asked.plan
    assert not [step for step in asked.plan if step.startswith(("SCAN w", "SCAN t"))], asked.plan


class Asked:
    """A store that keeps how the questions to it were answered."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.dialect = store.dialect
        self.plan: list[str] = []

    def read_sql(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        self.plan += [row["detail"] for row in self._store.read_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
        return self._store.read_sql(sql, values)
