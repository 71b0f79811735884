"""`detent query`: questions in SQL."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from detent.model.query_views import QueryResult, QuerySchema

__all__ = ["query"]


def query(
    sql: Annotated[str | None, typer.Argument(metavar="SQL", help="One SELECT; - for standard input.")] = None,
    *,
    schema: Annotated[bool, typer.Option("--schema", help="Print the views and their columns.")] = False,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Most rows, at most 10,000.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a line of names.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read-only SQL over the views runs, attempts, spans and logs.

    detent query "SELECT task, count(*) AS failed FROM runs WHERE status = 'FAILED' GROUP BY task"
    """
    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json")
    if schema == (sql is not None):
        raise typer.BadParameter("give one SELECT, or --schema to see what there is")
    with connected() as client:
        if sql is None:
            _print_schema(client.query_schema(), as_json=as_json)
            return
        answer = client.query(sys.stdin.read() if sql == "-" else sql, limit=limit)
    if as_json:
        from detent_cli.console import print_json

        print_json(answer)
    elif as_csv:
        import csv

        # Cells are data: nothing in them is made safe for programs that take a text for a formula.
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows(answer.rows)
    else:
        _print_table(answer)
    if answer.is_cut:
        typer.echo(f"There are more than {len(answer.rows):,} rows; ask for less.", err=True)


def _print_table(answer: QueryResult) -> None:
    from rich.table import Table

    from detent_cli.console import clean, stdout
    from detent_cli.styles import one_line

    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, name in enumerate(answer.columns):
        is_number = bool(answer.rows) and all(isinstance(row[place], int | float | None) for row in answer.rows)
        table.add_column(clean(name), justify="right" if is_number else "left", overflow="fold")
    for row in answer.rows:
        table.add_row(*("-" if value is None else one_line(value) for value in row))
    stdout().print(table)
    if not answer.rows:
        typer.echo("No rows.", err=True)


def _print_schema(found: QuerySchema, *, as_json: bool) -> None:
    from detent_cli.console import print_json, stdout

    if as_json:
        print_json(found)
        return
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    for view in found.views:
        console.print(Text(view.name, style="bold").append(f"  {view.description}", style="dim"))
        table = Table(box=None, show_header=False, pad_edge=False)
        for column in view.columns:
            table.add_row(f"  {column.name}", column.type, Text(column.description, style="dim"))
        console.print(table)
