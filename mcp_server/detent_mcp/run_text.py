"""What is known of a run, in as few words as say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from detent.model.frames import frames_of

from .refusals import Refusal
from .results import at, row, took
from .trace_lines import milliseconds
from .untrusted import shown, shown_text

__all__ = ["asked_run", "attempt_lines", "error_of", "in_project", "run_facts", "value_of"]

#: Characters of a message, of the end of a traceback, of the error of an attempt; attempts that are shown, the last.
MESSAGE, TRACEBACK, _SHORT, _ATTEMPTS = 1_500, 700, 120, 10
#: Places in the user's code that are named, the innermost.
_FRAMES = 3
_LONGEST_ID = 100

Run = Mapping[str, Any]


def asked_run(run: str) -> str:
    """The id of the run that is asked for, also out of its address. Errors: `Refusal` for what is no id at all."""
    named = run.strip().removeprefix("run://").strip()
    if not named or "/" in named or len(named) > _LONGEST_ID:
        shown = named if len(named) <= _LONGEST_ID else f"{named[:_LONGEST_ID]}…"
        raise Refusal(
            f"{shown!r} is no id of a run: they are such as run_0199f0c1d2e3a4b5c6d7e8f901234567",
            next="list_runs() shows the latest runs",
            code="not_found",
        )
    return named


def run_facts(run: Run) -> dict[str, Any]:
    """All of a run but payload, output, metadata, error and attempts. What is as it usually is, is left out."""
    allowed, number = run.get("max_attempts"), run.get("attempt", 1)
    children = Counter(child["status"] for child in run.get("children", ()))
    total = run.get("children_total", 0)
    root = run.get("root_id")
    return row(
        run=run["id"],
        task=run["task"],
        status=run["status"],
        created=at(run["created_at"]),
        waited=_waited(run),
        took=took(run.get("duration_ms")),
        attempt=None if number <= 1 and not run.get("error") else f"{number} of {allowed}" if allowed else str(number),
        queue=None if run["queue"] in {run["task"], f"task/{run['task']}"} else run["queue"],
        concurrency_key=run.get("concurrency_key"),
        tags=run.get("tags"),
        priority=run.get("priority") or None,
        machine=run.get("machine"),
        version=run.get("version"),
        max_duration=took(run.get("max_duration_ms")),
        ttl=took(run.get("ttl_ms")),
        starts=at(run.get("delay_until")),
        parent=run.get("parent_id"),
        root=root if root not in {run.get("parent_id"), run["id"]} else None,
        batch=run.get("batch_id"),
        schedule=run.get("schedule_id"),
        replay_of=run.get("replay_of"),
        replays=[each["id"] for each in run.get("related", {}).get("replays", ())][:5],
        children=None
        if not total
        else {**children, "total": total}
        if total > len(run["children"])
        else dict(children),
        not_running=_said(run.get("not_running")),
        paused=_said(run.get("paused")),
    )


def error_of(error: Mapping[str, Any] | None, folder: Path | None = None) -> dict[str, Any] | None:
    """An error with the last places in the user's own code; with the end of its traceback where there are none.

    Parameters:
      folder: that of the project, which paths are shortened by.
    """
    if error is None:
        return None
    trace = error.get("traceback") or ""
    own = [frame for frame in frames_of(trace) if frame.is_own][-_FRAMES:]
    end = "" if own else trace if len(trace) <= TRACEBACK else f"…{trace[-TRACEBACK:]}"
    places = [f"{in_project(frame.file, folder)}:{frame.line} in {frame.function}: {frame.code}" for frame in own]
    return row(
        type=shown_text(error["type"], 120),
        message=shown_text(error["message"], MESSAGE),
        at=[shown_text(place, 250) for place in places],
        traceback=shown_text(end, TRACEBACK + 1),
    )


def in_project(file: str, folder: Path | None) -> str:
    """A path as people of the project call it."""
    path = Path(file)
    return path.relative_to(folder).as_posix() if folder is not None and path.is_relative_to(folder) else file


def attempt_lines(attempts: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each attempt, where there was more than one: number, outcome, duration, error. An error that is that
    of the attempt before is not said again."""
    if len(attempts) <= 1:
        return []
    lines: list[str] = []
    before = ""
    for attempt in attempts[-_ATTEMPTS:]:
        error = attempt.get("error")
        said = "" if error is None else shown_text(f"{error['type']}: {error['message']}", _SHORT)
        lasted = ""
        if attempt.get("started_at"):
            lasted = took(milliseconds(attempt["started_at"], attempt.get("finished_at"))) or ""
        parts = [
            str(attempt["number"]),
            attempt.get("outcome") or "goes on",
            lasted,
            "same error" if said and said == before else said,
        ]
        lines.append(" ".join(part for part in parts if part))
        before = said
    left_out = len(attempts) - len(lines)
    return [f"{left_out} before these", *lines] if left_out else lines


def value_of(name: str, run: Run, cut: Mapping[str, Any] | None, most: int, rest: str) -> Any:
    """A payload, an output or metadata: whole while its JSON has at most `most` characters, else its beginning and the
    call that gives the rest, which `rest` begins."""
    if cut is None:
        value = shown(run[name], most)
        if not isinstance(value, dict) or set(value) != {"cut_json", "characters"}:
            return value
        text, characters = value["cut_json"], value["characters"]
    else:
        text, characters = shown_text(cut["text"][:most], most), cut["characters"]
    return {"cut_json": text, "characters": characters, "rest": f"{rest}, start={len(text)})"}


def _waited(run: Run) -> str | None:
    """How long it was queued before its first start, where that is worth a word."""
    if not run.get("started_at"):
        return None
    ms = milliseconds(run["created_at"], run["started_at"])
    return f"{took(ms)} before it started" if ms >= 1_000 else None


def _said(part: Mapping[str, Any] | None) -> str | None:
    return None if part is None else shown_text(part.get("message", ""), 300)
