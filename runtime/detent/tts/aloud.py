"""One text, spoken at a terminal: found or started, shown, and written to a file."""

from __future__ import annotations

import json
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console

from detent import Detent, objects
from detent.errors import DetentError, InvalidOptions, NotFound, ProjectLocked, ServerUnreachable
from detent.tts.local import Serve, alone, make_project
from detent.tts.progress import follow, shown
from detent.tts.report import tree_of_run
from detent.tts.speech import Speech, SpeechRequest

__all__ = ["INTERRUPTED", "check_out", "consoles", "read_aloud", "say", "voice_of"]

#: What shells expect of a program that was interrupted.
INTERRUPTED = 130
_TASK = "tts-generate-audio"
_UNFINISHED = ("PENDING_VERSION", "DELAYED", "QUEUED", "DEQUEUED", "EXECUTING", "WAITING")
#: How often the service may be taken away, by another command on the same project that ends.
_SERVICES = 5


def consoles(*, as_json: bool) -> Console:
    """Where people read: standard output, or standard error while that is for a program."""
    stream = sys.stderr if as_json else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else 200
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def check_out(out: Path) -> None:
    """Refuse a file whose name promises another format than MP3. Raises `InvalidOptions`."""
    if out.suffix.lower() not in ("", ".mp3"):
        raise InvalidOptions(f"--out: {out.name} is not an .mp3; MP3 is the one format that is written")


def voice_of(request: SpeechRequest) -> str:
    """Who will speak, in a sentence for people."""
    name = request.speaker().name
    if name.startswith("offline/"):
        return f"voice: {name} (no account, no network; with OPENAI_API_KEY set a voice of OpenAI speaks)"
    return f"voice: {name} (OPENAI_API_KEY is set, so this costs money; --offline takes the voice that does not)"


def read_aloud(
    serve: Serve, folder: Path, request: SpeechRequest, out: Path, console: Console, *, as_json: bool
) -> int:
    """Speak the text into `out`, in the project in `folder`. A run of the same text that has not ended is continued.

    Returns 0, 1 when the run failed, 130 after Ctrl-C: the run stays, and the same call continues it.
    """
    told: set[str] = set()
    with alone(folder):
        make_project(folder)
        for left in reversed(range(_SERVICES)):
            try:
                with serve(folder) as service:
                    client = Detent(service.transport)
                    run_id = _found(client, request) or _started(client, request)
                    return _to_the_end(client, run_id, out, console, told, as_json=as_json)
            except (ServerUnreachable, ProjectLocked):
                if not left:
                    raise
                console.print("the server that another command had started is gone; going on with one of our own")
    raise AssertionError("the last service either answers or raises")


def _tag(request: SpeechRequest) -> str:
    """What runs of the same text by the same voice have in common."""
    return "speech:" + sha256(json.dumps([request.speaker().name, request.text]).encode()).hexdigest()[:24]


def _found(client: Detent, request: SpeechRequest) -> tuple[str, bool] | None:
    runs = client.runs.list(task=_TASK, tag=_tag(request), status=_UNFINISHED, limit=1).page().items
    return (runs[0].id, True) if runs else None


def _started(client: Detent, request: SpeechRequest) -> tuple[str, bool]:
    payload = request.model_dump(mode="json")
    return client.tasks.trigger(_TASK, payload, tags=[_tag(request)]).id, False


def _to_the_end(
    client: Detent, run: tuple[str, bool], out: Path, console: Console, told: set[str], *, as_json: bool
) -> int:
    run_id, was_there = run
    if run_id not in told:
        console.print(f"continuing {run_id}" if was_there else f"run {run_id}")
        told.add(run_id)
    try:
        with shown(console, told) as display:
            outcome = follow(client, run_id, display)
    except KeyboardInterrupt:
        say(
            console,
            f"stopped; {run_id} is left as it is, with all that was spoken: the same command continues it.",
            f"To give it up: DETENT_PROJECT_DIR={os.environ['DETENT_PROJECT_DIR']} detent runs cancel {run_id}",
        )
        return INTERRUPTED
    if not outcome.ok:
        reason = outcome.status if outcome.error is None else outcome.error.message
        say(console, f"{run_id} ended {outcome.status}: {reason}")
        _print_json(run_id, outcome.status, None, reason, as_json=as_json)
        return 1
    speech = Speech.model_validate(outcome.output)
    _copy(speech, out)
    if speech.reused:
        console.print("this text was spoken by this voice before; the file is reused (--again speaks it anew)")
    console.print(tree_of_run(client, run_id))
    chunks = f"{speech.chunks} chunk{'s' * (speech.chunks != 1)}"
    say(console, f"{out}  {_size(speech.size_bytes)}, {_length(speech.duration_s)}, {chunks}")
    _print_json(run_id, outcome.status, (out, speech), None, as_json=as_json)
    return 0


def say(console: Console, *lines: str) -> None:
    """Print lines that a terminal may wrap but nothing else does, so that they can be copied."""
    for line in lines:
        console.print(line, soft_wrap=True)


def _copy(speech: Speech, out: Path) -> None:
    """Write the file beside itself first: whoever watches `out` never sees half of it."""
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for piece in objects.store().get_stream(speech.key):
                file.write(piece)
        part.replace(out)
    except NotFound:
        raise
    except OSError as error:
        raise DetentError(
            f"{out} cannot be written: {error.strerror}; the speech is kept, so name another file in --out"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _print_json(
    run_id: str, status: str, made: tuple[Path, Speech] | None, error: str | None, *, as_json: bool
) -> None:
    if not as_json:
        return
    answer: dict[str, Any] = {"run_id": run_id, "status": str(status)}
    if made is not None:
        answer |= {"path": str(made[0]), **made[1].model_dump()}
    if error is not None:
        answer["error"] = error
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.0f} kB"


def _length(seconds: float) -> str:
    return f"{int(seconds // 60)} min {seconds % 60:.0f} s" if seconds >= 60 else f"{seconds:.1f} s"
