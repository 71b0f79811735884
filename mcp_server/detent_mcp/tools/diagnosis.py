"""Why a run failed or does not run."""

from __future__ import annotations

from typing import Any, TypeGuard

from ..call import Call
from ..next_calls import next_call, steps_of
from ..results import at, row, took
from ..run_text import MESSAGE, asked_run, attempt_lines
from ..tool import tool
from ..untrusted import mark_present, shown_text

__all__ = ["diagnose_run"]

#: Frames that are shown, the innermost; characters of a line of source; runs, slow spans and next steps that are named.
_FRAMES, _LINE, _RUNS, _SLOW, _STEPS = 4, 160, 3, 3, 4


@tool(
    "diagnose_run",
    "Why a run failed, waits or does not start, in one call: verdict, error with the user's source lines, attempts, "
    "what it waits for, slowest spans, the same failure elsewhere, what to do. Use first for any 'why'.",
    title="Diagnose run",
    needs="diagnosis:read",
)
async def diagnose_run(call: Call, *, run: str) -> dict[str, Any]:
    run = asked_run(run)
    found = await call.ask("runs.diagnosis", id=run)
    told = row(
        run=found["id"],
        task=found["task"],
        status=found["status"],
        verdict=found["verdict"],
        why=shown_text(found["summary"], 600),
        error=_error(found["error"]),
        attempts=attempt_lines(found["attempts"]),
        attempts_left=found["attempts_left"],
        waiting_for=[_blocker(blocker) for blocker in found["waiting_for"][: _RUNS * 3]],
        slowest=[_slow(span) for span in found["slowest"][:_SLOW]],
        similar=_similar(found["similar"]),
        next=steps_of(call, found, with_group=_is_elsewhere(found["similar"]))[:_STEPS]
        or [next_call(call, "get_run_details", run=run)],
    )
    return mark_present(told, "why", "error", "attempts", "waiting_for", "slowest")


def _error(error: dict[str, Any] | None) -> dict[str, Any] | None:
    if error is None:
        return None
    frames = error["frames"][-_FRAMES:]
    left_out = error.get("frames_left_out", 0) + len(error["frames"]) - len(frames)
    return row(
        type=shown_text(error["type"], 120),
        message=shown_text(error["message"], MESSAGE),
        frames=[_frame(frame) for frame in frames],
        frames_before=left_out or None,
        library_frames_after=error.get("folded") or None,
    )


def _frame(frame: dict[str, Any]) -> dict[str, Any]:
    inside = f" in {frame['function']}" if frame.get("function") else ""
    source = frame.get("source")
    told: dict[str, Any] = {"at": shown_text(f"{frame['file']}:{frame['line']}{inside}", 300)}
    if source is None or not source["lines"]:
        said = {"changed": "the file has another text there now", "missing": "the file is gone"}
        note = said.get(source["state"]) if source is not None else None
        return told | row(code=shown_text(frame.get("code", ""), _LINE), note=note)
    lines = [
        f"{'>' if number == frame['line'] else ' '}{number} {shown_text(line, _LINE)}"
        for number, line in enumerate(source["lines"], start=source["first_line"])
    ]
    note = "the file was written since" if source["state"] == "may_have_changed" else None
    return told | row(source="\n".join(lines), note=note)


def _blocker(blocker: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in blocker.items() if name not in _LIVES}
    for name in ("reason", "expected", "received", "key"):
        if told.get(name) is not None:
            told[name] = shown_text(told[name], 300)
    limit = blocker.get("limit")
    return row(
        **told,
        since=at(blocker.get("since")),
        until=at(blocker.get("until")),
        running=None if limit is None else f"{blocker['running']} of {limit}",
        held_by=[f"{holder['id']} ({holder['task']})" for holder in (blocker.get("held_by") or ())[:_RUNS]],
        near_names=blocker.get("known"),
        workers=blocker.get("connected"),
    )


#: What of a blocker is told otherwise, or not at all: whoever has the callback of a token can complete it.
_LIVES = frozenset({"callback", "since", "until", "limit", "running", "held_by", "known", "connected"})


def _slow(span: dict[str, Any]) -> str:
    own, total = took(span["self_ms"]), took(span["total_ms"])
    whole = "" if own == total else f" of {total}"
    return f"{own}{whole} {shown_text(span['name'], 60)}" + (", goes on" if span["goes_on"] else "")


def _is_elsewhere(similar: dict[str, Any] | None) -> TypeGuard[dict[str, Any]]:
    """Whether other runs have met the problem."""
    return similar is not None and (similar["count"] > 0 or (similar.get("total") or 0) > 1)


def _similar(similar: dict[str, Any] | None) -> dict[str, Any] | None:
    if not _is_elsewhere(similar):
        return None
    return row(
        count=similar["count"],
        first=at(similar["first_at"]),
        last=at(similar["last_at"]),
        tasks=similar["tasks"][:_RUNS],
        runs=similar["runs"][:_RUNS],
        group=similar["fingerprint"],
        total=similar.get("total"),
        state=similar.get("status"),
    )
