"""Projects and organisations of a server."""

from __future__ import annotations

from typing import Any

from ..call import Call
from ..results import row
from ..tool import tool

__all__ = ["list_orgs", "list_projects"]

_MOST = 100


@tool(
    "list_projects",
    "Projects that the key reaches, and which one is current. Use when the user names another one.",
    title="List projects",
    about="server",
)
async def list_projects(call: Call) -> dict[str, Any]:
    answer = await call.ask("projects.list")
    rows = [
        row(slug=each["slug"], name=each["name"] if each["name"] != each["slug"] else None, org=each["organization"])
        for each in answer["items"][:_MOST]
    ]
    switch = "another project: start this server with --project SLUG" if len(rows) > 1 else None
    return {"current": call.where._asdict(), "server": call.link.url, "projects": rows, **row(next=switch)}


@tool(
    "list_orgs",
    "Organisations that the key belongs to, with your role.",
    title="List organisations",
    about="server",
)
async def list_orgs(call: Call) -> dict[str, Any]:
    answer = await call.ask("orgs.list")
    rows = [row(slug=each["slug"], name=each["name"], role=each.get("role")) for each in answer["items"][:_MOST]]
    return {"server": call.link.url, "orgs": rows}
