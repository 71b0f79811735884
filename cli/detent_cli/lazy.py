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

__all__ = ["LazyCommand", "LazyGroup", "QuickGroup", "new_app", "register"]

SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyCommand(NamedTuple):
    """Where a command lives: `attribute` of `module` is a function, or a `typer.Typer` with commands of its
    own. `help` is the line in the list of commands."""

    module: str
    attribute: str
    help: str


_homes: dict[str, LazyCommand] = {}


class QuickGroup(TyperGroup):
    """A group that checks its own options only where some are given.

    Typer checks values by Pydantic, which takes 0.2 s to import, also those of options that were left out.
    """

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if not args or args[0].startswith("-"):
            return super().parse_args(ctx, args)
        kept = self.params, self.add_help_option
        self.params, self.add_help_option = [], False
        try:
            return super().parse_args(ctx, args)
        finally:
            self.params, self.add_help_option = kept


class LazyGroup(QuickGroup):
    """A group whose registered commands stand in for the real ones, which are loaded when one is called."""

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, _load(name) if name in _homes else stand_in, rest


def new_app(
    help: str | None = None, *, cls: type[TyperGroup] = QuickGroup, add_completion: bool = False
) -> typer.Typer:
    """A `typer.Typer` in the manner of the house: plain help, which needs no rich."""
    return typer.Typer(
        help=help,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings=SETTINGS,
        cls=cls,
        add_completion=add_completion,
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
