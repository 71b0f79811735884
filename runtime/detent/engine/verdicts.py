"""What a diagnosis comes to: a stable code and one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..model.duration import format_duration
from .views import status_of

__all__ = ["Verdict", "verdict_on"]

#: A worker that has not been heard of for this part of its lease is called silent.
_SILENT = 1 / 3
#: Characters of an error's message in a sentence.
_MESSAGE = 160

_CODES_OF_WAITS = {
    "delayed": "delayed",
    "run_paused": "journal_mismatch",
    "paused": "queue_paused",
}


class Verdict(NamedTuple):
    """`code` is one of those that `Diagnosis` lists."""

    code: str
    summary: str


def verdict_on(
    row: Any,
    *,
    error: Mapping[str, Any] | None,
    reason: Mapping[str, Any] | None,
    blockers: Sequence[Mapping[str, Any]],
    allowed: int | None,
    worker: Any | None,
    now: int,
    lease_ms: int,
) -> Verdict:
    """The verdict on a run.

    Parameters:
      error: its `error_report`. `reason`, `blockers`: why it is not running, what it waits for.
      allowed: its attempts. `worker`: the row of the one that holds it.
    """
    if reason is not None:
        return _on_waiting(row, error, reason, blockers, allowed)
    if row["state"] == "EXECUTING":
        return _on_executing(row, worker, now, lease_ms)
    return _on_ended(row, error, allowed)


def _on_ended(row: Any, error: Mapping[str, Any] | None, allowed: int | None) -> Verdict:
    state, attempt = row["state"], row["attempt"]
    if state == "COMPLETED":
        tries = "" if attempt == 1 else f" in attempt {attempt}"
        return Verdict("completed", f"it completed{tries} after {format_duration(row['used_ms'])} of executing")
    what = _what(error)
    code = "" if error is None else error["code"]
    tries = f"{attempt} attempt{'s' if attempt > 1 else ''}"
    if state == "FAILED":
        if code == "aborted":
            return Verdict("aborted", f"its code gave up at once (AbortTaskRunError): {what}")
        if code == "invalid_payload":
            return Verdict("invalid_payload", f"its payload does not fit the task: {what}")
        of = f" of {allowed}" if allowed and allowed > attempt else ""
        return Verdict("failed", f"it failed after {tries}{of}: {what}{_place(error)}")
    if state == "TIMED_OUT":
        most = row["max_duration_ms"]
        limit = f" of {format_duration(most)}" if most else ""
        return Verdict("timed_out", f"it used more than its max duration{limit}: {what}{_place(error)}")
    if state == "CRASHED":
        if code == "out_of_memory":
            return Verdict("out_of_memory", f"it ran out of memory: {what}")
        return Verdict("crashed", f"the process that ran it died: {what}")
    if state == "CANCELED":
        said = row["cancel_reason"] or ("" if error is None else error["message"])
        said = "" if said == "the run was cancelled" else said
        return Verdict("canceled", f"it was cancelled{f': {said}' if said else ''}")
    if state == "EXPIRED":
        return Verdict("expired", "no worker started it within its ttl")
    return Verdict("system_failure", f"detent itself failed at it: {what}")


def _on_executing(row: Any, worker: Any | None, now: int, lease_ms: int) -> Verdict:
    took = format_duration(max(0, now - (row["claimed_at"] or now)))
    if row["cancel_requested_at"] is not None:
        return Verdict("cancelling", f"it was told to stop {format_duration(now - row['cancel_requested_at'])} ago")
    if worker is not None and now - worker["beat_at"] > lease_ms * _SILENT:
        silent = format_duration(now - worker["beat_at"])
        return Verdict(
            "worker_silent",
            f"its worker has been silent for {silent}; after {format_duration(lease_ms)} the run goes on elsewhere",
        )
    if worker is not None and worker["blocked_by"]:
        return Verdict(
            "worker_blocked",
            f"its worker's event loop is held up by {worker['blocked_by']}; use `await` or a plain `def` there",
        )
    if status_of(row) == "DEQUEUED":
        return Verdict("dequeued", f"a worker took it {took} ago, and has not begun with its code yet")
    return Verdict("executing", f"it has been executing for {took}, in attempt {row['attempt']}")


def _on_waiting(
    row: Any,
    error: Mapping[str, Any] | None,
    reason: Mapping[str, Any],
    blockers: Sequence[Mapping[str, Any]],
    allowed: int | None,
) -> Verdict:
    code, message = reason["code"], reason["message"]
    if code == "delayed" and row["attempt"] > 1:
        of = f" of {allowed}" if allowed else ""
        return Verdict(
            "retrying", f"attempt {row['attempt'] - 1} failed: {_what(error)}; attempt {row['attempt']}{of} starts "
            f"at {reason['until']}"
        )  # fmt: skip
    if code == "waiting":
        return _on_wait(message, blockers)
    if code == "no_worker":
        if blockers[0]["kind"] == "undeclared_queue":
            return Verdict("unknown_queue", message)
        return Verdict("unknown_task" if blockers[0]["connected"] else "no_worker", message)
    return Verdict(_CODES_OF_WAITS.get(code, code), message)


def _on_wait(message: str, blockers: Sequence[Mapping[str, Any]]) -> Verdict:
    kinds = [blocker["kind"] for blocker in blockers]
    if "run" in kinds:
        first = blockers[kinds.index("run")]
        because = f"; {first['id']} ({first['task']}): {first['reason']}" if first.get("reason") else ""
        return Verdict("waiting_for_runs", f"it {message}{because}")
    if "token" in kinds:
        return Verdict("waiting_for_token", f"it {message}, which nobody has completed yet")
    if "input" in kinds:
        return Verdict("waiting_for_input", f"it {message}, which nobody has sent yet")
    if "time" in kinds:
        return Verdict("waiting_for_time", f"it {message}")
    return Verdict("waiting", f"it {message}")


def _what(error: Mapping[str, Any] | None) -> str:
    if error is None:
        return "nothing is known of its error"
    line = " ".join(error["message"].split())
    line = line if len(line) <= _MESSAGE else line[: _MESSAGE - 1] + "…"
    return f"{error['type']}: {line}" if line else str(error["type"])


def _place(error: Mapping[str, Any] | None) -> str:
    frames = error["frames"] if error is not None else []
    if not frames:
        return ""
    inner = frames[-1]
    return f" ({inner['file']}:{inner['line']} in {inner['function']})"
