"""A request that comes again under its Idempotency-Key is not done again, and another one is not taken for it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.server.project import KEY, Project

from detent.engine.answers import Answers, key_of
from detent.errors import Conflict
from detent.server.http import HttpServer
from detent.vault import Vault

TRIGGER, BATCH, TOKENS = "/api/v1/tasks/plain/trigger", "/api/v1/tasks/batch", "/api/v1/waitpoints/tokens"


@pytest.fixture
def http(project: Project, server: HttpServer) -> Iterator[httpx.Client]:
    project.worker()
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        yield client


def test_a_trigger_takes_the_key_of_its_header_and_makes_one_run(project: Project, http: httpx.Client) -> None:
    first, again = (http.post(TRIGGER, json={"payload": 1}, headers={"Idempotency-Key": "k"}).json() for _ in range(2))
    assert (first["id"], first.get("cached", False), again["cached"]) == (again["id"], False, True)
    other = http.post(TRIGGER, json={"payload": 2}, headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert len(http.get("/api/v1/runs").json()["items"]) == 1


def test_a_key_in_the_body_goes_before_that_of_the_header(http: httpx.Client) -> None:
    body = {"options": {"idempotency_key": "of the body"}}
    first = http.post(TRIGGER, json=body, headers={"Idempotency-Key": "a"}).json()
    again = http.post(TRIGGER, json=body, headers={"Idempotency-Key": "b"}).json()
    assert first["id"] == again["id"]


@pytest.mark.parametrize("key", ["", "x" * 2_049], ids=["empty", "long"])
def test_a_key_that_is_none_is_refused(http: httpx.Client, key: str) -> None:
    for path, body in ((TRIGGER, {}), (TOKENS, {}), (BATCH, {"items": [{"task": "plain"}]})):
        assert http.post(path, json=body, headers={"Idempotency-Key": key}).status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        (BATCH, {"items": [{"task": "plain"}]}, {"items": [{"task": "plain", "payload": 1}]}),
        (TOKENS, {"tags": ["a"]}, {"tags": ["b"]}),
        ("/api/v1/envvars", {"name": "A", "value": "1"}, {"name": "A", "value": "2"}),
    ],
)
def test_what_is_made_is_made_once_and_the_answer_is_the_same(
    http: httpx.Client, path: str, body: object, other: object
) -> None:
    first, again = (http.post(path, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    refused = http.post(path, json=other, headers={"Idempotency-Key": "k"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "another request" in refused.json()["detail"]


def test_the_same_key_at_another_address_is_another_request(http: httpx.Client) -> None:
    assert http.post(TOKENS, json={}, headers={"Idempotency-Key": "k"}).status_code == 200
    assert http.post(f"{TOKENS}/waitpoint_x/complete", json={}, headers={"Idempotency-Key": "k"}).status_code == 409


def test_a_request_that_was_refused_may_be_made_again(http: httpx.Client) -> None:
    http.post("/api/v1/envvars", json={"name": "A", "value": "1"})
    body, headers = {"name": "A", "value": "2"}, {"Idempotency-Key": "k"}
    assert http.post("/api/v1/envvars", json=body, headers=headers).status_code == 409
    assert http.request("DELETE", "/api/v1/envvars/A", json={}).status_code == 200
    assert http.post("/api/v1/envvars", json=body, headers=headers).status_code == 200


def test_new_keys_are_told_once_and_kept_nowhere(project: Project, http: httpx.Client) -> None:
    made = [http.post("/api/v1/keys", json={"name": "a"}, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert made[0].status_code == 200, made[0].text
    assert made[0].json()["id"] != made[1].json()["id"]
    assert project.store.read_sql("SELECT count(*) AS n FROM answers", {})[0]["n"] == 0


def test_of_many_at_once_one_is_done_and_no_other_answer_is_given(http: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: http.post(TOKENS, json={}, headers={"Idempotency-Key": "k"}), range(16)))
    good = {answer.content for answer in answers if answer.status_code == 200}
    assert len(good) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(http.get(TOKENS).json()["items"]) == 1


def test_a_kept_answer_is_sealed_is_each_callers_own_and_goes_after_a_day(project: Project) -> None:
    answers = Answers(project.engine, Vault.of_this_process())
    key = key_of("k", "key_a")
    assert key != key_of("k", "key_b")
    assert answers.begin(key, "asked") is None
    with pytest.raises(Conflict, match="under way"):
        answers.begin(key, "asked")
    answers.keep(key, 201, b'{"secret": "canary-11"}')
    kept = answers.begin(key, "asked")
    assert kept is not None
    assert (kept.status, kept.body) == (201, b'{"secret": "canary-11"}')
    assert "canary" not in project.store.read_sql("SELECT sealed FROM answers", {})[0]["sealed"]
    project.engine.write(lambda scene: scene.tx.run("begin_answer", env="dev", key="old", request="", now=1))
    project.engine.tidy()
    assert project.store.read_sql("SELECT count(*) AS n FROM answers", {})[0]["n"] == 1


def test_a_request_that_was_cut_off_is_done_when_it_comes_again(project: Project) -> None:
    answers = Answers(project.engine, Vault.of_this_process())
    long_ago = project.engine.clock.now() - 61_000
    project.engine.write(lambda scene: scene.tx.run("begin_answer", env="dev", key="k", request="asked", now=long_ago))
    assert answers.begin("k", "asked") is None
