"""`detent tts`: a text of one's own into an MP3 file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from detent.errors import DetentError
from detent.tts.aloud import check_out, consoles, read_aloud, say, voice_of
from detent.tts.local import Serve
from detent.tts.speech import request_of
from detent.tts.text_files import read_text
from detent.tts.voices.offline import MODEL as OFFLINE

__all__ = ["run_tts"]


def run_tts(
    *,
    serve: Serve,
    file: str,
    out: Path,
    voice: str | None = None,
    model: str | None = None,
    speed: float | None = None,
    instructions: str | None = None,
    offline: bool = False,
    again: bool = False,
    json: bool = False,
    folder: Path | None = None,
) -> int:
    """Speak the text of `file` (``-``: standard input) into `out`. The exit status.

    Parameters:
      serve: runs engine and workers of a project (see `detent.tts.local.Serve`).
      voice, model, speed, instructions: see `detent.tts.voices.pick_voice`. `offline`: the model ``offline``.
      again: speak it anew, even if the same voice spoke it before.
      json: one JSON document on standard output, everything else on standard error.
      folder: the project to work in, which is made; ``detent/speech`` in the user's cache when None. A text that
        was spoken once is found there again.
    """
    console = consoles(as_json=json)
    wishes: dict[str, Any] = {"speed": speed} if speed is not None else {}
    try:
        check_out(out)
        request = request_of(
            text=read_text(file),
            voice=voice,
            model=OFFLINE if offline else model,
            instructions=instructions,
            again=again,
            **wishes,
        )
        say(console, voice_of(request))
        return read_aloud(serve, (folder or _cache()).absolute(), request, out.absolute(), console, as_json=json)
    except DetentError as error:
        say(console, f"error: {error}")
        return 1


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "detent" / "speech"
