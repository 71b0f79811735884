"""What `detent init` offers once the folder is a project: assistants that are connected with detent and know it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import typer

from detent.errors import DetentError

__all__ = ["OFFERS", "Offer", "do_offers", "take_offers"]


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that a person may want beside the files.

    `command`: what does the same later. `take`: does it in the project's folder, and may ask; `do`: does it without a
    question.
    """

    command: str
    take: Callable[[Path], None]
    do: Callable[[Path], None]


def _install_mcp(root: Path) -> None:
    from detent_cli.install_mcp import install_mcp

    with chdir(root):
        install_mcp()


def _install_mcp_everywhere(root: Path) -> None:
    from detent_cli.install_mcp import install_mcp

    with chdir(root):
        install_mcp(everything=True, yes=True)


def _add_skills(root: Path) -> None:
    from detent_cli.skills import add

    with chdir(root):
        add()


def _install_rules(root: Path) -> None:
    from detent_cli.install_rules import install_usual

    install_usual(root)


#: By the names of the flags of `detent init`.
OFFERS = {
    "mcp": Offer("detent install-mcp", _install_mcp, _install_mcp_everywhere),
    "skills": Offer("detent skills add", _add_skills, _add_skills),
    "rules": Offer("detent install-rules", _install_rules, _install_rules),
}


def take_offers(root: Path, taken: Sequence[str] = ()) -> list[str]:
    """Where there are assistants, ask for the offers that are not `taken` already, and do them if they are wanted.

    Returns:
      The commands of those that were not, or could not be done.
    """
    there = _assistants(root)
    left = {name: offer for name, offer in OFFERS.items() if name not in taken}
    if not there or not left:
        return []
    typer.echo()
    if not typer.confirm(f"Connect {there} with detent ({', '.join(left)})?", default=False):
        return [offer.command for offer in left.values()]
    return [offer.command for offer in left.values() if not _done(offer, offer.take, root)]


def do_offers(root: Path, names: Sequence[str]) -> list[str]:
    """Do the offers of these names without a question.

    Returns:
      The commands of those that could not be done.
    """
    return [OFFERS[name].command for name in names if not _done(OFFERS[name], OFFERS[name].do, root)]


def _assistants(root: Path) -> str:
    from detent_cli.assistants.clients import clients
    from detent_cli.assistants.places import here

    system = here()
    return ", ".join(client.name for client in clients() if client.is_here(system, root))


def _done(offer: Offer, act: Callable[[Path], None], root: Path) -> bool:
    try:
        act(root)
    except (DetentError, typer.BadParameter, typer.Exit) as error:
        # The folder is a project all the same.
        said = error.message if isinstance(error, DetentError | typer.BadParameter) else ""
        typer.echo(f"Not done: {offer.command}{': ' + said if said else ''}", err=True)
        return False
    return True
