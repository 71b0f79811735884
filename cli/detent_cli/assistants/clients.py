"""The assistants that detent can be connected to: `clients.toml` as data."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from detent.errors import InvalidOptions, near_names
from detent_cli.assistants.places import System

__all__ = ["SCOPES", "Client", "client_named", "clients"]

SCOPES = ("user", "project", "local")


@dataclass(frozen=True, slots=True)
class Client:
    """An assistant.

    `commands` and `marks` tell that it is there: programs on the path, files and folders. `paths`: by scope and system,
    where its MCP servers are written down; `format` is ``json``, ``toml`` or ``yaml``, `keys` lead to the servers.
    `strict`: it reads no comments and no trailing commas. `entries`: what an entry looks like, by scope.
    """

    id: str
    name: str
    format: str
    commands: tuple[str, ...]
    marks: tuple[str, ...]
    strict: bool
    own: str | None
    paths: Mapping[str, Mapping[str, Sequence[str]]]
    keys: Mapping[str, tuple[str, ...]]
    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Where an entry can stand."""
        return tuple(scope for scope in SCOPES if scope in self.paths)

    def is_here(self, system: System, project: Path) -> bool:
        """Whether it seems to be installed."""
        path = system.env.get("PATH")
        if any(shutil.which(command, path=path) for command in self.commands):
            return True
        places = (system.place(mark, project, self.own) for mark in self.marks)
        return any(place is not None and place.exists() for place in places)

    def file(self, scope: str, system: System, project: Path) -> Path | None:
        """Where the entry of this scope stands: the first of its places that is there, else the first; None where this
        system has none."""
        by_system = self.paths.get(scope, {})
        patterns = by_system.get(system.name) or by_system.get("any") or ()
        places = [place for pattern in patterns if (place := system.place(pattern, project, self.own)) is not None]
        return next((place for place in places if place.exists()), places[0] if places else None)

    def key(self, scope: str, project: Path) -> tuple[str, ...]:
        """The names that lead to the servers of this scope."""
        return tuple(part.format(project=project) if "{" in part else part for part in self.keys[scope])

    def entry(self, scope: str, command: str, args: Sequence[str]) -> dict[str, Any]:
        """What is written for a server that is started as `command` with `args`."""
        filled = _filled(self.entries[scope], command, args)
        assert isinstance(filled, dict)
        return filled


def _filled(value: Any, command: str, args: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, command, args) for name, each in value.items()}
    if isinstance(value, list):
        listed: list[Any] = []
        for each in value:
            listed += list(args) if each == "{*args}" else [_filled(each, command, args)]
        return listed
    if value == "{command}":
        return command
    return list(args) if value == "{args}" else value


@cache
def clients() -> tuple[Client, ...]:
    """All that are known, in the order of the table."""
    text = (files("detent_cli.assistants") / "clients.toml").read_text(encoding="utf-8")
    return tuple(_client(name, table) for name, table in tomllib.loads(text).items())


def _client(name: str, table: dict[str, Any]) -> Client:
    paths = {scope: table[scope] for scope in SCOPES if scope in table}
    return Client(
        name,
        table["name"],
        table.get("format", "json"),
        tuple(table.get("commands", ())),
        tuple(table.get("marks", ())),
        table.get("strict", False),
        table.get("home"),
        paths,
        {scope: tuple(table.get(f"{scope}_key", table["key"])) for scope in paths},
        {scope: table.get(f"{scope}_entry", table["entry"]) for scope in paths},
    )


def client_named(name: str) -> Client:
    """The client of that id. Errors: `InvalidOptions` with near ids."""
    for client in clients():
        if client.id == name:
            return client
    raise InvalidOptions(near_names("client", name, [client.id for client in clients()]))
