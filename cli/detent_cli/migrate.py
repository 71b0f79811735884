"""`detent migrate`: the present schema, and everything from one database to another."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from detent_cli.options import AsJson

if TYPE_CHECKING:
    from detent.config import Config
    from detent.migrate import Moved, Progress
    from detent.migrate.progress import OnProgress

__all__ = ["migrate"]

#: How often a line tells of a long table where nobody watches, in seconds.
_EVERY_S = 5.0


def migrate(
    *,
    source: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="Move everything from this database.")
    ] = None,
    target: Annotated[str | None, typer.Option("--to", metavar="URL", help="Into this one, which is empty.")] = None,
    objects: Annotated[
        tuple[str, str] | None,
        typer.Option("--objects", metavar="FROM TO", help="Copy large objects from one object store to another."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what an unfinished move has left in the target.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit status 1 when there is work.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the project's database to the present schema; or, with --from and --to, move everything into another one.

    Stop all servers and workers before a move. One that was broken off goes on with the same command.
    """
    from detent.config import load_config
    from detent.errors import InvalidOptions

    if (source is None) != (target is None):
        raise InvalidOptions("--from and --to belong together: detent migrate --from URL --to URL")
    moves = source is not None or objects is not None
    if check and (moves or restart):
        raise InvalidOptions("--check is of the schema alone; leave out --from, --to, --objects and --restart")
    if restart and source is None:
        raise InvalidOptions("--restart belongs to --from and --to")
    config = load_config()
    if not moves:
        _bring_up_to_date(config, check=check, as_json=as_json)
        return
    document: dict[str, object] = {}
    if objects is not None:
        document["objects"] = _copy_objects(*objects, as_json=as_json)
    if source is not None and target is not None:
        document |= _move(source, target, config, restart=restart, as_json=as_json)
    if as_json:
        from detent_cli.console import print_json

        print_json(document)


def _bring_up_to_date(config: Config, *, check: bool, as_json: bool) -> None:
    from detent.migrate import bring_up_to_date, look_at

    if check:
        before = after = look_at(config)
    else:
        before, after = bring_up_to_date(config)
    if as_json:
        from detent_cli.console import print_json

        print_json(
            {
                "database": after.database,
                "before": before.version,
                "version": after.version,
                "needed": after.needed,
                "is_present": after.is_present,
            }
        )
    elif not after.is_present:
        typer.echo(f"{after.database} has schema {after.version}; {after.needed} is the present one: detent migrate")
    elif before == after:
        typer.echo(f"{after.database} has schema {after.version}, the present one; there is nothing to do.")
    else:
        typer.echo(f"{after.database} was brought from schema {before.version} to {after.version}.")
    if not after.is_present:
        raise typer.Exit(1)


def _copy_objects(source: str, target: str, *, as_json: bool) -> dict[str, int]:
    from detent.migrate import copy_objects

    done = copy_objects(source, target)
    if not as_json:
        typer.echo(f"{done.copied:,} objects copied ({done.bytes:,} bytes), {done.present:,} were there already.")
    return {"copied": done.copied, "present": done.present, "bytes": done.bytes}


def _move(source: str, target: str, config: Config, *, restart: bool, as_json: bool) -> dict[str, object]:
    from detent.migrate import move

    with _shown() as on_progress:
        moved = move(source, target, config, restart=restart, on_progress=on_progress)
    if not as_json:
        _print(moved)
    return {
        "source": moved.source,
        "target": moved.target,
        "tables": dict(moved.rows),
        "rows": sum(moved.rows.values()),
        "seconds": moved.seconds,
        "resumed": moved.resumed,
        "given_back": moved.given_back,
        "secrets": moved.secrets,
        "changed_texts": moved.changed_texts,
    }


def _print(moved: Moved) -> None:
    full = sum(1 for rows in moved.rows.values() if rows)
    typer.echo(f"{sum(moved.rows.values()):,} rows of {full} tables are in {moved.target}, compared row by row.")
    if moved.given_back:
        typer.echo(f"{moved.given_back:,} runs executed when their workers were stopped; they are queued again.")
    if moved.secrets:
        typer.echo(
            f"{moved.secrets:,} environment variables are sealed with this server's key: take .detent/encryption.key "
            "along, or set DETENT_ENCRYPTION_KEY to what is in it, on every server."
        )
    if moved.changed_texts:
        typer.echo(f"{moved.changed_texts:,} texts had the character NUL; it stands there as U+2400 now.")
    typer.echo(f"{moved.source} is as it was, to go back to. Set DETENT_DATABASE_URL, then start servers and workers.")


@contextmanager
def _shown() -> Iterator[OnProgress]:
    """A bar for a person who watches; else a line for each table, and now and then one in between."""
    if sys.stderr.isatty():
        with _bar() as on_progress:
            yield on_progress
    else:
        yield _Lines().tell


@contextmanager
def _bar() -> Iterator[OnProgress]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from detent_cli.console import notes

    columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=notes()) as bars:
        tasks = {}

        def show(now: Progress) -> None:
            if now.doing not in tasks:
                tasks[now.doing] = bars.add_task(now.doing, total=now.all_rows)
            words = f"{now.doing} {now.table}"
            bars.update(tasks[now.doing], completed=now.all_done, total=now.all_rows, description=words)

        yield show


class _Lines:
    """Progress for a log."""

    def __init__(self) -> None:
        self._told = ("", "")
        self._at = 0.0

    def tell(self, now: Progress) -> None:
        """A line, where it is time for one."""
        about = now.doing, now.table
        if about == self._told and time.monotonic() < self._at + _EVERY_S:
            return
        self._told, self._at = about, time.monotonic()
        sys.stderr.write(f"{now.doing} {now.table}: {now.all_done:,} of {now.all_rows:,} rows in all\n")
        sys.stderr.flush()
