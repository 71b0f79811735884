"""What happens in one environment is seen and changed from no other, by whatever route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.server.project import Project
from tests.server.test_doorkeeper import concrete

from detent.engine.loops import Digest
from detent.model.http_api import ROUTES
from detent.model.ids import new_id
from detent.server.http import HttpServer

CANARY = "canary-7f3a"
#: Answers that differ by nothing but what is theirs, and so may be given to everybody.
_FOR_ALL = {"auth.device", "auth.device_token", "auth.whoami"}
#: Says of any name of a task what would become of a run of it, of an unknown one as well.
_OF_ANY_NAME = {"tasks.check"}


class Tenants:
    """Two environments of one project and one of another, on one server."""

    def __init__(self, project: Project, server: HttpServer) -> None:
        self.project = project
        call = project.operations.call
        call("projects.create", slug="other")
        self.keys = {
            "ours": call("keys.create", name="ours")["secret"],
            "staging": call("keys.create", name="staging", environment="staging")["secret"],
        }
        self.client = httpx.Client(base_url=server.url, trust_env=False)
        owner = {"authorization": f"Bearer {call('keys.create', name='x')['secret']}"}
        assert self.client.get("/api/v1/whoami", headers=owner).json()["project"] == "default"
        made = self.client.post(
            "/api/v1/keys",
            json={"name": "theirs"},
            headers={"authorization": "Bearer dt_dev_0123456789", "x-detent-project": "other"},
        )
        assert made.status_code == 200, made.text
        self.keys["other"] = made.json()["secret"]

    def ask(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        request = self.client.build_request(method, path, headers=headers, **more)
        answer = self.client.send(request, stream=True)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
        answer.close()
        return answer


@pytest.fixture
def tenants(project: Project, server: HttpServer) -> Iterator[Tenants]:
    made = Tenants(project, server)
    yield made
    made.client.close()


def fill(tenants: Tenants) -> dict[str, str]:
    """Things of the first environment, by kind; their texts hold the canary."""
    worker = tenants.project.worker()
    options = {"tags": [CANARY], "metadata": {"text": CANARY}, "idempotencyKey": CANARY}
    del options["idempotencyKey"]
    body = {"payload": {"text": CANARY}, "options": options}
    run = tenants.ask("ours", "POST", "/api/v1/tasks/plain/trigger", json=body).json()["id"]
    waiting = tenants.ask("ours", "POST", "/api/v1/tasks/plain/trigger", json=body).json()["id"]
    batch = tenants.ask("ours", "POST", "/api/v1/tasks/batch", json={"items": [{"task": "plain", "payload": CANARY}]})
    token = tenants.ask("ours", "POST", "/api/v1/waitpoints/tokens", json={"tags": [CANARY]}).json()["id"]
    for grant in worker.claim(1):
        worker.finish(grant, "FAILED", error=None)
    engine = tenants.project.engine
    digest = Digest(engine.write, engine.store, engine.clock)
    while digest.sweep():
        pass
    [error] = tenants.ask("ours", "GET", "/api/v1/errors").json()["items"]
    wanted = {"events": ["run.failed"], "webhook": "https://hooks.example/", "name": CANARY}
    alert = tenants.ask("ours", "POST", "/api/v1/alerts", json=wanted).json()["id"]
    message = tenants.ask("ours", "POST", f"/api/v1/alerts/{alert}/test").json()["id"]
    return {
        "run": run,
        "waiting": waiting,
        "batch": batch.json()["id"] or new_id("batch"),
        "token": token,
        "error": error["id"],
        "alert": alert,
        "message": message,
    }


def test_no_route_shows_or_changes_what_is_of_another_environment(tenants: Tenants) -> None:
    things = fill(tenants)
    before = {run: tenants.ask("ours", "GET", f"/api/v1/runs/{things[run]}").json() for run in ("run", "waiting")}
    key_id = next(row["id"] for row in tenants.project.operations.call("keys.list")["items"] if row["name"] == "ours")
    attempts, leaks = 0, []
    for who in ("staging", "other"):
        for operation, route in ROUTES.items():
            if operation in _FOR_ALL:
                continue
            ids = [*things.values(), key_id, "plain", "task/plain", CANARY, "dev"] if "{" in route.path else [""]
            for thing in ids:
                path = route.path
                for place in ("{id}", "{run}", "{name}", "{key}"):
                    path = path.replace(place, thing.replace("/", "%2F"))
                more: dict[str, Any] = {} if route.method in ("GET", "DELETE") else {"json": {}}
                answer = tenants.ask(who, route.method, concrete(path), **more)
                attempts += 1
                content = answer.content.decode() if answer.is_closed and hasattr(answer, "_content") else ""
                is_there = answer.status_code < 400 and operation not in _OF_ANY_NAME
                if "{id}" in route.path and thing in things.values() and is_there:
                    leaks.append(f"{who} {operation} {thing}: {answer.status_code} {content[:200]}")
                shown = content.replace(thing, "") if thing == CANARY else content
                if CANARY in shown or any(one in shown for one in things.values() if one != thing):
                    leaks.append(f"{who} {operation} {thing}: {content[:300]}")
                assert answer.status_code != 500, f"{operation} {content[:300]}"
    assert attempts >= 200
    assert not leaks, "\n".join(leaks)
    for run, seen in before.items():
        now = tenants.ask("ours", "GET", f"/api/v1/runs/{things[run]}").json()
        assert now == seen | {"not_running": now["not_running"]}, f"{run} was changed"
    assert tenants.ask("ours", "GET", f"/api/v1/waitpoints/tokens/{things['token']}").json()["status"] == "WAITING"


def test_a_run_and_a_key_of_the_same_name_live_in_each_environment(tenants: Tenants) -> None:
    body = {"payload": 1, "options": {"idempotency_key": "same"}}
    ids = set()
    for who in ("ours", "staging", "other"):
        # No worker describes tasks here, so that nothing is known and nothing refused.
        answer = tenants.ask(who, "POST", "/api/v1/tasks/anything/trigger", json=body)
        assert answer.status_code == 202, answer.text
        assert answer.json().get("cached", False) is False
        ids.add(answer.json()["id"])
        listed = tenants.ask(who, "GET", "/api/v1/runs").json()["items"]
        assert [run["id"] for run in listed] == [answer.json()["id"]]
    assert len(ids) == 3


def test_workers_execute_the_runs_of_their_own_environment(tenants: Tenants) -> None:
    worker = tenants.project.worker()
    for who in ("staging", "other"):
        assert tenants.ask(who, "POST", "/api/v1/tasks/plain/trigger", json={}).status_code == 202
    assert worker.claim() == []
    run = tenants.ask("ours", "POST", "/api/v1/tasks/plain/trigger", json={}).json()["id"]
    assert [grant.run_id for grant in worker.claim()] == [run]


def test_a_key_cannot_name_another_environment(tenants: Tenants) -> None:
    headers = {"authorization": f"Bearer {tenants.keys['staging']}", "x-detent-environment": "prod"}
    answer = tenants.client.get("/api/v1/runs", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "is for 'staging'" in answer.json()["detail"]


def test_a_body_cannot_name_another_environment(tenants: Tenants) -> None:
    for field in ("env", "environment", "project"):
        answer = tenants.ask("staging", "POST", "/api/v1/tasks/plain/trigger", json={"payload": 1, field: "dev"})
        assert answer.status_code == 400, answer.text
        answer = tenants.ask("staging", "GET", f"/api/v1/runs?{field}=dev")
        assert answer.status_code == 400, answer.text
