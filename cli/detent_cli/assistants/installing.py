"""Entries of MCP servers: planned, written all or none, found again, and taken out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detent.errors import ConfigError, DetentError, InvalidOptions
from detent_cli.assistants.clients import Client, clients
from detent_cli.assistants.command import Command
from detent_cli.assistants.config_file import ConfigFile, write_whole
from detent_cli.assistants.places import System
from detent_cli.assistants.records import Record, Records

__all__ = ["NAME", "Change", "Target", "apply", "plan_install", "plan_uninstall", "target", "unread_for"]

#: What the server is called in every client.
NAME = "detent"


@dataclass(frozen=True, slots=True)
class Target:
    """The place of an entry: `keys` lead to it in the file at `path`. `others` are clients that read it there, too."""

    client: Client
    scope: str
    path: Path
    keys: tuple[str, ...]
    others: tuple[Client, ...] = ()

    def read(self) -> ConfigFile:
        """The file as it is. Errors: `ConfigError`."""
        return ConfigFile.read(self.path, self.client.format)


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a file: `action` is ``create``, ``add``, ``update``, ``keep``, ``remove`` or ``delete``.

    `before` and `after` are its content; None for no file. `entry` is what stands there afterwards.
    """

    target: Target
    action: str
    before: bytes | None
    after: bytes | None
    entry: Any = None
    note: str = ""

    @property
    def writes(self) -> bool:
        return self.action != "keep"


def target(client: Client, scope: str, system: System, project: Path) -> Target:
    """Where the entry of a client stands. Errors: `InvalidOptions` for a scope that it does not have."""
    path = client.file(scope, system, project) if scope in client.scopes else None
    if path is None:
        raise InvalidOptions(
            f"{client.name} has no MCP servers of the scope {scope!r}; it has: {', '.join(client.scopes)}"
        )
    key = client.key(scope, project)
    others = tuple(
        each
        for each in clients()
        if each is not client
        and scope in each.scopes
        and each.key(scope, project) == key
        and each.file(scope, system, project) == path
    )
    return Target(client, scope, path, (*key, NAME), others)


def plan_install(target: Target, command: Command) -> Change:
    """What has to be written so that `command` is the server of that place.

    Errors: `ConfigError` for a file that cannot be edited safely, with what to paste.
    """
    file = target.read()
    entry = target.client.entry(target.scope, command.program, command.args)
    try:
        return _planned(target, file, entry)
    except ConfigError as error:
        raise ConfigError(f"{error.message}; put this into it yourself:\n\n{_snippet(target, entry)}") from None


def _planned(target: Target, file: ConfigFile, entry: dict[str, Any]) -> Change:
    present = file.get(target.keys)
    note = unread_for(target, file) or ""
    if present == entry:
        return Change(target, "keep", file.content, file.content, entry, note)
    if isinstance(present, dict):
        # What somebody has added to it, such as variables or a list of tools, stays.
        entry = {**entry, **{name: value for name, value in present.items() if name not in entry}}
        if entry == present:
            return Change(target, "keep", file.content, file.content, entry, note)
    after = file.put(target.keys, entry)
    action = "create" if file.content is None else "add" if present is None else "update"
    return Change(target, action, file.content, after, entry, note)


def unread_for(target: Target, file: ConfigFile) -> str | None:
    """Why the client does not read the file although it can be edited; None where it does."""
    line = file.lenient_line if target.client.strict else None
    if line is None:
        return None
    return (
        f"{target.client.name} reads nothing of this file as long as there are comments or trailing commas in it; the "
        f"first is in line {line}"
    )


def _snippet(target: Target, entry: dict[str, Any]) -> str:
    """The entry alone, as it stands in a file of the client."""
    return ConfigFile(target.path, target.client.format, b"").put(target.keys, entry).decode().strip()


def plan_uninstall(target: Target, records: Records) -> Change:
    """What has to be written so that the entry is not there, and the file is as it was before it came."""
    file = target.read()
    present = file.get(target.keys)
    if present is None or file.content is None:
        return Change(target, "keep", file.content, file.content)
    record = records.find(target.path, list(target.keys))
    after = _as_it_was(file, target, record)
    return Change(target, "delete" if after is None else "remove", file.content, after)


def _as_it_was(file: ConfigFile, target: Target, record: Record | None) -> bytes | None:
    assert file.content is not None
    if record is not None and record.made(file.content):
        return record.content_before
    if record is not None:
        back = record.hunk.taken_back(file.content)
        if back is not None and ConfigFile(file.path, file.format, back).get(target.keys) is None:
            return back
    left = ConfigFile(file.path, file.format, file.remove(target.keys))
    was_made = record is not None and record.before is None
    if was_made and left.get(target.keys[:-1]) == {}:
        left = ConfigFile(file.path, file.format, left.remove(target.keys[:-1]))
    return None if was_made and left.is_empty else left.content


def apply(changes: Sequence[Change], records: Records, version: str) -> None:
    """Write all, or none: what was written is taken back when something cannot be.

    Errors: `ConfigError` that names the file, and any that could not be taken back.
    """
    done: list[Change] = []
    try:
        for change in changes:
            if change.writes:
                backup = None
                if change.before is not None:
                    backup = records.back_up(change.target.path, change.before)
                _write(change.target.path, change.after, change.before)
                done.append(change)
                _note(change, records, version, backup)
    except DetentError as error:
        left = [str(change.target.path) for change in reversed(done) if not _take_back(change)]
        told = (
            f"; these are changed and could not be taken back: {', '.join(left)}" if left else "; nothing was changed"
        )
        raise ConfigError(f"{error.message}{told}") from None


def _write(path: Path, content: bytes | None, expected: bytes | None) -> None:
    now = path.read_bytes() if path.exists() else None
    if now != expected:
        raise ConfigError(f"{path} was changed by another program just now; try again")
    if content is not None:
        write_whole(path, content)
        return
    path.unlink()
    with suppress(OSError):
        path.parent.rmdir()  # only where nothing else is in it


def _note(change: Change, records: Records, version: str, backup: Path | None) -> None:
    target = change.target
    known = records.find(target.path, list(target.keys))
    if change.action in ("remove", "delete"):
        if known is not None:
            records.forget(known)
        return
    assert change.after is not None
    before = change.before
    if change.action == "update" and before is not None:
        # How it was before there was an entry at all.
        before = _as_it_was(ConfigFile(target.path, target.client.format, before), target, known)
    records.keep(
        Record.of(
            before,
            change.after,
            client=target.client.id,
            scope=target.scope,
            path=str(target.path),
            format=target.client.format,
            keys=list(target.keys),
            backup=None if backup is None else str(backup),
            version=version,
        )
    )


def _take_back(change: Change) -> bool:
    try:
        if change.before is not None:
            write_whole(change.target.path, change.before)
        else:
            change.target.path.unlink(missing_ok=True)
    except (DetentError, OSError):
        return False
    return True
