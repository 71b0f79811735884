"""Whose key this is, environments, keys and people."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ..call import Call
from ..refusals import Refusal
from ..results import at, row
from ..tool import tool

__all__ = ["create_project", "environments", "list_keys", "list_people", "read_environments", "revoke_key", "whoami"]

_TOOLSET = "admin"


@tool(
    "whoami",
    "Whose key is used, for which project and environment, with which scopes.",
    title="Who am I",
    toolset=_TOOLSET,
)
async def whoami(call: Call) -> dict[str, Any]:
    me = await call.ask("auth.whoami")
    person = me.get("person") or {}
    return row(
        server=call.link.url,
        kind=me["kind"],
        project=me.get("project"),
        environment=me["environment"],
        organization=me.get("organization"),
        role=me.get("role"),
        person=person.get("email"),
        scopes=me.get("scopes"),
    )


def _environment_row(environment: dict[str, Any]) -> dict[str, Any]:
    return row(
        name=environment["name"], at=at(environment["created_at"]), archived_at=at(environment.get("archived_at"))
    )


@tool(
    "environments",
    "Environments of the project: list, create the preview environment of a branch, archive one.",
    title="Environments",
    effect="destroys",
    needs="environments:write",
    toolset=_TOOLSET,
    about="server",
    idempotent=True,
    only_dev=False,
    unless=lambda values: values.get("action", "list") == "list",
)
async def environments(
    call: Call,
    *,
    action: Literal["list", "create", "archive"] = "list",
    branch: Annotated[str | None, "of create"] = None,
    name: Annotated[str | None, "of archive: preview/BRANCH"] = None,
) -> dict[str, Any]:
    if action == "list":
        return await _list(call)
    if action == "create":
        if branch is None:
            raise Refusal("environments(action='create') needs branch", code="invalid_arguments")
        return {"done": action, **_environment_row(await call.ask("environments.create", branch=branch))}
    if name is None:
        raise Refusal("environments(action='archive') needs name", next="environments() lists them")
    await call.ask("environments.archive", id=name)
    return {"done": action, "name": name}


@tool(
    "environments",
    "Environments of the project.",
    title="Environments",
    needs="environments:read",
    toolset=_TOOLSET,
    about="server",
    only_dev=False,
    stands_in=True,
)
async def read_environments(call: Call) -> dict[str, Any]:
    return await _list(call)


async def _list(call: Call) -> dict[str, Any]:
    answer = await call.ask("environments.list")
    return {"project": call.where.project, "environments": [_environment_row(each) for each in answer["items"]]}


@tool(
    "list_keys",
    "API keys of the project: names, beginnings, environments; never the keys themselves.",
    title="List keys",
    needs="keys:read",
    toolset=_TOOLSET,
    about="server",
)
async def list_keys(call: Call) -> dict[str, Any]:
    answer = await call.ask("keys.list")
    rows = [
        row(
            id=key["id"],
            name=key["name"],
            start=key["start"],
            environment=key.get("environment"),
            person=key.get("person"),
            scopes=key.get("scopes"),
            revoked_at=at(key.get("revoked_at")),
            expires_at=at(key.get("expires_at")),
            last_used_at=at(key.get("last_used_at")),
        )
        for key in answer["items"]
    ]
    return {"keys": rows, "next": "a new key is made by the user, who alone may see it: detent keys create"}


@tool(
    "revoke_key",
    "Revoke an API key at once. Only when the user says so: what uses it stops working.",
    title="Revoke key",
    effect="destroys",
    needs="keys:write",
    toolset=_TOOLSET,
    idempotent=True,
)
async def revoke_key(call: Call, *, id: str) -> dict[str, Any]:
    key = await call.ask("keys.revoke", id=id)
    return row(id=id, name=key.get("name"), revoked_at=at(key.get("revoked_at")))


@tool(
    "list_people",
    "People of the organisation, with their roles.",
    title="List people",
    needs="people:read",
    toolset=_TOOLSET,
    about="server",
)
async def list_people(call: Call) -> dict[str, Any]:
    answer = await call.ask("people.list")
    rows = [row(email=each["email"], name=each.get("name"), role=each.get("role")) for each in answer["items"]]
    return {"people": rows}


@tool(
    "create_project",
    "Make a project on the server, with the environments dev, staging and prod.",
    title="Create project",
    effect="writes",
    needs="projects:write",
    toolset=_TOOLSET,
    about="server",
    only_dev=False,
)
async def create_project(call: Call, *, slug: str, name: str | None = None) -> dict[str, Any]:
    made = await call.ask("projects.create", slug=slug, name=name)
    names = [each["name"] for each in made.get("environments", [])]
    return row(created=made["slug"], environments=names, next=f"start this server with --project {made['slug']}")
