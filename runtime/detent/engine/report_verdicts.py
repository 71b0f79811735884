"""What the figures of a report come to: findings with stable codes. The same figures give the same findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..model.duration import format_duration

__all__ = ["verdicts_on"]

YOURS, PLATFORM = "yours", "the platform's"
DEGRADED, FAILING = "degraded", "failing"

#: A queued run that has waited so long is late, and one that has waited so long is stuck, in milliseconds.
LATE_MS, STUCK_MS = 60_000, 300_000
#: Ended runs from which on a rate says something; rates that are bad.
ENOUGH, BAD, ALL_BAD = 10, 0.1, 0.5
#: An event loop so late is busy, in milliseconds; a write so slow is slow, or as good as none.
LAG_MS, SLOW_MS, STALLED_MS = 1_000, 250.0, 2_000.0
#: Room on the disk that is little, and next to nothing, in bytes.
LITTLE, NOTHING = 1024**3, 128 * 1024**2

Part = Mapping[str, Any]


def verdicts_on(
    flow: Part, execution: Part, liveness: Part, *, lease_ms: int, unserved: Mapping[str, int], environment: str = "dev"
) -> list[Any]:
    """The findings, those that fail first.

    Parameters:
      unserved: runs that are queued, by tasks that no connected worker has. `environment`: its name.
    """
    of_flow = _of_flow(flow, liveness, unserved, environment)
    found = [*of_flow, *_of_execution(execution), *_of_liveness(liveness, lease_ms)]
    return sorted(found, key=lambda verdict: verdict["level"] != FAILING)


def _of_flow(flow: Part, liveness: Part, unserved: Mapping[str, int], environment: str) -> Iterator[dict[str, Any]]:
    if not liveness["connected"]:
        if flow["queued"]:
            text = f"no worker is connected, with {_runs(flow['queued'])} queued"
            command = "detent worker" if environment == "dev" else f"detent worker --env {environment}"
            yield _verdict("no_worker", FAILING, YOURS, text, command)
        return
    if unserved:
        tasks = ", ".join(f"{task} ({n:,})" for task, n in list(unserved.items())[:5])
        text = f"no connected worker has these tasks of queued runs: {tasks}"
        yield _verdict("unknown_task", FAILING, YOURS, text, "detent tasks list")
    for queue in flow["queues"]:
        if not queue["queued"]:
            continue
        name, oldest = queue["name"], queue["oldest_ms"] or 0
        waited = f"{name!r} has {_runs(queue['queued'])} queued, the oldest for {format_duration(oldest)}"
        if queue["paused"]:
            text = f"queue {name!r} is paused, with {_runs(queue['queued'])} in it"
            yield _verdict("queue_paused", DEGRADED, YOURS, text, f"detent queues resume {name}")
        elif queue["limit"] is not None and queue["running"] >= queue["limit"]:
            if oldest >= LATE_MS:
                text = f"{waited}: its limit of {queue['limit']} is in use"
                yield _verdict("queue_at_limit", DEGRADED, YOURS, text, "detent queues list")
        elif oldest >= STUCK_MS and not queue["running"] and not unserved:
            text = f"{waited}, and none of them starts, though workers are connected"
            yield _verdict("queue_stuck", FAILING, PLATFORM, text, f"detent runs list --queue {name} --status queued")
        elif oldest >= LATE_MS and not unserved:
            yield _verdict("workers_busy", DEGRADED, YOURS, f"{waited}: the workers are full", "detent worker")


def _of_execution(execution: Part) -> Iterator[dict[str, Any]]:
    states, rate, before = execution["by_status"], execution["failure_rate"], execution["failure_rate_before"]
    of_platform = states.get("SYSTEM_FAILURE", 0)
    if of_platform:
        text = f"detent itself failed at {_runs(of_platform)}"
        yield _verdict("system_failures", FAILING, PLATFORM, text, "detent runs list --status system_failure")
    ended = sum(states.values()) - states.get("CANCELED", 0) - states.get("EXPIRED", 0)
    if rate is not None and ended >= ENOUGH and rate >= BAD and (rate >= ALL_BAD or rate >= 2 * (before or 0)):
        was = "" if before is None else f", {before:.0%} in the period before"
        level = FAILING if rate >= ALL_BAD else DEGRADED
        yield _verdict("failure_rate", level, YOURS, f"{rate:.0%} of the runs failed{was}", "detent errors list")
    crashes = execution["crashes"]
    if crashes:
        text = f"{_runs(crashes)} lost their process for good: out of memory, or killed by their code"
        yield _verdict("crashes", DEGRADED, YOURS, text, "detent runs list --status crashed")
    timeouts = execution["timeouts"]
    if ended >= ENOUGH and timeouts / ended >= BAD:
        text = f"{timeouts:,} of {ended:,} runs used more than their max duration"
        yield _verdict("timeouts", DEGRADED, YOURS, text, "detent runs list --status timed_out")


def _of_liveness(liveness: Part, lease_ms: int) -> Iterator[dict[str, Any]]:
    for worker in liveness["workers"]:
        name = f"worker {worker['id']} on {worker['host']}"
        if worker["beat_ms"] > lease_ms / 3:
            text = f"{name} has been silent for {format_duration(worker['beat_ms'])}"
            yield _verdict("worker_silent", DEGRADED, PLATFORM, text, "detent worker")
        elif worker["blocked_by"]:
            text = f"the event loop of {name} is held up by {worker['blocked_by']}"
            yield _verdict("worker_blocked", DEGRADED, YOURS, text, "detent logs --level warn")
        elif worker["lag_ms"] > LAG_MS:
            text = f"the event loop of {name} is {format_duration(worker['lag_ms'])} late: its machine is busy"
            yield _verdict("worker_late", DEGRADED, PLATFORM, text, "detent worker")
    if liveness["problems"]:
        first = liveness["problems"][0]
        place = f"{first['file']}:{first['line']}"
        text = f"{len(liveness['problems'])} task files cannot be used; {place}: {first['message']}"
        yield _verdict("task_files", DEGRADED, YOURS, text, "detent tasks list")
    for loop in liveness["loops"]:
        if loop["alive"] is False:
            text = f"the engine's loop {loop['name']!r} has ended; restart the server"
            yield _verdict("loop_ended", FAILING, PLATFORM, text, "detent server")
        elif loop["errors"]:
            text = f"the engine's loop {loop['name']!r} failed {loop['errors']:,} times; the server's log has the cause"
            yield _verdict("loop_errors", DEGRADED, PLATFORM, text)
    slow = liveness["store_ms"]
    if slow is not None and slow > SLOW_MS:
        level = FAILING if slow > STALLED_MS else DEGRADED
        yield _verdict(
            "store_slow", level, PLATFORM, f"a small write to the store took {slow:,.0f} ms", "detent doctor"
        )
    free = liveness["disk_free_bytes"]
    if free is not None and free < LITTLE:
        level = FAILING if free < NOTHING else DEGRADED
        text = f"the store's disk has {free / 1024**2:,.0f} MiB left; free space, or set retention"
        yield _verdict("disk_full", level, PLATFORM, text)


def _runs(n: int) -> str:
    return f"{n:,} run{'' if n == 1 else 's'}"


def _verdict(code: str, level: str, whose: str, message: str, *commands: str) -> dict[str, Any]:
    return {"code": code, "level": level, "whose": whose, "message": message, "next": list(commands)}
