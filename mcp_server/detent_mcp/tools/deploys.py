"""Deployments: bringing code to an environment, and which one is current."""

from __future__ import annotations

from typing import Annotated, Any

from ..call import Call
from ..next_calls import next_call
from ..results import at, row
from ..tool import tool
from ..untrusted import mark, shown_text

__all__ = ["deploy_row", "list_deploys", "promote_deploy"]

_ERROR, _MESSAGE = 160, 72
_PREVIOUS = "previous"


def deploy_row(deployment: dict[str, Any], error: int = _ERROR) -> dict[str, Any]:
    """A deployment as lists show it. `error`: characters of it."""
    git = deployment.get("git") or {}
    failed = deployment.get("error")
    commit = git.get("commit")
    return row(
        version=deployment["version"],
        id=deployment["id"],
        status=deployment["status"],
        current=deployment.get("is_current") or None,
        at=at(deployment["created_at"]),
        tasks=deployment.get("tasks"),
        commit=None if commit is None else f"{commit[:8]}{'+changes' if git.get('dirty') else ''}",
        branch=git.get("branch"),
        message=shown_text(git["message"].partition("\n")[0], _MESSAGE) if git.get("message") else None,
        by=deployment.get("created_by"),
        unfinished_runs=deployment.get("unfinished_runs") or None,
        note=deployment.get("note"),
        error=None if failed is None else shown_text(f"{failed['step'] or failed['code']}: {failed['message']}", error),
    )


@tool(
    "list_deploys",
    "Deployments of an environment, newest first: commit, status, error. With version (or 'current', 'latest') one "
    "alone, its error in full.",
    title="List deploys",
    needs="deployments:read",
)
async def list_deploys(
    call: Call,
    *,
    version: str | None = None,
    limit: Annotated[int, "default 10"] = 10,
    cursor: str | None = None,
) -> dict[str, Any]:
    environment = call.where.environment
    if version is not None:
        found = await call.ask("deployments.retrieve", id=version)
        told = {"environment": environment, **deploy_row(found, 4_000)}
        workers = [f"{each['host']}: {each['state']} {each.get('message') or ''}" for each in found["supervisors"]]
        return mark(told | row(workers=[shown_text(each, 200) for each in workers[:10]]), "message", "error", "workers")
    page = await call.ask("deployments.list", limit=limit, cursor=cursor)
    rows = [deploy_row(each) for each in page["items"]]
    result: dict[str, Any] = {"environment": environment, "deploys": rows}
    if page.get("next_cursor"):
        result["next"] = f"more: the same call with cursor={page['next_cursor']!r}"
    elif not rows:
        others = "" if call.settings.dev_only else "; list_deploys(env='staging') or env='prod' for others"
        result["next"] = f"nothing was deployed to {environment}{others}"
    elif "error" in rows[0]:
        result["next"] = f"{next_call(call, 'list_deploys', version=rows[0]['version'])} shows the whole error"
    return mark(result, "message", "error")


@tool(
    "promote_deploy",
    "Make a deployed version current: new runs use its code, begun ones stay on theirs. 'previous' rolls back.",
    title="Promote deploy",
    effect="destroys",
    needs="deployments:write",
    idempotent=True,
    only_dev=False,
)
async def promote_deploy(call: Call, *, version: Annotated[str, "version, id, 'previous'"]) -> dict[str, Any]:
    if version == _PREVIOUS:
        answer = await call.ask("deployments.rollback")
    else:
        answer = await call.ask("deployments.promote", id=version)
    return {**deploy_row(answer), "next": f"{next_call(call, 'list_deploys')} shows which one is current"}
