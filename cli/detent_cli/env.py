"""`detent env`: the environment variables that workers are given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from detent.model.variable_views import Variable

__all__ = ["app"]

Name = Annotated[str, typer.Argument(metavar="NAME", help="The variable's name.")]

app = new_app("Environment variables: secrets and settings that workers are given.")


@app.command("list", short_help="The variables, without the values of secrets.")
def list_variables(as_json: AsJson = False) -> None:
    """The variables of the environment by name. The value of a secret is never shown."""
    with connected() as client:
        found = client.envvars.list()
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": found})
    elif found:
        _print_table(found)
    else:
        typer.echo("No variables yet: make one with `detent env set NAME`.", err=True)


@app.command("get", short_help="One variable; the value where it is no secret.")
def get_variable(name: Name, as_json: AsJson = False) -> None:
    """Print the value of a variable that is no secret. That of a secret can be written, never read."""
    with connected() as client:
        found = client.envvars.retrieve(name)
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
    elif found.value is None:
        typer.echo(f"{found.name} is a secret: its value is given to workers and shown to nobody.", err=True)
    else:
        from detent_cli.console import clean

        typer.echo(clean(found.value))


@app.command("set", short_help="Make or change a variable; the value is asked for.")
def set_variable(
    variable: Annotated[
        str, typer.Argument(metavar="NAME[=VALUE]", help="The name; without =VALUE the value is asked for, or read.")
    ],
    *,
    secret: Annotated[
        bool | None,
        typer.Option(
            "--secret/--plain", help="Whether its value is hidden for ever; a new one is a secret unless --plain."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make or change a variable. The value is asked for, or read from standard input when that is no terminal.

    detent env set OPENAI_API_KEY < key.txt
    """
    name, has_value, value = variable.partition("=")
    if not has_value:
        value = _asked(name)
    elif secret is not False:
        typer.echo("warning: a secret on the command line stays in the shell's history; leave =VALUE out", err=True)
    with connected() as client:
        saved = client.envvars.update(name, value, is_secret=secret)
    if as_json:
        from detent_cli.console import print_json

        print_json(saved)
        return
    typer.echo(f"{saved.name} {'made' if saved.created else 'changed'}{' (secret)' if saved.is_secret else ''}")
    typer.echo(saved.note, err=True)


@app.command("unset", short_help="Remove a variable.")
def unset_variable(name: Name, as_json: AsJson = False) -> None:
    """Remove a variable."""
    with connected() as client:
        client.envvars.delete(name)
    if as_json:
        from detent_cli.console import print_json

        print_json({"name": name, "removed": True})
    else:
        typer.echo(f"{name} removed")


@app.command("import", short_help="Write the variables of a .env file.")
def import_variables(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .env file, or - for standard input.")] = ".env",
    *,
    override: Annotated[bool, typer.Option("--override", help="Change those that are there already.")] = False,
    secret: Annotated[bool, typer.Option("--secret/--plain", help="Whether their values are hidden for ever.")] = True,
    as_json: AsJson = False,
) -> None:
    """Write the variables of a .env file, all or none. Those that are there already are left as they are.

    detent env import .env.production --override
    """
    text = _file(file)
    with connected() as client:
        done = client.envvars.upload(text, override=override, is_secret=secret)
    if as_json:
        from detent_cli.console import print_json

        print_json(done)
        return
    typer.echo(f"{len(done.created)} made, {len(done.updated)} changed, {len(done.skipped)} left as they are")
    if done.skipped:
        typer.echo(f"Left: {', '.join(done.skipped)}; change them with --override.", err=True)
    typer.echo(done.note, err=True)


def _asked(name: str) -> str:
    if sys.stdin.isatty():
        answer: str = typer.prompt(f"Value of {name}", hide_input=True, err=True)
        return answer
    # The end of a line that `echo` adds is no part of a key.
    return _decoded(sys.stdin.buffer.read(), "standard input").removesuffix("\n").removesuffix("\r")


def _file(file: str) -> str:
    if file == "-":
        return _decoded(sys.stdin.buffer.read(), "standard input")
    try:
        return _decoded(Path(file).expanduser().read_bytes(), file)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="FILE") from None


def _decoded(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{source} is not UTF-8 text: byte {error.start} cannot be read") from None


def _print_table(found: list[Variable]) -> None:
    from rich.table import Table

    from detent_cli.console import clean, stdout

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("NAME", no_wrap=True)
    table.add_column("VALUE", overflow="ellipsis", no_wrap=True)
    table.add_column("UPDATED", no_wrap=True)
    for variable in found:
        value = "(secret)" if variable.value is None else clean(variable.value).replace("\n", "\\n")
        value += "  (from preview)" if variable.inherited else ""
        table.add_row(variable.name, value, f"{variable.updated_at:%Y-%m-%d %H:%M}")
    stdout().print(table)
