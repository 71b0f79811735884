"""`detent demo`: a long text becomes one MP3 file through the real engine, with nothing but what is installed."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from detent.errors import DetentError
from detent.tts.aloud import check_out, consoles, read_aloud, say, voice_of
from detent.tts.local import Serve
from detent.tts.speech import request_of
from detent.tts.text_files import read_text
from detent.tts.voices.offline import MODEL as OFFLINE

__all__ = ["run_demo"]

_FOLDER = "detent-demo"


def run_demo(
    *,
    serve: Serve,
    text: str | None = None,
    out: Path | None = None,
    offline: bool = False,
    again: bool = False,
    json: bool = False,
    folder: Path | None = None,
) -> int:
    """Speak a text, show how, and say what to try next. The exit status.

    Parameters:
      serve: runs engine and workers of a project (see `detent.tts.local.Serve`).
      text: a file to speak instead of the bundled text; ``DETENT_DEMO_TEXT`` when None.
      out: where the MP3 goes; ``speech.mp3`` in the folder when None.
      offline: take the offline voice, whatever keys are set. `again`: speak anew what was spoken before.
      json: one JSON document on standard output, everything else on standard error.
      folder: the demo's project, which is made; ``detent-demo`` in the current folder when None.
    """
    console = consoles(as_json=json)
    folder = (folder or Path.cwd() / _FOLDER).absolute()
    named = text or os.environ.get("DETENT_DEMO_TEXT")
    try:
        if out is not None:
            check_out(out)
        words = read_text(named) if named else _bundled()
        request = request_of(text=words, model=OFFLINE if offline else None, again=again)
        say(
            console,
            f"{len(words):,} characters of {named or 'a bundled text'}, into {os.path.relpath(folder)}/",
            voice_of(request),
        )
        path = (out or folder / "speech.mp3").absolute()
        status = read_aloud(serve, folder, request, path, console, as_json=json)
    except DetentError as error:
        say(console, f"error: {error}")
        return 1
    if status == 0 and not json:
        say(console, *_next_steps(folder))
    return status


def _bundled() -> str:
    return files("detent.tts").joinpath("texts/demo.txt").read_text("utf-8")


def _next_steps(folder: Path) -> tuple[str, ...]:
    steps = (
        ("detent demo --text BOOK.txt", "a text of your own"),
        ("detent tts NOTES.txt --out notes.mp3", "without the show"),
        (f"cd {os.path.relpath(folder)} && detent runs list", "what ran; then: detent runs get RUN"),
        ("detent init", "a project with a first task of yours"),
    )
    width = max(len(command) for command, _ in steps)
    return (
        "",
        "What to try next:",
        "  kill it while it speaks (kill -9, all of it) and run it again: it goes on where it was",
        *(f"  {command.ljust(width)}   {what}" for command, what in steps),
    )
