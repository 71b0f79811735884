"""What to do about a run, as commands and as requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from shlex import quote
from typing import Any
from urllib.parse import quote as quote_url

from ..model.http_api import ROUTES

__all__ = ["error_step", "next_steps"]

Step = dict[str, Any]


def next_steps(row: Any, verdict: str, blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    """The steps that fit a verdict, the most likely first."""
    run_id = row["id"]
    make = _STEPS.get(verdict)
    steps = [] if make is None else make(row, blockers)
    if verdict not in {"completed", "executing", "dequeued"}:
        steps.append(step("logs", "read what it wrote", f"detent runs logs {run_id}", "runs.logs", {"id": run_id}))
    return steps


def step(action: str, why: str, command: str, operation: str | None = None, values: Step | None = None) -> Step:
    """One step; `operation` is the request that does the same, where the API has it."""
    route = ROUTES.get(operation or "")
    if route is None:
        return {"action": action, "why": why, "command": command, "method": None, "path": None, "body": None}
    body = dict(values or {})
    path = route.path.replace("{id}", quote_url(str(body.pop("id", "")), safe=""))
    return {
        "action": action,
        "why": why,
        "command": command,
        "method": route.method,
        "path": path,
        "body": body if body and route.method != "GET" else None,
    }


def _replay(row: Any, why: str) -> Step:
    return step("replay", why, f"detent runs replay {row['id']}", "runs.replay", {"id": row["id"]})


def _failed(row: Any, _blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    steps = [_replay(row, "once the cause is mended, run it again from its beginning")]
    if row["has_journal"]:
        steps.append(_fork(row, "or keep the steps that were finished, and go on from there"))
    return steps


def error_step(fingerprint: str) -> Step:
    """Where all runs with the same problem are found."""
    return step(
        "error",
        "see all runs with this problem",
        f"detent errors show {fingerprint}",
        "errors.retrieve",
        {"id": fingerprint},
    )


def _fork(row: Any, why: str, key: str | None = None) -> Step:
    at = f" --at {quote(key)}" if key else ""
    values = {"id": row["id"]} | ({"at": key} if key else {})
    return step("fork", why, f"detent runs fork {row['id']}{at}", "runs.fork", values)


def _wrong_payload(row: Any, _blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    task = row["task"]
    return [
        step("schema", "see what the task expects", f"detent tasks show {quote(task)}", "tasks.retrieve", {"id": task}),
        step("replay", "run it again with another payload", f"detent runs replay {row['id']} --payload JSON"),
    ]


def _timed_out(row: Any, _blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    options = {"id": row["id"], "options": {"max_duration": "1h"}}
    command = f"detent runs replay {row['id']} --max-duration 1h"
    return [step("replay", "run it again with more time", command, "runs.replay", options)]


def _out_of_memory(row: Any, _blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    options = {"id": row["id"], "options": {"machine": "large-1x"}}
    command = f"detent runs replay {row['id']} --machine large-1x"
    return [step("replay", "run it again on a larger machine", command, "runs.replay", options)]


def _token(_row: Any, blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [
        step(
            "complete_token",
            "complete the token, with the output that the run waits for",
            f"detent tokens complete {blocker['id']} JSON",
            "tokens.complete",
            {"id": blocker["id"], "output": None},
        )
        for blocker in blockers
        if blocker["kind"] == "token"
    ]


def _input(row: Any, blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [
        step("send_input", "send the value", f"detent runs send {row['id']} {quote(blocker['name'] or 'NAME')} JSON")
        for blocker in blockers
        if blocker["kind"] == "input"
    ]


def _children(_row: Any, blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [
        step(
            "diagnose",
            "see why this run, which it waits for, has not ended",
            f"detent runs diagnose {blocker['id']}",
            "runs.diagnosis",
            {"id": blocker["id"]},
        )
        for blocker in blockers
        if blocker["kind"] == "run"
    ][:3]


def _journal(row: Any, blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    run_id, key = row["id"], blockers[0].get("key")
    return [
        step(
            "resume",
            "once its code fits its journal again, let it go on",
            f"detent runs resume {run_id}",
            "runs.resume",
            {"id": run_id},
        ),
        _fork(row, "or keep what was finished before, and go on with the code of now", key),
        _cancel(row, "or give it up"),
    ]


def _cancel(row: Any, why: str) -> Step:
    return step("cancel", why, f"detent runs cancel {row['id']}", "runs.cancel", {"id": row["id"]})


def _paused_queue(row: Any, _blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    queue = row["queue"]
    return [
        step(
            "resume_queue",
            "start runs of this queue again",
            f"detent queues resume {quote(queue)}",
            "queues.resume",
            {"id": queue},
        )
    ]


def _limit(_row: Any, blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    held = [holder for blocker in blockers for holder in blocker.get("held_by", ())]
    steps = [
        step(
            "diagnose",
            "look at the run that has held a slot the longest",
            f"detent runs diagnose {holder['id']}",
            "runs.diagnosis",
            {"id": holder["id"]},
        )
        for holder in held[:1]
    ]
    return [*steps, step("queues", "compare the limits with what runs", "detent queues list", "queues.list")]


def _worker(_row: Any, _blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [step("start", "start a worker that has this task", "detent dev")]


def _machine(_row: Any, blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    machine = quote(blockers[0]["name"])
    return [step("start", "start a worker where this machine is", f"detent worker --machine {machine}")]


def _queue(_row: Any, blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    queue = quote(blockers[0]["name"])
    return [step("start", "start a worker that claims from this queue", f"detent worker --queues {queue}")]


def _version(_row: Any, blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [
        step("start", "start workers of the deployed versions", "detent worker --env ENVIRONMENT"),
        step(
            "deployment",
            "look at this version",
            f"detent deploys get {quote(blockers[0]['name'])}",
            "deployments.retrieve",
            {"id": blockers[0]["name"]},
        ),
    ]


def _undeployed(_row: Any, _blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [
        step("deploy", "deploy a version that has it", "detent deploy --env ENVIRONMENT"),
        step("deployments", "see what was deployed", "detent deploys list", "deployments.list"),
    ]


def _blocked(_row: Any, _blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [step("report", "see whether other workers have the same problem", "detent report", "report")]


def _time(row: Any, _blockers: Sequence[Mapping[str, Any]]) -> list[Step]:
    return [_cancel(row, "it goes on by itself; cancel it if it need not")]


_STEPS: dict[str, Callable[[Any, Sequence[Mapping[str, Any]]], list[Step]]] = {
    "aborted": _failed,
    "crashed": _failed,
    "delayed": _time,
    "env_limit": _limit,
    "expired": _failed,
    "failed": _failed,
    "invalid_payload": _wrong_payload,
    "journal_mismatch": _journal,
    "key_limit": _limit,
    "no_worker": _worker,
    "out_of_memory": _out_of_memory,
    "pending_version": _undeployed,
    "queue_limit": _limit,
    "queue_paused": _paused_queue,
    "queued": _limit,
    "retrying": _time,
    "system_failure": _failed,
    "timed_out": _timed_out,
    "unknown_queue": _worker,
    "unknown_task": _worker,
    "unserved_machine": _machine,
    "unserved_queue": _queue,
    "unserved_version": _version,
    "waiting_for_input": _input,
    "waiting_for_runs": _children,
    "waiting_for_time": _time,
    "waiting_for_token": _token,
    "worker_blocked": _blocked,
    "worker_silent": _blocked,
}
