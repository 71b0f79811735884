"""Every route has a scope, and no key passes a route that it has no scope for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.server.project import Project

from detent.accounts.scopes import KEY, OF_ENVIRONMENT, ROLES, covers
from detent.model.http_api import OBJECT_LINK, ROUTES, TOKEN_CALLBACK
from detent.model.ids import new_id
from detent.server.app import make_routes
from detent.server.doorkeeper import ANY, PUBLIC, ScopedRoute
from detent.server.http import HttpServer

#: What needs no key, and why: nothing else may join without a reason.
OPEN = {
    "/openapi.json": "the description of the API",
    "/api/v1/waitpoints/tokens/{id}/callback/{digest}": "its address is the right",
    "/api/v1/auth/device": "begins a log-in, which a person must approve",
    "/api/v1/auth/device/token": "asks how that log-in stands; its code is the right",
    "/api/v1/objects/{key:path}": "the signature of the link is the right",
    "/ready": "says ready or not, nothing else",
}


#: Open to whoever has the right address alone.
BY_ADDRESS = (TOKEN_CALLBACK, OBJECT_LINK.replace("{key}", "{key:path}"))


@pytest.fixture
def asking(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


def routes_of(project: Project) -> list[ScopedRoute]:
    return make_routes(project.operations)


def key_of(project: Project, **values: Any) -> str:
    made: str = project.operations.call("keys.create", name="test", **values)["secret"]
    return made


def status_of(client: httpx.Client, method: str, path: str, key: str | None) -> int:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    # Headers are enough for a stream that would not end.
    with client.stream(method, path, headers=headers) as answer:
        return answer.status_code


def concrete(path: str) -> str:
    """The path with its places filled in."""
    for name in ("id", "run"):
        path = path.replace(f"{{{name}:path}}", new_id("run")).replace(f"{{{name}}}", new_id("run"))
    for name, value in (("stream", "text"), ("name", "NAME"), ("key", "k"), ("digest", "0" * 40)):
        path = path.replace(f"{{{name}:path}}", value).replace(f"{{{name}}}", value)
    return path


def test_every_route_says_what_it_needs_and_few_need_nothing(project: Project) -> None:
    routes = routes_of(project)
    assert len(routes) >= len(ROUTES)
    assert {route.path for route in routes if route.needs == PUBLIC} <= OPEN.keys()


def test_every_scope_of_a_route_is_one_that_some_role_has_and_a_viewer_writes_nothing(project: Project) -> None:
    for route in routes_of(project):
        if route.needs in (PUBLIC, ANY):
            continue
        assert covers(ROLES["owner"], route.needs), route.path
        if covers(ROLES["viewer"], route.needs):
            assert route.needs.endswith(":read"), f"a viewer may {route.needs} by {route.path}"


def test_a_route_without_a_scope_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="needs a scope"):
        ScopedRoute("/x", lambda _request: None, methods=["GET"], needs="")


def test_without_a_key_only_what_is_open_answers(project: Project, asking: httpx.Client) -> None:
    for route in routes_of(project):
        # Callbacks of tokens and links to objects have tests of their own: what is not such an address needs a key.
        for method in (route.methods or set()) if route.path not in BY_ADDRESS else ():
            status = status_of(asking, method, concrete(route.path), None)
            if route.needs == PUBLIC:
                assert status not in (401, 403), f"{method} {route.path}"
            else:
                assert status == 401, f"{method} {route.path}"


def test_a_key_passes_the_routes_of_its_scopes_and_no_others(project: Project, asking: httpx.Client) -> None:
    key = key_of(project, scopes=["queues:read"])
    for route in routes_of(project):
        if route.needs in (PUBLIC, ANY):
            continue
        for method in sorted((route.methods or set()) - {"HEAD"}):
            status = status_of(asking, method, concrete(route.path), key)
            assert (status == 403) is (route.needs != "queues:read"), f"{method} {route.path} answered {status}"


def test_a_key_of_an_environment_rules_no_accounts(project: Project, asking: httpx.Client) -> None:
    key = key_of(project)
    for operation, route in ROUTES.items():
        if route.scope in (PUBLIC, ANY) or covers(KEY, route.scope):
            continue
        assert status_of(asking, route.method, concrete(route.path), key) == 403, operation
    assert (
        asking.post("/api/v1/orgs", json={"slug": "mine"}, headers={"authorization": f"Bearer {key}"}).status_code
        == 403
    )


def test_a_key_with_a_star_has_the_resources_of_its_environment_and_no_more(
    project: Project, asking: httpx.Client
) -> None:
    key = key_of(project, scopes=["*:*"])
    headers = {"authorization": f"Bearer {key}"}
    assert asking.get("/api/v1/runs", headers=headers).status_code == 200
    refused = asking.post("/api/v1/keys", json={"name": "more"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "keys:write" in refused.json()["detail"]


def test_all_resources_of_routes_are_known_to_keys() -> None:
    known = OF_ENVIRONMENT | {"environments", "keys", "orgs", "people", "projects"}
    assert {route.scope.partition(":")[0] for route in ROUTES.values()} <= known | {PUBLIC, ANY}
