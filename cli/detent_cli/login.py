"""`detent login`: a server is told who one is, by a code that a person agrees to, or by a key."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from detent_cli.options import AsJson

__all__ = ["login"]


def login(
    *,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The server; that of the profile unless given.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="What to call it; the server's name unless given.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="KEY", help="Use this key, - for standard input; nobody is asked."),
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Print the codes as JSON and leave; --device-code goes on.")
    ] = False,
    device_code: Annotated[
        str | None, typer.Option("--device-code", metavar="CODE", help="Go on with a log-in that --no-wait began.")
    ] = None,
    approve: Annotated[
        str | None, typer.Option("--approve", metavar="CODE", help="Let the device that shows this code log in as you.")
    ] = None,
    deny: Annotated[bool, typer.Option("--deny", help="With --approve: refuse it instead.")] = False,
    email: Annotated[
        str | None, typer.Option("--email", metavar="EMAIL", help="With --approve on the server's machine: as whom.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Log in to a server. A code is shown, and a person who is logged in, or the owner on the server's machine, agrees
    to it with `detent login --approve CODE`. The project's own engine needs no log-in.

    detent login --url https://detent.example.com

    echo $KEY | detent login --url https://detent.example.com --token -
    """
    from detent.errors import InvalidOptions

    ways = {"--token": token, "--device-code": device_code, "--approve": approve}
    chosen = [name for name, value in ways.items() if value is not None]
    if len(chosen) > 1:
        raise InvalidOptions(f"{chosen[0]} and {chosen[1]} are two ways to log in; choose one")
    if (deny or email is not None) and approve is None:
        raise InvalidOptions(f"{'--deny' if deny else '--email'} needs --approve CODE")
    if approve is not None:
        _approve(approve, email, deny, as_json)
        return
    from detent_cli import logging_in

    name = profile or os.environ.get("DETENT_PROFILE")
    if device_code is not None:
        code = sys.stdin.readline().strip() if device_code == "-" else device_code
        logging_in.go_on(code, logging_in.begun(code, url, name), wait=not no_wait, as_json=as_json)
        return
    where = logging_in.target(url, name)
    if token is not None:
        logging_in.come_in(where, _read_key(token), issued=False, as_json=as_json)
        return
    logging_in.begin(where, wait=not no_wait, as_json=as_json)


def _read_key(given: str) -> str:
    from detent.errors import InvalidOptions

    if given != "-":
        return given
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass("key: ").strip()
    key = sys.stdin.readline().strip()
    if not key:
        raise InvalidOptions("--token - expects a key on standard input, and nothing came")
    return key


def _approve(code: str, email: str | None, deny: bool, as_json: bool) -> None:
    from detent_cli.project import connected

    with connected() as client:
        decision = client.auth.approve_login(code, email=email, deny=deny)
    if as_json:
        from detent_cli.console import print_json

        print_json(decision)
        return
    from detent_cli.styles import one_line

    what = decision.code + (f", {one_line(decision.client)}," if decision.client else "")
    typer.echo(f"{what} is {'logged in' if decision.approved else 'refused'}.", err=True)
