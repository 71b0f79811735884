"""`detent demo` and `detent tts`: the text-to-speech fan-out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detent_cli.options import AsJson

if TYPE_CHECKING:
    from detent.dev import LocalService

__all__ = ["demo", "tts"]

Offline = Annotated[bool, typer.Option("--offline", help="Take the offline voice, whatever keys are set.")]
Again = Annotated[bool, typer.Option("--again", help="Speak it anew: reuse no finished chunk.")]


def demo(
    *,
    text: Annotated[
        str | None, typer.Option(metavar="FILE", help="A text of yours instead of the bundled one.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where the MP3 goes.")] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The demo's project; ./detent-demo unless set.")
    ] = None,
    offline: Offline = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Turn a long text into one MP3 with the real engine, and show how that went."""
    from detent.tts.demo import run_demo

    status = run_demo(serve=_serve, text=text, out=out, folder=folder, offline=offline, again=again, json=as_json)
    raise typer.Exit(status)


def tts(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A text file, or - for standard input.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the MP3 goes.")],
    voice: Annotated[str | None, typer.Option(metavar="NAME", help="Who speaks.")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The speech model.")] = None,
    speed: Annotated[float | None, typer.Option(metavar="FACTOR", help="1 is as usual.")] = None,
    instructions: Annotated[str | None, typer.Option(metavar="TEXT", help="How it should be spoken.")] = None,
    offline: Offline = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Turn a text into one MP3: split, spoken in parallel, joined without a seam."""
    from detent.tts.command import run_tts

    status = run_tts(
        serve=_serve,
        file=file,
        out=out,
        voice=voice,
        model=model,
        speed=speed,
        instructions=instructions,
        offline=offline,
        again=again,
        json=as_json,
    )
    raise typer.Exit(status)


def _serve(root: Path) -> LocalService:
    """Engine and workers of the project in `root`, for as long as they are needed."""
    from detent.config import load_config
    from detent.dev import LocalService

    return LocalService(load_config(root))
