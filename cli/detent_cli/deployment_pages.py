"""Deployments as people read them."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from detent.deploy.flow import size_text
from detent.model.deployment_views import Deployment, DeploymentDetail, DeploymentPage
from detent_cli.console import clean, stdout
from detent_cli.deploy_progress import git_text
from detent_cli.styles import ago, local_time, one_line, took

__all__ = ["print_deployment", "print_deployments"]

_STATUS = {
    "PENDING": "magenta",
    "BUILDING": "cyan",
    "DEPLOYING": "cyan",
    "DEPLOYED": "green",
    "FAILED": "bold red",
    "CANCELED": "dim",
    "TIMED_OUT": "bold red",
}


def print_deployments(page: DeploymentPage) -> None:
    """A table, newest first; the current one has a star."""
    if not page.items:
        return
    console = stdout()
    moment = ago if console.is_terminal else local_time
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("", "VERSION", "STATUS", "CREATED", "TASKS", "RUNS", "COMMIT", "BY"):
        table.add_column(title, no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for each in page.items:
        git = each.git
        commit = "" if git is None or git.commit is None else git.commit[:8] + ("+" if git.dirty else "")
        table.add_row(
            "*" if each.is_current else "",
            each.version,
            Text(each.status, style=_STATUS.get(each.status, "")),
            moment(each.created_at),
            "" if each.tasks is None else str(each.tasks),
            str(each.unfinished_runs) if each.unfinished_runs else "",
            commit + (f" {one_line(git.branch, 40)}" if git is not None and git.branch else ""),
            one_line(each.created_by or "", 30),
            _about(each),
        )
    console.print(table)


def _about(each: Deployment) -> str:
    if each.error is not None:
        return one_line(each.error.message, 100)
    if each.note:
        return one_line(each.note, 100)
    return one_line(each.git.message, 100) if each.git is not None and each.git.message else ""


def print_deployment(found: DeploymentDetail) -> None:
    """All that is known of a deployment."""
    console = stdout()
    head = Text(found.version, style="bold")
    head.append("  ").append(found.status, style=_STATUS.get(found.status, ""))
    head.append(f"  {found.environment}" + (", current" if found.is_current else ""))
    console.print(head)
    if found.error is not None:
        step = f"{found.error.step}: " if found.error.step else ""
        console.print(Text(clean(f"{step}{found.error.message}"), style="red"))
    if found.note:
        console.print(Text(clean(found.note), style="yellow"))
    bundle = found.bundle
    manifest: dict[str, Any] = found.manifest or {}
    queues = [queue["name"] for queue in manifest.get("queues", []) if not queue["name"].startswith("task/")]
    facts = {
        "id": found.id,
        "created": f"{local_time(found.created_at)}, {ago(found.created_at)}"
        + (f", by {one_line(found.created_by)}" if found.created_by else ""),
        "took": took(found.created_at, found.finished_at),
        "promoted": "" if found.promoted_at is None else f"{local_time(found.promoted_at)}, {ago(found.promoted_at)}",
        "git": git_text(found),
        "author": "" if found.git is None else one_line(found.git.author or ""),
        "bundle": "" if bundle is None else f"{bundle.hash[:12]}, {bundle.files:,} files, {size_text(bundle.bytes)}",
        "python": " ".join(filter(None, (found.python, f"detent {found.detent}" if found.detent else ""))),
        "packages": (found.lock_hash or "")[:12],
        "workers": str(found.workers) if found.status == "DEPLOYED" else "",
        "unfinished": f"{found.unfinished_runs} runs" if found.unfinished_runs else "",
        "tasks": "\n".join(
            f"{one_line(task['id'])}  {task.get('file', '')}:{task.get('line', '')}"
            for task in manifest.get("tasks", [])
        ),
        "queues": ", ".join(map(one_line, queues)),
        "hosts": "\n".join(
            f"{one_line(each.host)}: {each.state}" + (f": {clean(each.message)}" if each.message else "")
            for each in found.supervisors
        ),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(f"  {name}", fact)
    console.print(table)
