"""`detent runs reschedule`, `tags` and `metadata`: change one run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from detent_cli.options import AsJson, RunId
from detent_cli.project import connected

__all__ = ["add_tags", "change_metadata", "reschedule_run"]


def reschedule_run(
    run: RunId,
    when: Annotated[str, typer.Argument(metavar="WHEN", help="When to start: 10m, or 2026-11-22T09:00:00Z.")],
    as_json: AsJson = False,
) -> None:
    """Let a delayed run start at another moment.

    detent runs reschedule latest 2h
    """
    from detent_cli.run_id import find_run

    with connected() as client:
        done = client.runs.reschedule(find_run(client, run), when)
    if as_json:
        from detent_cli.console import print_json

        print_json(done)
        return
    from detent_cli.styles import local_time

    typer.echo(f"{done.id} starts at {local_time(done.delay_until)}")


def add_tags(
    run: RunId,
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="Tags to add, up to 10 in all.")],
    as_json: AsJson = False,
) -> None:
    """Add tags to a run, also to one that has ended."""
    from detent_cli.run_id import find_run

    with connected() as client:
        run_id = find_run(client, run)
        found = client.runs.add_tags(run_id, tags)
    if as_json:
        from detent_cli.console import print_json

        print_json({"id": run_id, "tags": found})
        return
    from detent_cli.console import clean

    typer.echo(" ".join(f"#{clean(tag)}" for tag in found))


Change = list[str] | None


def change_metadata(
    *,
    run: RunId,
    set_: Annotated[Change, typer.Option("--set", metavar="KEY=JSON", help="May be repeated, as all below.")] = None,
    delete: Annotated[Change, typer.Option(metavar="KEY", help="Take the key away.")] = None,
    append: Annotated[Change, typer.Option(metavar="KEY=JSON", help="Append to a list.")] = None,
    remove: Annotated[Change, typer.Option(metavar="KEY=JSON", help="Remove from a list.")] = None,
    increment: Annotated[Change, typer.Option(metavar="KEY=N", help="Add to a number.")] = None,
    replace: Annotated[str | None, typer.Option(metavar="JSON", help="Replace all: a JSON object, or @FILE.")] = None,
    as_json: AsJson = False,
) -> None:
    """The metadata of a run; with options, change it first, also that of a run that has ended.

    detent runs metadata latest --set stage='"done"' --increment tries=1
    """
    from detent_cli.console import clean, json_text, print_json
    from detent_cli.json_argument import read_json_argument
    from detent_cli.run_id import find_run

    given = {"set": set_, "append": append, "remove": remove, "increment": increment}
    changes: list[dict[str, Any]] = [
        {"op": op, **_pair(text, f"--{op}")} for op, texts in given.items() for text in texts or ()
    ]
    changes += [{"op": "delete", "key": key} for key in delete or ()]
    if replace is not None and changes:
        raise typer.BadParameter("it replaces all, so it goes with no other change", param_hint="--replace")
    whole = None if replace is None else read_json_argument(replace, "--replace")
    with connected() as client:
        run_id = find_run(client, run)
        if whole is not None:
            metadata = client.runs.update_metadata(run_id, whole)
        elif changes:
            metadata = client.runs.update_metadata(run_id, operations=changes)
        else:
            metadata = client.runs.retrieve(run_id).metadata
    if as_json:
        print_json({"id": run_id, "metadata": metadata})
    else:
        typer.echo(clean(json_text(metadata)))


def _pair(text: str, option: str) -> dict[str, Any]:
    from detent_cli.json_argument import read_json_argument

    key, equals, value = text.partition("=")
    if not key or not equals:
        raise typer.BadParameter(f"expected KEY=JSON, got {text!r}", param_hint=option)
    return {"key": key, "value": read_json_argument(value, option)}
