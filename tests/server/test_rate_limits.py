"""Each key has its own count, each class of routes too; whoever asks too often is told how long to wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.server.project import KEY, Project

from detent import Detent
from detent.config import load_config
from detent.errors import ConfigError, RateLimited
from detent.model.rate_limit import CLASSES, USUAL, Rate, read_rates
from detent.server.app import make_app
from detent.server.http import HttpServer
from detent.server.rate_limits import RateLimits


@pytest.fixture
def limited(project: Project) -> Iterator[HttpServer]:
    """A server whose keys may start two runs and read three times in an hour."""
    project.worker()
    rates = {"trigger": Rate(2, 3_600), "read": Rate(3, 3_600), "callback": Rate(1, 3_600)}
    server = HttpServer(make_app(project.operations, key=KEY, rates=rates))
    server.start()
    yield server
    server.stop()


def client_of(server: HttpServer, key: str = KEY) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"}, trust_env=False)


def test_answers_say_what_is_left_and_the_one_too_many_is_refused(limited: HttpServer) -> None:
    with client_of(limited) as http:
        answers = [http.get("/api/v1/runs") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    for answer in answers:
        assert answer.headers["ratelimit-limit"] == "3"
        assert 1 <= int(answer.headers["ratelimit-reset"]) <= 3_600
        assert answer.headers["ratelimit-policy"] == '"read";q=3;w=3600'
        assert answer.headers["ratelimit"].startswith('"read";r=')
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 3_600
    assert "send batches" in refused.json()["detail"]


def test_each_class_counts_for_itself_and_one_without_a_limit_has_none(limited: HttpServer) -> None:
    with client_of(limited) as http:
        triggers = [http.post("/api/v1/tasks/plain/trigger", json={}) for _ in range(3)]
        batch = http.post("/api/v1/tasks/batch", json={"items": [{"task": "plain"}]})
        writes = [http.post("/api/v1/waitpoints/tokens", json={}) for _ in range(5)]
        assert http.get("/api/v1/runs").status_code == 200
    assert [answer.status_code for answer in (*triggers, batch)] == [202, 202, 429, 429]
    assert {answer.status_code for answer in writes} == {200}
    assert "ratelimit-limit" not in writes[0].headers


def test_what_needs_no_key_is_not_counted_and_a_wrong_key_uses_up_nobodys_share(limited: HttpServer) -> None:
    with client_of(limited, "dt_dev_wrong_key") as http:
        assert {http.get("/api/v1/runs").status_code for _ in range(5)} == {401}
        assert {http.get("/openapi.json").status_code for _ in range(5)} == {200}
    with client_of(limited) as http:
        assert http.get("/api/v1/runs").headers["ratelimit-remaining"] == "2"


def test_a_callback_address_has_a_count_of_its_own(project: Project, limited: HttpServer) -> None:
    client = Detent(project.transport)
    urls = [client.tokens.create().url.partition("/api/")[2] for _ in range(2)]
    with client_of(limited) as http:
        first = [http.post(f"/api/{urls[0]}").status_code for _ in range(2)]
        assert (first, http.post(f"/api/{urls[1]}").status_code) == ([200, 429], 200)


def test_a_client_that_is_not_to_wait_is_told_how_long_it_would_have_to(limited: HttpServer) -> None:
    with Detent(api_url=limited.url, secret_key=KEY) as client:
        for _ in range(3):
            client.queues.list()
        with pytest.raises(RateLimited) as caught:
            client.queues.list()
    assert caught.value.retry_after is not None
    assert 60 < caught.value.retry_after <= 3_600


def test_the_local_key_has_no_limit_unless_one_is_set(server: HttpServer) -> None:
    with client_of(server) as http:
        assert "ratelimit-limit" not in http.get("/api/v1/runs").headers


def test_one_keys_requests_leave_the_share_of_another_alone() -> None:
    limits = RateLimits({"read": Rate(2, 3_600)})
    assert [limits.check("key_a", "read").retry_after is None for _ in range(3)] == [True, True, False]
    assert limits.check("key_b", "read").headers["ratelimit-remaining"] == "1"
    assert limits.check("key_a", "write").headers == {}
    usual = RateLimits()
    assert (usual.local, usual.check("key_a", "read").headers["ratelimit-limit"]) == (False, "1500")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1500/minute", dict.fromkeys(CLASSES, Rate(1_500, 60))),
        ("250 per 10 seconds", dict.fromkeys(CLASSES, Rate(250, 10))),
        ("trigger=600/minute, read=3000/hour", {"trigger": Rate(600, 60), "read": Rate(3_000, 3_600)}),
        ("OFF", {}),
    ],
)
def test_rates_are_read_as_people_write_them(tmp_path: Path, text: str, expected: dict[str, Rate]) -> None:
    assert read_rates(text, "x") == expected
    assert load_config(tmp_path, {"DETENT_RATE_LIMIT": text}).rate_limit == expected
    assert set(USUAL) == set(CLASSES)


@pytest.mark.parametrize(
    "text", ["fast", "0/minute", "5/fortnight", "reads=5/minute", "read=", "-5/minute", "1.5/hour"]
)
def test_what_is_no_rate_is_refused_with_what_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "detent.toml").write_text(f'rate_limit = "{text}"\n')
    with pytest.raises(ConfigError, match=r"rate_limit in .*detent.toml .*expected"):
        load_config(tmp_path, {})
