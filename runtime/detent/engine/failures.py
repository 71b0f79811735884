"""The error of a run as its author wants to see it: their own frames with the source around them, and where else the
same problem came up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from ..model.frames import TracedFrame, frames_of
from ..model.task_error import TaskError
from ..store import Store
from .error_groups import shown_status
from .fingerprint import fingerprint_of_text
from .source_lines import SourceFiles
from .views import iso

__all__ = ["cached_fingerprint", "error_report", "similar_failures"]

#: Frames of a user that are shown, the innermost ones; failures that are compared, and runs of them that are named.
FRAMES, COMPARED, NAMED = 20, 1_000, 5

_decode = msgspec.json.Decoder(TaskError).decode
#: `fingerprint_of_text`, remembered: the same failures are looked at again and again.
cached_fingerprint = lru_cache(maxsize=4_096)(fingerprint_of_text)


def error_report(text: str, sources: SourceFiles | None, ran_at: int | None) -> dict[str, Any]:
    """A stored error with its user's frames, outermost first.

    Parameters:
      sources: the project's files, where they are here. `ran_at`: since when the code was loaded, in milliseconds.
    """
    error = _decode(text)
    frames, folded = _folded(frames_of(error.traceback))
    cut = max(0, len(frames) - FRAMES)
    return {
        "type": error.type,
        "message": error.message,
        "code": error.code,
        "fingerprint": cached_fingerprint(text),
        "frames": [_frame_view(frame, before, sources, ran_at) for frame, before in frames[cut:]],
        "folded": folded,
        "frames_left_out": cut,
    }


def similar_failures(store: Store, env: str, text: str, run_id: str, now: int) -> dict[str, Any]:
    """Other runs that ended with the same problem, among the latest failures of the environment; and what is known of
    all of them, where they have been counted already."""
    error = _decode(text)
    rows = store.read("view_failures", env=env, type=error.type, n=COMPARED)
    wanted = cached_fingerprint(text)
    same = [row for row in rows if row["id"] != run_id and cached_fingerprint(row["error"]) == wanted]
    times = [row["finished_at"] or row["created_at"] for row in same]
    groups = store.read("find_error_group", env=env, fingerprint=wanted)
    if groups:
        times += [groups[0]["first_at"], groups[0]["last_at"]]
    return {
        "fingerprint": wanted,
        "count": len(same),
        "first_at": iso(min(times, default=None)),
        "last_at": iso(max(times, default=None)),
        "tasks": sorted({row["task"] for row in same}),
        "runs": [row["id"] for row in same[:NAMED]],
        "compared": COMPARED,
        "total": groups[0]["count"] if groups else None,
        "status": shown_status(groups[0], now) if groups else None,
    }


def _folded(frames: Sequence[TracedFrame]) -> tuple[list[tuple[TracedFrame, int]], int]:
    """The user's frames, each with how many of libraries stand before it; and how many follow the last."""
    own: list[tuple[TracedFrame, int]] = []
    before = 0
    for frame in frames:
        if frame.is_own:
            own.append((frame, before))
            before = 0
        else:
            before += 1
    return own, before


def _frame_view(frame: TracedFrame, before: int, sources: SourceFiles | None, ran_at: int | None) -> dict[str, Any]:
    view: dict[str, Any] = {
        "file": frame.file,
        "line": frame.line,
        "function": frame.function,
        "code": frame.code,
        "folded_before": before,
        "source": None,
    }
    if sources is not None:
        excerpt = sources.excerpt(frame.file, frame.line, frame.code, ran_at)
        view["file"] = sources.shown(frame.file)
        view["source"] = {"state": excerpt.state, "first_line": excerpt.first, "lines": list(excerpt.lines)}
    return view
