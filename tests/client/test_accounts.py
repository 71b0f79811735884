"""Keys, projects, environments, people and public tokens through the clients."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent
from detent.connection import forget_connections
from detent.errors import Conflict, Forbidden, InvalidOptions, NotFound, Unauthorized
from detent.server.http import HttpServer


@pytest.fixture(params=["embedded", "http"])
def client(request: pytest.FixtureRequest, project: Project) -> Iterator[Detent]:
    """A client of the owner, in process and over HTTP."""
    if request.param == "embedded":
        yield Detent(project.transport)
        return
    server: HttpServer = request.getfixturevalue("server")
    with Detent(api_url=server.url, secret_key=KEY) as client:
        yield client


class Reach(Protocol):
    def __call__(self, secret_key: str | None = None, **about: str) -> Detent: ...


@pytest.fixture
def reach(server: HttpServer) -> Iterator[Reach]:
    """Makes clients of the server, which are closed at the end."""
    with ExitStack() as opened:
        yield lambda key=None, **about: opened.enter_context(Detent(api_url=server.url, secret_key=key, **about))


def test_a_key_is_made_used_rotated_and_revoked(client: Detent, reach: Reach) -> None:
    # Given a key that may read runs in staging
    made = client.keys.create("ci", environment="staging", scopes="runs:read", expires_in="30d")
    assert made.secret.startswith("dt_stg_")
    assert made.secret not in repr(made)
    assert made.expires_at is not None
    # Then it reaches staging, and only what it is for
    ci = reach(made.secret)
    who = ci.whoami()
    assert (who.kind, who.environment, who.scopes) == ("key", "staging", ["runs:read"])
    assert ci.runs.list().page().items == []
    with pytest.raises(Forbidden, match="keys:read"):
        ci.keys.list()
    with pytest.raises(NotFound, match="this key is for 'staging'"):
        reach(made.secret, environment="prod").whoami()
    # When it is rotated without overlap
    fresh = client.keys.rotate(made.id, overlap=0)
    # Then its successor is good, and it is not
    assert fresh.replaces == made.id
    assert reach(fresh.secret).whoami().key_id == fresh.id
    with pytest.raises(Unauthorized, match="revoked"):
        reach(made.secret).whoami()
    with pytest.raises(Conflict, match="rotated already"):
        client.keys.rotate(made.id)
    # When the successor is revoked
    assert client.keys.revoke(fresh.id).revoked_at is not None
    # Then no list shows a secret
    listed = client.keys.list()
    assert {key.id for key in listed} == {made.id, fresh.id}
    assert fresh.secret not in "".join(key.model_dump_json() for key in listed)


def test_projects_have_environments_apart(client: Detent, reach: Reach) -> None:
    # Given two projects
    first = client.projects.list()[0].slug
    shop = client.projects.create("shop", name="The shop")
    assert [env.name for env in shop.environments] == ["dev", "staging", "prod"]
    assert client.projects.retrieve("shop") == shop
    with pytest.raises(Conflict, match="choose another slug"):
        client.projects.create("shop")
    # When a preview is made, twice
    preview = client.environments.create("feature/x", project="shop")
    assert client.environments.create("feature/x", project="shop").id == preview.id
    assert preview.name == "preview/feature/x"
    # Then a client of the other project does not see it
    assert "preview/feature/x" not in [env.name for env in client.environments.list(project=first)]
    with pytest.raises(NotFound, match="environment"):
        client.environments.archive("preview/feature/x")
    # And one of the project archives it by its name
    there = reach(KEY, project="shop", environment="prod")
    assert (there.whoami().project, there.whoami().environment) == ("shop", "prod")
    assert there.environments.archive("preview/feature/x").archived
    with pytest.raises(Conflict, match="only preview"):
        there.environments.archive("prod")
    with pytest.raises(NotFound, match="did you mean 'shop'"):
        reach(KEY, project="shopp").whoami()


def test_people_have_roles_and_keys_of_their_own(client: Detent, reach: Reach) -> None:
    # Given a viewer
    ada = client.people.add("Ada@example.com", name="Ada", role="viewer")
    assert (ada.email, ada.role) == ("ada@example.com", "viewer")
    key = client.keys.create("laptop", personal=True, email="ada@example.com")
    assert key.secret.startswith("dt_pat_")
    viewer = reach(key.secret, environment="prod")
    who = viewer.whoami()
    assert (who.kind, who.role, who.environment) == ("personal", "viewer", "prod")
    assert who.person is not None
    assert who.person.email == "ada@example.com"
    with pytest.raises(Forbidden):
        viewer.people.add("eve@example.com")
    # When they are removed, their key reaches nothing
    assert client.people.remove("ada@example.com").removed
    assert client.people.list() == []
    with pytest.raises(Unauthorized, match="in no organisation"):
        reach(key.secret).whoami()
    # And organisations are made by whoever is to own them
    assert client.orgs.create("acme").slug in {org.slug for org in client.orgs.list()}


def test_a_device_logs_in_once_a_person_agrees(client: Detent, reach: Reach) -> None:
    device = reach()
    # Given two devices that show their codes
    first, second = device.auth.start_login("laptop"), device.auth.start_login("robot")
    assert device.auth.fetch_login(first.device_code).status == "pending"
    # When the owner lets one in, and not the other
    assert client.auth.approve_login(first.user_code.lower()).approved
    assert not client.auth.approve_login(second.user_code, deny=True).approved
    # Then
    told = device.auth.fetch_login(first.device_code)
    assert told.secret is not None
    assert told.secret not in repr(told)
    assert reach(told.secret).whoami().role == "owner"
    assert device.auth.fetch_login(second.device_code).status == "denied"
    # And the secret is told once
    with pytest.raises(NotFound, match="begin again"):
        device.auth.fetch_login(first.device_code)
    with pytest.raises(Unauthorized):
        device.whoami()


def test_a_public_token_is_for_one_thing(client: Detent, reach: Reach) -> None:
    made = client.auth.create_public_token(["runs:read:tag=user-7"], expires_in="1h")
    browser = reach(made.token)
    assert browser.runs.list(tag="user-7").page().items == []
    with pytest.raises(Forbidden):
        browser.runs.list(tag="user-8").page()
    with pytest.raises(Forbidden):
        browser.auth.create_public_token("runs:read:tag=user-7")
    with pytest.raises(InvalidOptions, match="must name one thing"):
        client.auth.create_public_token("runs:read")


def test_the_awaited_client_has_the_same_calls(server: HttpServer, reach: Reach) -> None:
    async def scene() -> AsyncDetent:
        async with AsyncDetent(api_url=server.url, secret_key=KEY, environment="staging") as client:
            assert (await client.whoami()).environment == "staging"
            made = await client.keys.create("ci")
            assert made.environment == "staging"
            assert [key.id for key in await client.keys.list()] == [made.id]
            assert [project.slug for project in await client.projects.list()] == ["default"]
            token = await client.auth.create_public_token("runs:read:run_1")
            assert token.scopes == ["runs:read:run_1"]
            return client

    client = asyncio.run(scene())
    blocking = reach()
    for noun in ("keys", "projects", "environments", "orgs", "people", "auth"):
        ours, theirs = getattr(blocking, noun), getattr(client, noun)
        names = [name for name in dir(ours) if not name.startswith("_")]
        assert names == [name for name in dir(theirs) if not name.startswith("_")]
        for name in names:
            assert inspect.signature(getattr(ours, name)) == inspect.signature(getattr(theirs, name))


def test_a_name_that_cannot_be_sent_is_refused(reach: Reach) -> None:
    for wrong in ("", "\u200b", "a\nb"):
        with pytest.raises(InvalidOptions, match="environment must be a name"):
            reach(KEY, environment=wrong)


def test_other_environments_of_a_project_are_reached_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a project that no server runs for
    (tmp_path / "detent.toml").write_text('project = "My shop"\n')
    monkeypatch.chdir(tmp_path)

    async def make_token() -> str:
        async with AsyncDetent(environment="staging") as staging:
            return (await staging.tokens.create()).id

    # When a token is made in staging
    made = asyncio.run(make_token())
    # Then it is there, by whichever way one says so
    with Detent(project="my-shop", environment="staging") as staging:
        assert [token.id for token in staging.tokens.list()] == [made]
        assert (staging.whoami().environment, staging.whoami().project) == ("staging", "my-shop")
    monkeypatch.setenv("DETENT_ENVIRONMENT", "staging")
    assert [token.id for token in Detent().tokens.list()] == [made]
    # And nowhere else
    monkeypatch.delenv("DETENT_ENVIRONMENT")
    assert list(Detent().tokens.list()) == []
    with Detent(environment="prodd") as wrong, pytest.raises(NotFound, match="did you mean 'prod'"):
        wrong.whoami()
    forget_connections()


def test_a_transport_that_is_given_knows_what_it_is_about(project: Project) -> None:
    with pytest.raises(InvalidOptions, match="either a transport, or"):
        Detent(project.transport, environment="staging")
