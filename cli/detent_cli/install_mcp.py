"""`detent install-mcp` and `uninstall-mcp`: the MCP server in the settings of assistants, and out of them again."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.options import AsJson

if TYPE_CHECKING:
    from detent_cli.assistants.clients import Client
    from detent_cli.assistants.command import Command
    from detent_cli.assistants.installing import Change, Target

__all__ = ["install_mcp", "uninstall_mcp"]

_DID = {
    "create": "created",
    "add": "added to",
    "update": "updated in",
    "keep": "is in",
    "remove": "removed from",
    "delete": "deleted",
}
_WILL = _DID | {
    "create": "create",
    "add": "add to",
    "update": "update in",
    "remove": "remove from",
    "delete": "delete",
}

Clients = Annotated[
    list[str] | None,
    typer.Option("--client", "-c", metavar="NAME,...", help="Which assistants, by id; --list names them."),
]
Scope = Annotated[
    str | None,
    typer.Option(
        metavar="user|project|local",
        help="For you everywhere, for all who work on this project, or for you in this project. The first that the "
        "assistant has, in this order, unless set.",
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="All assistants that are installed here.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")]


def install_mcp(
    *,
    client: Clients = None,
    scope: Scope = None,
    everything: Everything = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where an entry is missing or is not up to date.")
    ] = False,
    list_clients: Annotated[bool, typer.Option("--list", help="List the assistants, and which are here.")] = False,
    readonly: Annotated[bool, typer.Option("--readonly", help="Only tools that change nothing.")] = False,
    dev_only: Annotated[bool, typer.Option("--dev-only", help="Only the environment dev.")] = False,
    env: Annotated[str | None, typer.Option("--env", metavar="NAME", help="The environment: dev unless set.")] = None,
    project: Annotated[
        str | None,
        typer.Option("--project", metavar="DIR|SLUG", help="The project: its folder, or its slug on a server."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="The server to speak to, see `detent login`.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Start the server once before its entry is written.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Connect assistants to detent: write its MCP server into their settings, and keep all else as it is.

    Shows what it will write and asks; --yes does not ask. Installing again changes nothing.
    """
    from detent_cli.assistants.command import command_for
    from detent_cli.assistants.installing import plan_install

    folder = _folder(project)
    if list_clients:
        _print_clients(folder, as_json)
        return
    options = _options(readonly=readonly, dev_only=dev_only, env=env, project=_project_option(project), profile=profile)
    targets = _targets(client, scope, everything=everything, unasked=yes or dry_run or check, folder=folder)
    commands = {target.scope: command_for(target.scope, folder, options) for target in targets}
    changes = [plan_install(target, commands[target.scope]) for target in targets]
    if check:
        _check(changes, as_json)
        return
    if dry_run:
        _show(changes, as_json, _WILL)
        return
    if verify and any(change.writes for change in changes):
        _probe([commands[change.target.scope] for change in changes if change.writes], folder)
    _carry_out(changes, yes, as_json)


def uninstall_mcp(
    *,
    client: Clients = None,
    scope: Scope = None,
    everything: Everything = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    project: Annotated[
        str | None, typer.Option("--project", metavar="DIR", help="The project's folder; this one unless set.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take detent's MCP server out of the settings of assistants, and leave them as they were before.

    Without --client: wherever it is, in every scope.
    """
    from detent.errors import NotFound
    from detent_cli.assistants.installing import plan_uninstall
    from detent_cli.assistants.records import Records

    folder = _folder(project)
    targets = _present(client, scope, folder)
    if not targets:
        where = f" of {', '.join(_names(client))}" if client else ""
        raise NotFound(f"no entry of detent is in the settings{where}; see `detent install-mcp --list`")
    if not (yes or dry_run or everything or client) and not _is_terminal():
        raise typer.BadParameter("nobody can be asked here; add --yes", param_hint="--yes")
    records = Records()
    changes = [plan_uninstall(target, records) for target in targets]
    if dry_run:
        _show(changes, as_json, _WILL)
        return
    _carry_out(changes, yes or not _is_terminal(), as_json)


def _folder(project: str | None) -> Path:
    if project is not None and Path(project).is_dir():
        return Path(project).resolve()
    from detent.config import find_root

    named = os.environ.get("DETENT_PROJECT_DIR")
    return Path(named).resolve() if named else find_root(Path.cwd())


def _project_option(project: str | None) -> str | None:
    return str(Path(project).resolve()) if project is not None and Path(project).is_dir() else project


def _options(**given: Any) -> list[str]:
    listed: list[str] = []
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            listed.append(flag)
        elif value:
            listed += [flag, str(value)]
    return listed


def _names(given: Sequence[str] | None) -> list[str]:
    return [name.strip() for each in given or () for name in each.split(",") if name.strip()]


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _targets(
    named: Sequence[str] | None, scope: str | None, *, everything: bool, unasked: bool, folder: Path
) -> list[Target]:
    from detent_cli.assistants.clients import SCOPES, client_named, clients
    from detent_cli.assistants.installing import target
    from detent_cli.assistants.places import here

    system = here()
    if scope is not None and scope not in SCOPES:
        raise typer.BadParameter(f"{scope!r} is none; scopes are: {', '.join(SCOPES)}", param_hint="--scope")
    chosen = [client_named(name) for name in _names(named)]
    if not chosen:
        found = [client for client in clients() if client.is_here(system, folder)]
        if not found:
            raise typer.BadParameter(
                "no assistant was found on this machine; name one with --client, of these: "
                + ", ".join(client.id for client in clients()),
                param_hint="--client",
            )
        chosen = found
        if not everything and not unasked:
            if not _is_terminal():
                raise typer.BadParameter(
                    f"found {', '.join(client.id for client in found)}, and nobody can be asked here which; say "
                    "--client NAME, or --all, and --yes",
                    param_hint="--client",
                )
            chosen = _ask_which(found)
        fitting = [client for client in chosen if scope is None or scope in client.scopes]
        for client in chosen:
            if client not in fitting:
                typer.echo(f"{client.name} has no scope {scope}: left out", err=True)
        if not fitting:
            raise typer.BadParameter(f"no assistant that was found has the scope {scope}", param_hint="--scope")
        chosen = fitting
    if not unasked and not _is_terminal():
        raise typer.BadParameter("nobody can be asked here; add --yes, or --dry-run", param_hint="--yes")
    targets: dict[Any, Target] = {}
    for client in chosen:
        made = target(client, scope or client.scopes[0], system, folder)
        targets.setdefault((made.path, made.keys), made)
    return list(targets.values())


def _ask_which(found: Sequence[Client]) -> list[Client]:
    """The assistants that a person wants."""
    typer.echo("Assistants on this machine:")
    for number, client in enumerate(found, 1):
        typer.echo(f"  {number:2} {client.name}")
    while True:
        answer = typer.prompt("Which? Numbers with commas, or all", default="all")
        if answer.strip().lower() in ("all", "a", "*"):
            return list(found)
        wanted = answer.replace(",", " ").split()
        if wanted and all(each.isdigit() and 1 <= int(each) <= len(found) for each in wanted):
            return [found[number - 1] for number in sorted({int(each) for each in wanted})]
        typer.echo(f"A number is from 1 to {len(found)}.")


def _present(named: Sequence[str] | None, scope: str | None, folder: Path) -> list[Target]:
    """Where entries are: of the clients that are named, else of all."""
    from detent.errors import DetentError
    from detent_cli.assistants.clients import client_named, clients
    from detent_cli.assistants.installing import target
    from detent_cli.assistants.places import here

    system = here()
    chosen = [client_named(name) for name in _names(named)]
    found: dict[Any, Target] = {}
    for client in chosen or clients():
        for each in [scope] if scope is not None else client.scopes:
            if each not in client.scopes or client.file(each, system, folder) is None:
                continue
            place = target(client, each, system, folder)
            try:
                if place.read().get(place.keys) is not None:
                    found.setdefault((place.path, place.keys), place)
            except DetentError:
                # A file that cannot be read matters where it was asked for.
                if chosen:
                    raise
    return list(found.values())


def _probe(commands: Sequence[Command], folder: Path) -> None:
    from detent.errors import DetentError
    from detent_cli.assistants.probing import probe

    for command in {(each.program, *each.args): each for each in commands}.values():
        found = probe(command, folder)
        if found.problem is not None:
            raise DetentError(
                f"`{' '.join([command.program, *command.args])}` does not start: {found.problem}. Nothing was written; "
                "mend it, or write the entry all the same with --no-verify"
            )
        typer.echo(f"started {command.program}: {found.tools} tools", err=True)


def _carry_out(changes: Sequence[Change], yes: bool, as_json: bool) -> None:
    from detent import __version__
    from detent_cli.assistants.installing import apply
    from detent_cli.assistants.records import Records

    if any(change.writes for change in changes) and not yes and not as_json:
        _show(changes, False, _WILL)
        if not typer.confirm("Write this?", default=True):
            typer.echo("Nothing was written.")
            raise typer.Exit(1)
    apply(changes, Records(), __version__)
    _show(changes, as_json, _DID)


def _check(changes: Sequence[Change], as_json: bool) -> None:
    _show(changes, as_json, {**_WILL, "create": "missing in", "add": "missing in", "update": "not up to date in"})
    if any(change.writes for change in changes):
        raise typer.Exit(1)


def _show(changes: Sequence[Change], as_json: bool, words: dict[str, str]) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json({"changes": [_document(change) for change in changes]})
        return
    import json

    for change in changes:
        target = change.target
        typer.echo(f"{target.client.name} ({target.scope}): {words[change.action]} {target.path}")
        if target.others:
            typer.echo(f"  read there by {', '.join(each.name for each in target.others)}, too")
        if change.note:
            typer.echo(f"  note: {change.note}")
        if words is not _DID and change.action in ("create", "add", "update"):
            typer.echo(f"  {' > '.join(target.keys)}: {json.dumps(change.entry, ensure_ascii=False)}")


def _document(change: Change) -> dict[str, Any]:
    target = change.target
    return {
        "client": target.client.id,
        "others": [each.id for each in target.others],
        "scope": target.scope,
        "path": str(target.path),
        "action": change.action,
        "keys": list(target.keys),
        "entry": change.entry,
        "note": change.note or None,
    }


def _print_clients(folder: Path, as_json: bool) -> None:
    from detent_cli.assistants.clients import clients
    from detent_cli.assistants.places import here

    system = here()
    there = {(each.client.id, each.scope) for each in _present(None, None, folder)}
    rows = [
        {
            "client": client.id,
            "name": client.name,
            "scopes": list(client.scopes),
            "found": client.is_here(system, folder),
            "installed": [scope for scope in client.scopes if (client.id, scope) in there],
        }
        for client in clients()
    ]
    if as_json:
        from detent_cli.console import print_json

        print_json({"clients": rows})
        return
    from rich.table import Table

    from detent_cli.console import stdout

    table = Table("CLIENT", "NAME", "SCOPES", "HERE", "DETENT IN", box=None, header_style="bold")
    for row in rows:
        scopes, installed = row["scopes"], row["installed"]
        assert isinstance(scopes, list)
        assert isinstance(installed, list)
        here_now = "yes" if row["found"] else ""
        table.add_row(str(row["client"]), str(row["name"]), " ".join(scopes), here_now, " ".join(installed))
    stdout().print(table)
