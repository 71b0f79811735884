"""Commands that are imported when they are called: help and completion of names need none of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from typer._click import Command, Context

__all__ = ["LazyCommand", "LazyGroup", "new_app", "register"]

SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyCommand(NamedTuple):
    """Where a command lives: `attribute` of `module` is a function, or a `typer.Typer` with commands of its
    own. `help` is the line in the list of commands."""

    module: str
    attribute: str
    help: str


_homes: dict[str, LazyCommand] = {}


class LazyGroup(TyperGroup):
    """A group whose registered commands stand in for the real ones, which are loaded when one is called."""

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, _load(name) if name in _homes else stand_in, rest


def new_app(help: str | None = None, **settings: Any) -> typer.Typer:
    """A `typer.Typer` in the manner of the house: plain help, which needs no rich."""
    return typer.Typer(
        help=help,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings=SETTINGS,
        **({"add_completion": False} | settings),
    )


def register(app: typer.Typer, commands: dict[str, LazyCommand]) -> None:
    """Let `app`, whose class is `LazyGroup`, know `commands` by name."""
    for name, home in commands.items():
        app.command(name, help=home.help)(_stand_in)
        _homes[name] = home


def _stand_in() -> None:
    """Never called: `LazyGroup` puts the real command in its place."""


def _load(name: str) -> Command:
    home = _homes[name]
    found: typer.Typer | Callable[..., Any] = getattr(import_module(home.module), home.attribute)
    if not isinstance(found, typer.Typer):
        app = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=SETTINGS)
        app.command(name, help=found.__doc__, no_args_is_help=False)(found)
        found = app
    command: Command = get_command(found)
    command.name = name
    return command
