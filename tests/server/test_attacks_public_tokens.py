"""A browser with a public token, which tries to get more with it than the one thing that it is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.server.project import KEY, Project
from tests.server.test_doorkeeper import routes_of

from detent.model.http_api import ROUTES
from detent.model.ids import new_id
from detent.server.doorkeeper import PUBLIC
from detent.server.http import HttpServer

TAG = "user-7"
#: What a public token is for; all else is for keys. A route joins only with a reason to be open to browsers.
OPEN_TO_BROWSERS = {
    "auth.whoami",
    "realtime.batch",
    "realtime.run",
    "realtime.runs",
    "realtime.stream",
    "runs.list",
    "runs.result",
    "runs.retrieve",
    "streams.list",
    "streams.send_input",
    "tokens.complete",
    "tokens.retrieve",
}


class Browser:
    """A page that holds a token for the runs of one tag and for one task, one run of each tag, and a batch."""

    def __init__(self, project: Project, server: HttpServer) -> None:
        self.project = project
        self.client = httpx.Client(base_url=server.url, trust_env=False)
        project.worker()
        trigger = "/api/v1/tasks/plain/trigger"
        self.mine = self.owner("POST", trigger, json={"options": {"tags": [TAG]}}).json()["id"]
        self.other = self.owner("POST", trigger, json={"options": {"tags": ["user-8"]}}).json()["id"]
        self.waiting = self.owner("POST", "/api/v1/waitpoints/tokens", json={}).json()["id"]

    def owner(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, path, headers={"authorization": f"Bearer {KEY}"}, **more)

    def token(self, *scopes: str) -> str:
        made: str = self.owner("POST", "/api/v1/auth/public-tokens", json={"scopes": scopes}).json()["token"]
        return made

    def status(self, token: str, method: str, path: str, **more: Any) -> int:
        with self.client.stream(method, path, headers={"authorization": f"Bearer {token}"}, **more) as answer:
            return answer.status_code


@pytest.fixture
def browser(project: Project, server: HttpServer) -> Iterator[Browser]:
    made = Browser(project, server)
    yield made
    made.client.close()


def test_few_routes_are_open_to_public_tokens(project: Project) -> None:
    named = {route.name for route in routes_of(project) if route.public_token and route.name in ROUTES}
    assert named == OPEN_TO_BROWSERS


def test_a_token_for_a_run_tells_how_it_stands_and_nothing_of_the_code_or_the_server(browser: Browser) -> None:
    run = browser.mine
    token = browser.token(f"runs:read:{run}", f"streams:read:{run}", f"streams:write:{run}")
    for operation, route in ROUTES.items():
        if route.scope == PUBLIC:
            continue
        path = route.path.replace("{id}", run).replace("{run}", run).replace("{stream}", "text").replace("{name}", "N")
        more: dict[str, Any] = {} if route.method in ("GET", "DELETE") else {"json": {}}
        status = browser.status(token, route.method, path, **more)
        passes = operation == "auth.whoami" or (operation in OPEN_TO_BROWSERS and path != route.path)
        if operation in ("realtime.batch", "tokens.retrieve", "tokens.complete"):
            passes = False  # of these things it has none
        assert (status != 403) is passes, f"{operation} answered {status}"
    for path in (f"/api/v1/runs/{run}/journal", f"/api/v1/runs/{run}/logs", f"/api/v1/runs/{run}/trace", "/health"):
        assert browser.status(token, "GET", path) == 403, path


def test_no_way_of_writing_a_path_leads_to_another_run(browser: Browser) -> None:
    token = browser.token(f"runs:read:{browser.mine}", f"streams:read:{browser.mine}")
    mine, other = browser.mine, browser.other
    for path in (
        f"/api/v1/runs/{mine}/../{other}",
        f"/api/v1/runs/{mine}%2F..%2F{other}",
        f"/api/v1/runs/{mine}/%2e%2e/{other}",
        f"/api/v1/runs//{other}",
        f"//api/v1/runs/{other}",
        f"/api/v1/runs/{other}?id={mine}",
        f"/api/v1/runs/{other}?run={mine}",
        f"/api/v1/runs/{other}?tag={TAG}",
        f"/api/v1/runs/{other}/result?id={mine}",
        f"/api/v1/runs/{other};{mine}",
        f"/api/v1/runs/{other}%00{mine}",
        f"/api/v1/runs/{other}.",
        f"/api/v1/runs/{other}/",
        f"/API/V1/runs/{other}",
        f"/api/v1/runs/{other.upper()}",
        f"/realtime/v1/runs/{other}?id={mine}",
        f"/realtime/v1/streams/{other}/text?run={mine}",
    ):
        request = browser.client.build_request("GET", "/", headers={"authorization": f"Bearer {token}"})
        # As it stands: a client would tidy it up.
        raw_path, _, query = path.partition("?")
        request.url = request.url.copy_with(raw_path=f"{raw_path}?{query}".rstrip("?").encode())
        with browser.client.stream("GET", request.url, headers=request.headers) as answer:
            text = "" if answer.status_code == 200 else answer.read().decode()
        assert answer.status_code in (403, 404), (path, answer.status_code, text)


def test_a_token_for_a_tag_lists_the_runs_of_that_tag_whatever_is_asked_besides(browser: Browser) -> None:
    token = browser.token(f"runs:read:tag={TAG}")
    headers = {"authorization": f"Bearer {token}"}
    for query in (
        "",
        "&search=plain",
        "&task=plain",
        "&limit=100",
        f"&batch={new_id('batch')}",
        f"&parent={browser.other}",
    ):
        answer = browser.client.get(f"/api/v1/runs?tag={TAG}{query}", headers=headers)
        assert answer.status_code == 200, query
        assert {run["id"] for run in answer.json()["items"]} <= {browser.mine}, query
    for query in (
        "",
        "?search=plain",
        "?tags=user-8",
        "?tag=user-8",
        f"?tag={TAG}&tag=user-8",
        f"?tag={TAG}&tags=user-8",
        f"?tag={TAG},user-8",
        f"?tags={TAG}&tag=user-8",
        f"?tag=&tag={TAG}",
        f"?tag={TAG}%00",
        f"?tag={TAG.upper()}",
        f"?TAG={TAG}",
        f"?tag[]={TAG}",
    ):
        for path in ("/api/v1/runs", "/realtime/v1/runs"):
            assert browser.status(token, "GET", f"{path}{query}") == 403, (path, query)
    for method, path in [
        ("GET", f"/api/v1/bulk-actions?tag={TAG}"),
        ("POST", f"/api/v1/bulk-actions?tag={TAG}"),
        ("GET", f"/api/v1/waitpoints/tokens?tag={TAG}"),
        ("GET", f"/api/v1/tasks?tag={TAG}"),
        ("POST", f"/api/v1/tasks/batch?tag={TAG}"),
    ]:
        assert browser.status(token, method, path) == 403, path


@pytest.mark.parametrize("scope", ["tasks:write", "tokens:write", "tokens:read", "streams:read", "batches:read"])
def test_only_the_right_to_read_runs_can_be_for_a_tag(browser: Browser, scope: str) -> None:
    for thing in (f"tag={TAG}", "tag="):
        made = browser.owner("POST", "/api/v1/auth/public-tokens", json={"scopes": [f"{scope}:{thing}"]})
        assert (made.status_code, made.json()["code"]) == (400, "invalid_options")
    made = browser.owner("POST", "/api/v1/auth/public-tokens", json={"scopes": ["runs:read:tag="]})
    assert made.status_code == 400


def test_who_may_start_a_task_changes_no_queue_by_it(browser: Browser) -> None:
    limited = browser.owner("POST", "/api/v1/keys", json={"name": "starts", "scopes": ["tasks:write"]}).json()["secret"]
    before = browser.owner("GET", "/api/v1/queues/typed").json()["limit"]
    for key in (browser.token("tasks:write:plain"), limited):
        for body in (
            {"options": {"queue": {"name": "typed", "concurrency_limit": 0}}},
            {"options": {"queue": {"name": "typed", "concurrency_limit_per_key": 0}}},
            {"run": {"id": new_id("run"), "task": "plain", "queue": "typed", "queue_limit": 0}},
        ):
            assert browser.status(key, "POST", "/api/v1/tasks/plain/trigger", json=body) == 403, body
    batch = {"items": [{"task": "plain", "options": {"queue": {"name": "typed", "concurrency_limit": 0}}}]}
    assert browser.status(limited, "POST", "/api/v1/tasks/batch", json=batch) == 403
    assert browser.owner("GET", "/api/v1/queues/typed").json()["limit"] == before
    body = {"options": {"queue": "typed"}}
    assert browser.status(limited, "POST", "/api/v1/tasks/plain/trigger", json=body) == 202


def test_a_token_ends_with_its_environment_and_is_good_in_no_other(browser: Browser) -> None:
    browser.owner("POST", "/api/v1/environments", json={"branch": "try"})
    there = {"authorization": f"Bearer {KEY}", "x-detent-environment": "preview/try"}
    run = browser.client.post("/api/v1/tasks/plain/trigger", json={}, headers=there).json()["id"]
    scopes = {"scopes": [f"runs:read:{run}", f"runs:read:{browser.mine}"]}
    token = browser.client.post("/api/v1/auth/public-tokens", json=scopes, headers=there).json()["token"]
    assert browser.status(token, "GET", f"/api/v1/runs/{run}") == 200
    assert browser.status(token, "GET", f"/api/v1/runs/{browser.mine}") == 404
    for name in ("x-detent-environment", "x-detent-project"):
        headers = {"authorization": f"Bearer {token}", name: "dev"}
        assert browser.client.get(f"/api/v1/runs/{run}", headers=headers).status_code == 404
    listed = browser.owner("GET", "/api/v1/environments").json()["items"]
    env_id = next(one["id"] for one in listed if one["name"] == "preview/try")
    assert browser.owner("POST", f"/api/v1/environments/{env_id}/archive", json={}).status_code == 200
    assert browser.status(token, "GET", f"/api/v1/runs/{run}") == 401
    assert browser.status(token, "GET", f"/realtime/v1/runs/{run}") == 401
