"""Environment variables: their names. What they hold is not for models."""

from __future__ import annotations

from typing import Annotated, Any

from ..call import Call
from ..results import at, row
from ..tool import tool

__all__ = ["delete_env_var", "list_env_vars", "set_env_var"]

_TOOLSET = "env"


@tool(
    "list_env_vars",
    "Names of the environment variables that tasks are given; never their values.",
    title="List environment variables",
    needs="envvars:read",
    toolset=_TOOLSET,
)
async def list_env_vars(call: Call) -> dict[str, Any]:
    answer = await call.ask("envvars.list")
    rows = [
        row(name=each["name"], secret=each.get("is_secret") or None, updated_at=at(each.get("updated_at")))
        for each in answer["items"]
    ]
    return {"environment": call.where.environment, "variables": rows}


@tool(
    "set_env_var",
    "Set an environment variable of tasks, to what is no secret. For secrets the user runs: detent env set NAME.",
    title="Set environment variable",
    effect="destroys",
    needs="envvars:write",
    toolset=_TOOLSET,
    idempotent=True,
)
async def set_env_var(
    call: Call, *, name: str, value: str, secret: Annotated[bool, "default true"] = True
) -> dict[str, Any]:
    answer = await call.ask("envvars.update", name=name, value=value, is_secret=secret)
    return row(name=name, created=answer.get("created"), note=answer.get("note"))


@tool(
    "delete_env_var",
    "Remove an environment variable of tasks.",
    title="Delete environment variable",
    effect="destroys",
    needs="envvars:write",
    toolset=_TOOLSET,
)
async def delete_env_var(call: Call, *, name: str) -> dict[str, Any]:
    answer = await call.ask("envvars.delete", name=name)
    return row(name=name, deleted=True, note=answer.get("note"))
