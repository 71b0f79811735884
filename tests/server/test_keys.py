"""Keys: shown once, kept as hashes, used, scoped, expired, revoked, rotated; people and their roles; public tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from tests.server.project import KEY, Project

from detent.model.ids import new_id
from detent.server.http import HttpServer


@pytest.fixture
def client(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


def ask(client: httpx.Client, key: str, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", **more.pop("headers", {})}
    return client.request(method, path, headers=headers, **more)


def make(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = ask(client, KEY, "POST", "/api/v1/keys", json={"name": "k", **body})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_the_secret_of_a_key_is_told_once_and_only_its_hash_is_kept(
    client: httpx.Client, project: Project, tmp_path: Any
) -> None:
    made = make(client)
    assert re.fullmatch(r"dt_dev_[0-9A-Za-z]{10}_[0-9A-Za-z]{32}", made["secret"])
    listed = ask(client, KEY, "GET", "/api/v1/keys").json()["items"]
    assert [key["id"] for key in listed] == [made["id"]]
    assert "secret" not in listed[0]
    assert made["secret"].startswith(listed[0]["start"].rstrip("…"))
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".detent").rglob("*") if path.is_file())
    assert made["secret"].encode() not in kept
    assert made["secret"].rpartition("_")[2].encode() not in kept


@pytest.mark.parametrize(("environment", "start"), [("dev", "dt_dev_"), ("staging", "dt_stg_"), ("prod", "dt_prod_")])
def test_a_key_tells_its_environment(client: httpx.Client, environment: str, start: str) -> None:
    made = make(client, environment=environment)
    assert made["secret"].startswith(start)
    who = ask(client, made["secret"], "GET", "/api/v1/whoami").json()
    assert (who["kind"], who["environment"], who["project"]) == ("key", environment, "default")


def test_a_preview_environment_has_its_own_keys_until_it_is_archived(client: httpx.Client) -> None:
    environment = ask(client, KEY, "POST", "/api/v1/environments", json={"branch": "feature/x"}).json()
    assert environment["name"] == "preview/feature/x"
    key = make(client, environment="preview/feature/x")["secret"]
    assert ask(client, key, "GET", "/api/v1/whoami").json()["environment"] == "preview/feature/x"
    assert ask(client, KEY, "POST", f"/api/v1/environments/{environment['id']}/archive").status_code == 200
    refused = ask(client, key, "GET", "/api/v1/runs")
    assert (refused.status_code, "archived" in refused.json()["detail"]) == (401, True)
    assert ask(client, KEY, "POST", "/api/v1/environments/prod/archive").status_code == 409


def test_a_revoked_key_is_refused_at_once(client: httpx.Client) -> None:
    made = make(client)
    assert ask(client, made["secret"], "GET", "/api/v1/runs").status_code == 200
    assert ask(client, KEY, "POST", f"/api/v1/keys/{made['id']}/revoke").json()["revoked_at"] is not None
    refused = ask(client, made["secret"], "GET", "/api/v1/runs")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="detent"')
    assert "revoked" in refused.json()["detail"]


def test_a_rotated_key_is_good_beside_its_successor_for_a_while(client: httpx.Client) -> None:
    made = make(client, scopes=["runs:read"])
    fresh = ask(client, KEY, "POST", f"/api/v1/keys/{made['id']}/rotate", json={"overlap": "1h"}).json()
    assert (fresh["replaces"], fresh["scopes"]) == (made["id"], ["runs:read"])
    for key in (made["secret"], fresh["secret"]):
        assert ask(client, key, "GET", "/api/v1/runs").status_code == 200
    again = ask(client, KEY, "POST", f"/api/v1/keys/{made['id']}/rotate", json={})
    assert again.status_code == 409
    last = ask(client, KEY, "POST", f"/api/v1/keys/{fresh['id']}/rotate", json={"overlap": "0s"}).json()
    assert ask(client, fresh["secret"], "GET", "/api/v1/runs").status_code == 401
    assert ask(client, last["secret"], "GET", "/api/v1/runs").status_code == 200


def test_a_key_says_when_it_was_last_used(client: httpx.Client) -> None:
    made = make(client)
    assert made["last_used_at"] is None
    ask(client, made["secret"], "GET", "/api/v1/runs")
    assert ask(client, KEY, "GET", "/api/v1/keys").json()["items"][0]["last_used_at"] is not None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"scopes": ["runs"]}, "RESOURCE:read"),
        ({"scopes": ["rnus:read"]}, "did you mean"),
        ({"scopes": []}, "at least one"),
        ({"environment": "prd"}, "did you mean 'prod'"),
        ({"expires_in": "-1h"}, "expires_in"),
        ({"name": " "}, "name"),
        ({"personal": True}, "email"),
    ],
)
def test_what_cannot_be_a_key_is_told(client: httpx.Client, body: dict[str, Any], words: str) -> None:
    answer = ask(client, KEY, "POST", "/api/v1/keys", json={"name": "k", **body})
    assert answer.status_code in (400, 404), answer.text
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("key", ["x", "dt_dev_a_b", "dt_pat_" + "0" * 43, "a.b.c", "dt_dev_\xe9", "e" * 5_000])
def test_a_wrong_key_is_refused_the_same_way(client: httpx.Client, key: str) -> None:
    answer = client.get("/api/v1/runs", headers={"authorization": f"Bearer {key}".encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


# People.


def person(client: httpx.Client, role: str) -> str:
    email = f"{role}@example.com"
    assert ask(client, KEY, "POST", "/api/v1/people", json={"email": email, "role": role}).status_code == 200
    return str(make(client, personal=True, email=email)["secret"])


def test_roles_allow_what_they_say(client: httpx.Client) -> None:
    admin, developer, viewer = (person(client, role) for role in ("admin", "developer", "viewer"))
    trigger = ("POST", "/api/v1/tasks/anything/trigger")
    assert [ask(client, key, *trigger, json={}).status_code for key in (admin, developer, viewer)] == [202, 202, 403]
    make_key = ("POST", "/api/v1/keys")
    found = [ask(client, key, *make_key, json={"name": "k"}).status_code for key in (admin, developer, viewer)]
    assert found == [200, 403, 403]
    assert [ask(client, key, "GET", "/api/v1/runs").status_code for key in (admin, developer, viewer)] == [200] * 3
    assert ask(client, admin, "POST", "/api/v1/people", json={"email": "a@b", "role": "owner"}).status_code == 403


def test_a_person_reaches_the_environments_of_their_organisation_and_no_others(client: httpx.Client) -> None:
    key = person(client, "developer")
    ask(client, KEY, "POST", "/api/v1/orgs", json={"slug": "elsewhere"})
    made = ask(client, KEY, "POST", "/api/v1/projects", json={"slug": "hidden", "organization": "elsewhere"})
    assert made.status_code == 200, made.text
    for environment in ("dev", "staging", "prod"):
        headers = {"x-detent-environment": environment}
        assert ask(client, key, "GET", "/api/v1/whoami", headers=headers).json()["environment"] == environment
    refused = ask(client, key, "GET", "/api/v1/runs", headers={"x-detent-project": "hidden"})
    assert (refused.status_code, "hidden" in refused.json()["detail"]) == (404, True)
    assert "elsewhere" not in ask(client, key, "GET", "/api/v1/orgs").text
    assert "hidden" not in ask(client, key, "GET", "/api/v1/projects").text


def test_who_is_removed_reaches_nothing_any_more(client: httpx.Client) -> None:
    key = person(client, "developer")
    assert ask(client, KEY, "DELETE", "/api/v1/people/developer@example.com").status_code == 200
    assert ask(client, key, "GET", "/api/v1/runs").status_code == 401


def test_a_device_logs_in_when_a_person_approves(client: httpx.Client) -> None:
    begun = client.post("/api/v1/auth/device", json={"client": "laptop"}).json()
    asked = {"device_code": begun["device_code"]}
    assert client.post("/api/v1/auth/device/token", json=asked).json()["status"] == "pending"
    developer = person(client, "developer")
    decision = ask(client, developer, "POST", "/api/v1/auth/device/approve", json={"code": begun["user_code"].lower()})
    assert decision.json()["approved"] is True
    key = client.post("/api/v1/auth/device/token", json=asked).json()["secret"]
    assert ask(client, key, "GET", "/api/v1/whoami").json()["person"]["email"] == "developer@example.com"
    assert client.post("/api/v1/auth/device/token", json=asked).status_code == 404


def test_a_denied_or_unknown_log_in_gives_no_key(client: httpx.Client) -> None:
    begun = client.post("/api/v1/auth/device", json={}).json()
    ask(client, KEY, "POST", "/api/v1/auth/device/approve", json={"code": begun["user_code"], "deny": True})
    told = client.post("/api/v1/auth/device/token", json={"device_code": begun["device_code"]}).json()
    assert (told["status"], told["secret"]) == ("denied", None)
    assert client.post("/api/v1/auth/device/token", json={"device_code": "x"}).status_code == 404
    assert ask(client, KEY, "POST", "/api/v1/auth/device/approve", json={"code": "XXXX-XXXX"}).status_code == 404
    key = make(client)["secret"]
    assert ask(client, key, "POST", "/api/v1/auth/device/approve", json={"code": "XXXX-XXXX"}).status_code == 403


# Public tokens.


def public(client: httpx.Client, *scopes: str, key: str = KEY, **more: Any) -> httpx.Response:
    return ask(client, key, "POST", "/api/v1/auth/public-tokens", json={"scopes": list(scopes), **more})


def test_a_triggered_run_comes_with_a_token_that_watches_it_and_nothing_else(client: httpx.Client) -> None:
    first, second = (ask(client, KEY, "POST", "/api/v1/tasks/a/trigger", json={}).json() for _ in range(2))
    token = first["public_access_token"]
    assert ask(client, token, "GET", f"/api/v1/runs/{first['id']}").status_code == 200
    for method, path in [
        ("GET", f"/api/v1/runs/{second['id']}"),
        ("GET", "/api/v1/runs"),
        ("POST", f"/api/v1/runs/{first['id']}/cancel"),
        ("GET", "/api/v1/keys"),
        ("POST", "/api/v1/tasks/a/trigger"),
    ]:
        assert ask(client, token, method, path).status_code == 403, path
    assert public(client, f"runs:read:{first['id']}", key=token).status_code == 403


def test_a_token_for_a_tag_reads_the_runs_that_have_it(client: httpx.Client) -> None:
    ids = {}
    for tag in ("mine", "yours"):
        body = {"options": {"tags": [tag]}}
        ids[tag] = ask(client, KEY, "POST", "/api/v1/tasks/a/trigger", json=body).json()["id"]
    token = public(client, "runs:read:tag=mine").json()["token"]
    assert ask(client, token, "GET", f"/api/v1/runs/{ids['mine']}").status_code == 200
    assert ask(client, token, "GET", f"/api/v1/runs/{ids['yours']}").status_code == 403
    assert [run["id"] for run in ask(client, token, "GET", "/api/v1/runs?tag=mine").json()["items"]] == [ids["mine"]]
    for query in ("", "?tag=yours", "?tag=mine&tag=yours", "?search=mine"):
        assert ask(client, token, "GET", f"/api/v1/runs{query}").status_code == 403, query


def test_a_token_triggers_or_completes_the_one_thing_that_it_is_for(client: httpx.Client) -> None:
    waiting = ask(client, KEY, "POST", "/api/v1/waitpoints/tokens", json={}).json()["id"]
    token = public(client, "tasks:write:only/this", f"tokens:write:{waiting}").json()["token"]
    assert ask(client, token, "POST", "/api/v1/tasks/only%2Fthis/trigger", json={}).status_code == 202
    assert ask(client, token, "POST", "/api/v1/tasks/other/trigger", json={}).status_code == 403
    assert ask(client, token, "POST", "/api/v1/tasks/batch", json={"items": [{"task": "other"}]}).status_code == 403
    assert ask(client, token, "POST", f"/api/v1/waitpoints/tokens/{waiting}/complete", json={}).status_code == 200


@pytest.mark.parametrize(
    "scopes", [[], ["runs:read"], ["runs:read:"], ["runs:read:*"], ["runs:write:x"], ["keys:write:x"], ["*:*:x"]]
)
def test_a_public_token_cannot_be_for_more_than_one_thing_each(client: httpx.Client, scopes: list[str]) -> None:
    assert public(client, *scopes).status_code == 400


def test_a_key_gives_no_more_than_it_has(client: httpx.Client) -> None:
    key = make(client, scopes=["runs:read"])["secret"]
    assert public(client, "runs:read:run_1", key=key).status_code == 200
    assert public(client, "tasks:write:a", key=key).status_code == 403


def test_a_token_that_was_changed_made_elsewhere_or_is_over_is_refused(client: httpx.Client) -> None:
    run = new_id("run")
    good = public(client, f"runs:read:{run}").json()["token"]
    claims = jwt.decode(good, options={"verify_signature": False})
    forged = [
        good[:-4] + "AAAA",
        jwt.encode(claims, "x" * 32, algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims | {"scopes": ["runs:read:run_2"]}, "y" * 32, algorithm="HS256"),
    ]
    for token in forged:
        refused = ask(client, token, "GET", f"/api/v1/runs/{run}")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert public(client, f"runs:read:{run}", expires_in="31d").status_code == 400


def test_a_page_of_another_origin_may_come_with_a_public_token_only(client: httpx.Client) -> None:
    run = ask(client, KEY, "POST", "/api/v1/tasks/a/trigger", json={}).json()
    origin = {"origin": "https://app.example.com"}
    allowed = ask(client, run["public_access_token"], "GET", f"/api/v1/runs/{run['id']}", headers=origin)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, origin["origin"])
    assert ask(client, KEY, "GET", f"/api/v1/runs/{run['id']}", headers=origin).status_code == 403
    asked = client.options("/api/v1/runs", headers=origin | {"access-control-request-method": "GET"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, origin["origin"])
    assert client.get("/openapi.json", headers=origin).status_code == 403


def test_an_event_source_gives_its_public_token_in_the_address_and_a_key_may_not_stand_there(
    client: httpx.Client,
) -> None:
    run = ask(client, KEY, "POST", "/api/v1/tasks/a/trigger", json={}).json()
    page = {"origin": "https://app.example.com"}
    address = f"/realtime/v1/runs/{run['id']}"
    with client.stream("GET", address, params={"token": run["public_access_token"]}, headers=page) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["access-control-allow-origin"] == page["origin"]
        assert next(line for line in answer.iter_lines() if line.startswith("data:"))
    refused = client.get(address, params={"token": KEY})
    assert (refused.status_code, "only a public token" in refused.json()["detail"]) == (401, True)
    assert client.get(f"/api/v1/runs/{run['id']}", params={"token": run["public_access_token"]}).status_code == 401
