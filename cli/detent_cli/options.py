"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["AsJson", "RunId"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunId = Annotated[
    str,
    typer.Argument(metavar="RUN", help="The run's id, the beginning of it that no other has, or: latest."),
]
