"""Whether work flows."""

from __future__ import annotations

from typing import Annotated, Any

from ..call import Call
from ..next_calls import next_call, start_step
from ..results import row, took
from ..tool import tool
from ..untrusted import mark_present, shown_text

__all__ = ["get_report"]

#: Tasks, errors, queues and workers that are named.
_TASKS, _ERRORS, _QUEUES, _WORKERS = 8, 5, 8, 5


@tool(
    "get_report",
    "Health: is work flowing, and whose is a problem? Runs in and out, failure rate, top errors, slow tasks, queues, "
    "workers. Use for 'how is it going' and after a deploy.",
    title="Health report",
    needs="report:read",
)
async def get_report(call: Call, *, period: Annotated[str, "1m to 30d, default 1h"] = "1h") -> dict[str, Any]:
    found = await call.ask("report", period=period)
    flow, execution, liveness = found["flow"], found["execution"], found["liveness"]
    told = row(
        environment=call.where.environment,
        status=found["status"],
        summary=shown_text(found["summary"], 400),
        period=period,
        verdicts=[_verdict(verdict) for verdict in found["verdicts"]],
        flow=_flow(flow),
        ended=execution["by_status"],
        failure_rate=_rates(execution),
        sampled=execution["is_sampled"] or None,
        top_errors=[_error(error) for error in execution["top_errors"][:_ERRORS]],
        tasks=[_task(task) for task in execution["tasks"][:_TASKS]],
        queues=[_queue(queue) for queue in flow["queues"] if queue["queued"] or queue["paused"]][:_QUEUES],
        workers=[_worker(worker) for worker in liveness["workers"] if worker["connected"]][:_WORKERS],
        connected=liveness["connected"],
        task_files_with_problems=[_problem(problem) for problem in liveness["problems"][:_ERRORS]],
    )
    failed = next((error["run_id"] for error in execution["top_errors"]), None)
    oldest = flow["oldest"]["id"] if flow["oldest"] else None
    if failed is not None or (oldest is not None and found["verdicts"]):
        told["next"] = next_call(call, "diagnose_run", run=failed or oldest)
    elif not liveness["connected"]:
        told["next"] = f"no worker is connected; start one: {start_step(call)}"
    return mark_present(told, "summary", "top_errors", "verdicts", "task_files_with_problems")


def _verdict(verdict: dict[str, Any]) -> dict[str, Any]:
    told = {"code": verdict["code"], "level": verdict["level"], "whose": verdict["whose"]}
    return told | row(message=shown_text(verdict["message"], 300), commands=verdict["next"][:2])


def _flow(flow: dict[str, Any]) -> dict[str, Any]:
    told = {name: flow[name] for name in ("triggered", "finished", "queued", "running", "waiting", "delayed")}
    before = {"triggered_before": flow["triggered_before"], "finished_before": flow["finished_before"]}
    oldest = flow["oldest"]
    if oldest is None:
        return told | before
    reason = shown_text(oldest["reason"], 200)
    return told | before | {"oldest_queued": f"{oldest['id']} {oldest['task']} {took(oldest['queued_ms'])}: {reason}"}


def _rates(execution: dict[str, Any]) -> str | None:
    now, before = execution["failure_rate"], execution["failure_rate_before"]
    if now is None:
        return None
    return f"{now:.1%}" + ("" if before is None else f", {before:.1%} in the period before")


def _error(error: dict[str, Any]) -> dict[str, Any]:
    message = shown_text(f"{error['type']}: {error['message']}", 160)
    return {"count": error["count"], "error": message, "tasks": error["tasks"][:3], "run": error["run_id"]}


def _task(task: dict[str, Any]) -> str:
    parts = [f"{task['task']}: {task['finished']} ended"]
    parts += [f"{task['failed']} failed"] if task["failed"] else []
    if task["p50_ms"] is not None:
        parts.append(f"p50 {took(task['p50_ms'])} p95 {took(task['p95_ms'])}")
    if task["queued_p95_ms"]:
        parts.append(f"queued p95 {took(task['queued_p95_ms'])}")
    return ", ".join(parts)


def _queue(queue: dict[str, Any]) -> str:
    limit = "" if queue["limit"] is None else f" of {queue['limit']}"
    oldest = "" if queue["oldest_ms"] is None else f", oldest {took(queue['oldest_ms'])}"
    paused = ", paused" if queue["paused"] else ""
    return f"{queue['name']}: {queue['queued']} queued, {queue['running']}{limit} running{oldest}{paused}"


def _worker(worker: dict[str, Any]) -> str:
    blocked = f", held up by {shown_text(worker['blocked_by'], 80)}" if worker["blocked_by"] else ""
    version = f" {worker['version']}" if worker["version"] else ""
    return f"{worker['host']} pid {worker['pid']}{version}, heard of {took(worker['beat_ms'])} ago{blocked}"


def _problem(problem: dict[str, Any]) -> str:
    return shown_text(f"{problem.get('file')}:{problem.get('line')} {problem.get('message')}", 300)
