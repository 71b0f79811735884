"""What `detent init` offers once the folder is a project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from detent.errors import DetentError

__all__ = ["OFFERS", "Offer", "take_offers"]


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that a person may want beside the files.

    `command`: what does the same later. `fits`: asks whether it is worth asking, given the project's folder; the answer
    is what the question names, None for no. `take`: does it.
    """

    question: str
    command: str
    fits: Callable[[Path], str | None]
    take: Callable[[Path], None]


def _assistants(root: Path) -> str | None:
    from detent_cli.assistants.clients import clients
    from detent_cli.assistants.places import here

    system = here()
    return ", ".join(client.name for client in clients() if client.is_here(system, root)) or None


def _install_mcp(root: Path) -> None:
    from detent_cli.install_mcp import install_mcp

    install_mcp(project=str(root.resolve()))


OFFERS = (Offer("Connect {} with detent by its MCP server?", "detent install-mcp", _assistants, _install_mcp),)


def take_offers(root: Path) -> list[str]:
    """Ask for each offer that fits, and do those that are wanted.

    Returns:
      The commands of those that were not, or could not be done.
    """
    later = []
    for offer in OFFERS:
        what = offer.fits(root)
        if what is None:
            continue
        typer.echo()
        if not typer.confirm(offer.question.format(what), default=False):
            later.append(offer.command)
            continue
        try:
            offer.take(root)
        except (DetentError, typer.BadParameter, typer.Exit) as error:
            # The folder is a project all the same.
            said = error.message if isinstance(error, DetentError | typer.BadParameter) else ""
            typer.echo(f"Not done{': ' + said if said else ''}", err=True)
            later.append(offer.command)
    return later
