"""`detent tasks`: what can be run, and running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import Local, connected, find_tasks, is_served, tell_problems
from detent_cli.unattended import unattended

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.views import TaskView

__all__ = ["app"]

app = new_app("List tasks, show one, trigger one.")

TaskId = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]


@app.command("list", short_help="The tasks of the project.")
def list_tasks(as_json: AsJson = False) -> None:
    """The tasks of the project: those that the running workers serve, else those in its files."""
    from detent.config import load_config

    config = load_config()
    if is_served(config):
        with connected() as client:
            found, problems = client.tasks.list(), client.health().problems
    else:
        local = find_tasks()
        found, problems = local.views, local.problems
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": found, "problems": problems})
    elif found:
        from detent_cli.task_pages import print_tasks

        print_tasks(found, config.root)
    elif not problems:
        where = ", ".join(str(folder) for folder in config.dirs) or f"{config.root} (no dirs are set)"
        typer.echo(f"No tasks in {where}. Make a first one with: detent init", err=True)
    tell_problems(problems)


@app.command("show", short_help="One task, and how to trigger it.")
def show_task(task_id: TaskId, as_json: AsJson = False) -> None:
    """One task: where it is, how it is retried, what it takes and gives, and how to trigger it."""
    from detent.config import load_config

    config = load_config()
    if is_served(config):
        with connected() as client:
            view = client.tasks.retrieve(task_id)
    else:
        local = find_tasks()
        view = _one_of(local, task_id)
    if as_json:
        from detent_cli.console import print_json

        print_json(view)
        return
    from detent_cli.task_pages import print_task

    print_task(view, config.root)


@app.command("trigger", short_help="Start a run, and wait for it if you like.")
def trigger_task(
    *,
    task_id: TaskId,
    payload: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="What the task gets: JSON, @FILE, or - for standard input."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end and print the output; 1 when it failed.")
    ] = False,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Longest time to wait, such as 30s. Needs --wait.")
    ] = None,
    delay: Annotated[
        str | None, typer.Option(metavar="TIME", help="When to start: 10m, or 2026-11-22T09:00:00Z.")
    ] = None,
    ttl: Annotated[str | None, typer.Option(metavar="TIME", help="Expire it when it has not started by then.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Triggering again with this key finds the first run.")
    ] = None,
    idempotency_key_ttl: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long the key is kept; 30 days unless said.")
    ] = None,
    concurrency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The tenant or user that is served in turn.")
    ] = None,
    queue: Annotated[str | None, typer.Option(metavar="NAME", help="Another queue than the task's.")] = None,
    priority: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Go before runs triggered so much earlier.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="A tag to find the run by; may be repeated.")
    ] = None,
    metadata: Annotated[
        str | None, typer.Option(metavar="JSON", help="Metadata of the run: a JSON object, or @FILE.")
    ] = None,
    max_attempts: Annotated[int | None, typer.Option(metavar="N", help="Attempts in all, 1 to 250.")] = None,
    max_duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Longest executing time of an attempt.")
    ] = None,
    debounce: Annotated[
        str | None,
        typer.Option(metavar="JSON", help='Triggers in quick succession make one run: {"key": "k", "delay": "5s"}.'),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start a run. It is durable when this returns, also while no worker is there to run it.

    detent tasks trigger hello --payload '{"name": "Ada"}' --wait
    """
    from detent_cli.json_argument import read_json_argument

    if timeout is not None and not wait:
        raise typer.BadParameter("it is only for --wait", param_hint="--timeout")
    given = {
        "delay": delay,
        "ttl": ttl,
        "idempotency_key": idempotency_key,
        "idempotency_key_ttl": idempotency_key_ttl,
        "concurrency_key": concurrency_key,
        "queue": queue,
        "priority": priority,
        "tags": tag or None,
        "metadata": None if metadata is None else read_json_argument(metadata, "--metadata"),
        "max_attempts": max_attempts,
        "max_duration": max_duration,
        "debounce": None if debounce is None else read_json_argument(debounce, "--debounce"),
    }
    value = None if payload is None else read_json_argument(payload, "--payload")
    options = {name: option for name, option in given.items() if option is not None}
    with connected() as client:
        run_id, cached = _starter(client, task_id)(value, options)
        if wait:
            from detent_cli.ending import wait_for_end

            raise typer.Exit(wait_for_end(client, run_id, timeout, as_json=as_json))
        if as_json:
            from detent_cli.console import print_json

            print_json({"id": run_id, "task": task_id, "cached": cached})
            return
        typer.echo(run_id)
        _say_what_follows(client, run_id, cached)


Starter = Callable[[Any, Mapping[str, Any]], tuple[str, bool]]


def _starter(client: Detent, task_id: str) -> Starter:
    """What triggers the task. On an idle project, a task that no worker has described yet is looked for in
    the files, so that a slip of the pen makes no run that nobody will ever run."""
    from detent.config import load_config

    if is_served(load_config()) or any(task.id == task_id for task in client.tasks.list()):

        def by_id(payload: Any, options: Mapping[str, Any]) -> tuple[str, bool]:
            made = client.tasks.trigger(task_id, payload, **options)
            return made.id, made.cached

        return by_id
    local = find_tasks()
    _one_of(local, task_id)
    task = next(task for task in local.tasks if task.id == task_id)

    def of_files(payload: Any, options: Mapping[str, Any]) -> tuple[str, bool]:
        # None is left out, as it is by id.
        handle = task.sync.trigger(**options) if payload is None else task.sync.trigger(payload, **options)
        return handle.id, handle.cached

    return of_files


def _one_of(local: Local, task_id: str) -> TaskView:
    """The view of the task. Errors: `TaskNotFound` with near names; problems of files are told beside it."""
    from detent.errors import TaskNotFound

    for view in local.views:
        if view.id == task_id:
            return view
    tell_problems(local.problems)
    raise TaskNotFound.among(task_id, [view.id for view in local.views])


def _say_what_follows(client: Detent, run_id: str, cached: bool) -> None:
    """Hints on standard error; standard output has the id alone."""
    if cached:
        typer.echo("There already, under its idempotency key or debounce key.", err=True)
    run = client.runs.retrieve(run_id)
    if (why := unattended(run)) is not None:
        typer.echo(f"Not running yet: {why}", err=True)
