"""Keys that were put there, linked, worn out or sent where they do not belong; moments and limits at their edges."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.project import KEY, Project

from detent.accounts.local_key import local_key
from detent.errors import ConfigError
from detent.model.ids import new_id
from detent.server.http import HttpServer


@pytest.fixture
def client(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


def ask(client: httpx.Client, key: str, method: str, path: str, **more: Any) -> httpx.Response:
    return client.request(method, path, headers={"authorization": f"Bearer {key}"}, **more)


def test_the_key_of_a_project_is_made_for_its_owner_alone_and_found_again(tmp_path: Path) -> None:
    made = local_key(tmp_path)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "key").chmod(0o644)
    assert local_key(tmp_path) == made
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_a_link_in_the_place_of_the_key_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("dt_dev_of_somebody_else")
    elsewhere.chmod(0o644)
    for target in (elsewhere, tmp_path / "nothing"):
        link = tmp_path / "key"
        link.symlink_to(target)
        with pytest.raises(ConfigError, match="is a link"):
            local_key(tmp_path)
        link.unlink()
    assert elsewhere.stat().st_mode & 0o777 == 0o644
    assert not (tmp_path / "nothing").exists()
    # Nor one in the place of the file that becomes the key.
    (tmp_path / "key.new").symlink_to(elsewhere)
    local_key(tmp_path)
    assert elsewhere.read_text() == "dt_dev_of_somebody_else"


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"short", b"two\nlines-of-a-key", b"a" * 5_000, b"key\r\nX-Evil: 1"]
)
def test_a_file_that_holds_no_key_is_told_and_not_sent_anywhere(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError, match="does not hold a key"):
        local_key(tmp_path)


def test_a_key_that_was_used_a_moment_ago_is_refused_as_soon_as_it_is_revoked_or_its_overlap_is_over(
    client: httpx.Client,
) -> None:
    def make() -> dict[str, Any]:
        made: dict[str, Any] = ask(client, KEY, "POST", "/api/v1/keys", json={"name": "ci"}).json()
        assert ask(client, made["secret"], "GET", "/api/v1/runs").status_code == 200
        return made

    revoked = make()
    ask(client, KEY, "POST", f"/api/v1/keys/{revoked['id']}/revoke", json={})
    assert ask(client, revoked["secret"], "GET", "/api/v1/runs").status_code == 401
    ended = make()
    ask(client, KEY, "POST", f"/api/v1/keys/{ended['id']}/rotate", json={"overlap": "0s"})
    assert ask(client, ended["secret"], "GET", "/api/v1/runs").status_code == 401
    rotated = make()
    fresh = ask(client, KEY, "POST", f"/api/v1/keys/{rotated['id']}/rotate", json={"overlap": "1h"}).json()["secret"]
    for secret in (rotated["secret"], fresh):
        assert ask(client, secret, "GET", "/api/v1/runs").status_code == 200


def test_keys_stand_in_no_refusal_and_no_log_line(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="detent")
    secret = ask(client, KEY, "POST", "/api/v1/keys", json={"name": "n", "scopes": ["queues:read"]}).json()["secret"]
    answers = [
        ask(client, secret, "GET", "/api/v1/runs"),
        ask(client, f"{secret}x", "GET", "/api/v1/runs"),
        client.get("/api/v1/runs", params={"key": secret, "token": secret}),
        client.get("/realtime/v1/runs", params={"token": secret}),
        ask(client, KEY, "GET", "/api/v1/runs", params={"token": secret}),
        client.get("/api/v1/runs", headers={"x-api-key": secret}),
        ask(client, KEY, "GET", "/api/v1/keys"),
    ]
    assert [answer.status_code for answer in answers] == [403, 401, 401, 401, 400, 401, 200]
    for answer in answers:
        assert secret not in answer.text
        assert secret not in str(answer.headers)
    assert secret not in caplog.text
    assert KEY not in caplog.text


def test_moments_that_no_clock_shows_are_refused_and_break_no_list(project: Project, client: httpx.Client) -> None:
    project.worker()
    for moment in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z"):
        token = ask(client, KEY, "POST", "/api/v1/waitpoints/tokens", json={"timeout": moment})
        assert (token.status_code, token.json()["code"]) == (400, "invalid_options"), moment
        run = ask(client, KEY, "POST", "/api/v1/tasks/plain/trigger", json={"options": {"delay": moment}})
        assert run.status_code == 400, moment
    for field in ("run_at", "delay_ms", "ttl_ms", "idempotency_ttl_ms"):
        body = {"run": {"id": new_id("run"), "task": "plain", field: 2**53}}
        assert ask(client, KEY, "POST", "/api/v1/tasks/plain/trigger", json=body).status_code == 400, field
    latest = {"options": {"delay": "8999-12-31T23:59:59Z", "ttl": "36000d"}}
    assert ask(client, KEY, "POST", "/api/v1/tasks/plain/trigger", json=latest).status_code == 202
    for path in ("/api/v1/runs", "/api/v1/waitpoints/tokens"):
        assert ask(client, KEY, "GET", path).status_code == 200, path
