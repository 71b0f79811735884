"""`detent deploy --dry-run`: what would be deployed, without a server."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.table import Table

from detent.config import Config
from detent.deploy import Build, Bundle, Environments, build_project, git_state, lock_of
from detent.deploy.flow import named_queues, size_text
from detent.errors import DeployError
from detent.model.deployment_views import GitState
from detent_cli.console import clean, notes, print_json, stdout, tell_error
from detent_cli.styles import one_line

__all__ = ["show_trial"]

#: Files that are shown to people; all are in the JSON.
_MOST_SHOWN = 200


def show_trial(config: Config, *, full: bool, as_json: bool) -> int:
    """Build the project and show what would be deployed, with everything that is wrong with it.

    Parameters:
      full: show also what is written meanwhile.

    Returns the exit status: 1 where it cannot be deployed.
    """
    bundles: list[Bundle] = []
    build: Build | None = None
    problem: DeployError | None = None
    console = notes()

    def tell(line: str) -> None:
        if full or not as_json:
            console.print(clean(line), style="dim")

    with tempfile.TemporaryDirectory(prefix="detent-deploy-") as folder:
        try:
            build = build_project(
                config, Path(folder), environments=Environments(), on_line=tell, on_bundle=bundles.append
            )
        except DeployError as error:
            problem = error
        bundle = bundles[0] if bundles else None
    git = build.git if build is not None else git_state(config.root)
    if as_json:
        print_json(_values(config, bundle, build, git, problem))
    else:
        if bundle is not None:
            _print(config, bundle, build, git)
        if problem is not None:
            sys.stdout.flush()
            tell_error(problem.message)
    return 0 if problem is None else 1


def _values(
    config: Config, bundle: Bundle | None, build: Build | None, git: GitState | None, problem: DeployError | None
) -> dict[str, Any]:
    values: dict[str, Any] = {"dry_run": True, "project": config.project, "ok": problem is None}
    if bundle is not None:
        files = [
            {"name": file.name, "bytes": file.bytes, "executable": file.executable, "hash": file.hash}
            for file in bundle.files
        ]
        values |= {"hash": bundle.hash, "bytes": bundle.bytes, "files": files, "left_out": list(bundle.notes)}
    values |= {"lock": _lock(config), "git": git}
    if build is not None:
        import msgspec

        manifest = msgspec.to_builtins(build.manifest)
        values |= {"tasks": manifest.get("tasks", []), "schedules": _schedules(build), "python": build.python}
        values |= {"queues": msgspec.to_builtins(named_queues(build.manifest)), "detent": build.detent}
    values["problems"] = []
    if problem is not None:
        # One that is of no file is told by its message alone.
        values["problems"] = [
            {"file": each.file, "line": each.line, "message": each.message, "code": each.code}
            for each in problem.problems
        ] or [{"file": "", "line": None, "message": problem.message, "code": problem.code}]
        values["error"] = {"code": problem.code, "message": problem.message}
    return values


def _print(config: Config, bundle: Bundle, build: Build | None, git: GitState | None) -> None:
    console = stdout()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("FILE", overflow="fold")
    table.add_column("SIZE", justify="right", no_wrap=True)
    for file in bundle.files[:_MOST_SHOWN]:
        table.add_row(clean(file.name) + ("*" if file.executable else ""), size_text(file.bytes))
    console.print(table)
    if len(bundle.files) > _MOST_SHOWN:
        console.print(f"and {len(bundle.files) - _MOST_SHOWN:,} more; all of them with --json")
    console.print()
    lock = _lock(config)
    facts = {
        "bundle": f"{bundle.hash}, {len(bundle.files):,} files, {size_text(bundle.bytes)}",
        "left out": "\n".join(map(clean, bundle.notes)),
        "commit": _git(git),
        "packages": f"{lock['file']}, {lock['hash'][:12]}" if lock["file"] else "none named",
    }
    if build is not None:
        manifest = build.manifest
        facts |= {
            "python": f"{build.python}, detent {build.detent}",
            "tasks": "\n".join(f"{one_line(task.id)}  {task.file}:{task.line}" for task in manifest.tasks),
            "queues": "\n".join(
                one_line(queue.name) + ("" if queue.limit is None else f", {queue.limit} at once")
                for queue in named_queues(manifest)
            ),
            "schedules": "\n".join(f"{each['task']}  {each['cron']}, {each['timezone']}" for each in _schedules(build)),
        }
    rows = Table(box=None, show_header=False, pad_edge=False)
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            rows.add_row(name, fact)
    console.print(rows)
    if build is not None:
        sys.stdout.flush()
        notes().print("Nothing was sent: this was a dry run.", style="dim")


def _schedules(build: Build) -> list[dict[str, Any]]:
    return [
        {
            "task": task.id,
            "cron": task.schedule.cron,
            "timezone": task.schedule.timezone,
            "environments": task.schedule.environments,
        }
        for task in build.manifest.tasks
        if task.schedule is not None
    ]


def _lock(config: Config) -> dict[str, Any]:
    try:
        lock = lock_of(config.root)
    except DeployError:
        return {"kind": None, "file": None, "hash": None}
    return {"kind": lock.kind, "file": None if lock.file is None else lock.file.name, "hash": lock.hash}


def _git(git: GitState | None) -> str:
    if git is None:
        return ""
    where = f" on {one_line(git.branch, 80)}" if git.branch else ""
    state = ", with changes that are not committed" if git.dirty else ""
    return f"{(git.commit or 'none yet')[:12]}{where}{state}"
