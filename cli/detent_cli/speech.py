"""`detent demo` and `detent tts`: the text-to-speech fan-out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detent_cli.options import AsJson

__all__ = ["demo", "tts"]


def demo(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where the MP3 goes.", dir_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Turn a long text into one MP3 with the real engine, offline, and show how that went."""
    from detent.tts.demo import run_demo

    raise typer.Exit(run_demo(out=out, json=as_json))


def tts(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A text file, or - for standard input.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the MP3 goes.", dir_okay=False)],
    voice: Annotated[str | None, typer.Option(metavar="NAME", help="Who speaks.")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The speech model.")] = None,
    speed: Annotated[float | None, typer.Option(metavar="FACTOR", help="1 is as usual.")] = None,
    instructions: Annotated[str | None, typer.Option(metavar="TEXT", help="How it should be spoken.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Speak it anew: reuse no finished chunk.")] = False,
    as_json: AsJson = False,
) -> None:
    """Turn a text into one MP3: split, spoken in parallel, joined without a seam."""
    from detent.tts.command import run_tts

    status = run_tts(
        file=file,
        out=out,
        voice=voice,
        model=model,
        speed=speed,
        instructions=instructions,
        again=again,
        json=as_json,
    )
    raise typer.Exit(status)
