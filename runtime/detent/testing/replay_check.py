"""`replay_check`: whether a task does the same when its runs are replayed as when they stay in memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from ..model.ids import new_id
from ..model.protocol import Record
from ..model.status import FINAL
from ..sdk.starting import OMITTED, BatchItem
from .harness import Harness, harness

if TYPE_CHECKING:
    from ..sdk.task import Task

__all__ = ["replay_check"]

_RUNS = """
SELECT id, task, state, attempt, paused, output, output_ref, error FROM runs WHERE id = :id OR root_id = :id ORDER BY id
"""
_JOURNAL = "SELECT key, kind, target, attempt, status, value, error FROM journal WHERE run_id = :id ORDER BY seq, key"
#: Kinds of entries whose values are times, chance, and addresses with a secret of the store.
_PASSING = frozenset({"value", "time", "create_token"})
#: So many differences are shown.
_SHOWN = 10
_decode = msgspec.json.decode


@dataclass(frozen=True)
class _Case:
    """What is executed; see `replay_check`."""

    task: Task[Any, Any]
    payload: Any
    run_id: str
    tasks: list[Task[Any, Any]] | None
    effects: MutableSequence[Any] | None
    meanwhile: Callable[[Harness], object] | None
    timeout: float


@dataclass
class _Side:
    """What came of one execution. By run, and in the journals by key."""

    output: Any = None
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    journals: dict[str, dict[str, Any]] = field(default_factory=dict)
    chance: dict[tuple[str, str], str] = field(default_factory=dict)
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)
    effects: list[Any] = field(default_factory=list)


def replay_check(
    task: Task[Any, Any],
    payload: Any = OMITTED,
    *,
    tasks: Iterable[Task[Any, Any]] | None = None,
    effects: MutableSequence[Any] | None = None,
    meanwhile: Callable[[Harness], object] | None = None,
    timeout: float = 30.0,
) -> Any:
    """Run a task twice, each time on an engine of its own with a virtual clock: once with its runs kept in memory while
    they wait, and once with each replayed from its journal after every durable wait, as after a crash. Compare.

    Parameters:
      task, payload: what is run, as in ``task.trigger(payload)``.
      tasks: what the worker can run; all that has been declared in this process when None.
      effects: a list to which the code under test adds what it does to the world. It is emptied before each execution;
        what is done outside of steps is done again by a replay, and shows here.
      meanwhile: called when nothing goes on by itself and the run is not over: it completes a token, say.
      timeout: seconds of real time for each execution.

    Returns the output, as a JSON value. Errors: `AssertionError` with every difference of outputs, errors, journals,
    steps that were done more than once, and effects; or with the reason when the run does not end. Ids and the time are
    the same both times. ``ctx.uuid()`` and ``ctx.random()`` are not, and are taken for equal where they stand in
    outputs as they are.
    """
    known = None if tasks is None else list(tasks)
    case = _Case(task, payload, new_id("run"), known, effects, meanwhile, timeout)
    warm, cold = _execute(case, "never"), _execute(case, "always")
    found = list(_differences(warm, cold))
    if found:
        shown = "\n".join(found[:_SHOWN])
        more = f"\nand {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise AssertionError(
            f"task {task.id!r} does not do the same when it is replayed:\n{shown}{more}\n"
            "Code outside steps runs again: put what changes or has effects into step(...)"
        )
    return warm.output


def _execute(case: _Case, replay: str) -> _Side:
    if case.effects is not None:
        case.effects.clear()
    side = _Side()
    with harness(case.tasks, replay=replay) as h:
        _count_steps(h, side.steps)
        run = BatchItem(case.task, case.payload).to_run({})
        run.id = case.run_id
        h.transport.trigger([run])
        ends = time.monotonic() + case.timeout
        while not _is_over(case, h, replay, ends):
            assert case.meanwhile is not None
            case.meanwhile(h)
        _read(h, case.run_id, side)
        side.output = h.run(case.run_id).output
    side.effects = list(case.effects or ())
    return side


def _is_over(case: _Case, h: Harness, replay: str, ends: float) -> bool:
    """Whether the run has ended. Raises where it never will."""
    h.drain(timeout=max(0.1, ends - time.monotonic()))
    row = h.store.read_sql(_RUNS, {"id": case.run_id})[0]
    if row["state"] in FINAL:
        return True
    if row["paused"] is not None:
        raise AssertionError(f"task {case.task.id!r} was replayed, and {_decode(row['paused'])['message']}")
    if case.meanwhile is None or time.monotonic() > ends:
        how = "warm" if replay == "never" else "replayed"
        raise AssertionError(
            f"task {case.task.id!r} ({how}) does not end by itself: it is {row['state']}. Pass meanwhile=lambda h: ... "
            "to do what it waits for, such as wait.sync.complete_token(...)"
        )
    return False


def _count_steps(h: Harness, steps: Counter[tuple[str, str]]) -> None:
    """Count what is recorded of steps: one that is done again is recorded again."""
    handle = h.engine.handle

    def counting(session: Any, requests: Any) -> Any:
        for request in requests:
            if isinstance(request, Record):
                steps.update((request.run_id, one.key) for one in request.entries if one.kind == "step")
        return handle(session, requests)

    h.engine.handle = counting  # type: ignore[method-assign]  # of this one engine


def _read(h: Harness, run_id: str, side: _Side) -> None:
    for row in h.store.read_sql(_RUNS, {"id": run_id}):
        error = _decode(row["error"]) if row["error"] else {}
        side.names[row["id"]] = f"{row['task']} ({row['id']})"
        side.runs[row["id"]] = {
            "status": row["state"],
            "attempt": row["attempt"],
            "output": row["output"],
            "error": f"{error.get('type')}: {error.get('message')}" if error else None,
        }
        journal = side.journals[row["id"]] = {}
        for entry in h.store.read_sql(_JOURNAL, {"id": row["id"]}):
            value = None if entry["kind"] in _PASSING else entry["value"]
            journal[entry["key"]] = (entry["kind"], entry["target"], entry["attempt"], entry["status"], value)
            if entry["kind"] == "value" and entry["value"] is not None:
                side.chance[row["id"], entry["key"]] = entry["value"]


def _differences(warm: _Side, cold: _Side) -> Iterator[str]:
    swapped = {cold.chance[key]: value for key, value in warm.chance.items() if key in cold.chance}

    def known(value: Any) -> Any:
        """`value` of the cold side with the chance of the warm one."""
        if isinstance(value, tuple):
            return tuple(map(known, value))
        if isinstance(value, str):
            for one, other in swapped.items():
                value = value.replace(one.strip('"'), other.strip('"'))
        return value

    for run_id in sorted(warm.runs.keys() | cold.runs.keys()):
        name = warm.names.get(run_id) or cold.names[run_id]
        for what, ones, others in (
            ("", warm.runs.get(run_id, {}), cold.runs.get(run_id, {})),
            ("journal ", warm.journals.get(run_id, {}), cold.journals.get(run_id, {})),
        ):
            for key in [*ones, *(key for key in others if key not in ones)]:
                if ones.get(key) != known(others.get(key)):
                    yield f"  {name}, {what}{key}:\n    warm {ones.get(key)}\n    cold {others.get(key)}"
    for run_id, key in sorted(warm.steps.keys() | cold.steps.keys()):
        one, other = warm.steps[run_id, key], cold.steps[run_id, key]
        if one != other:
            yield f"  {warm.names.get(run_id, run_id)}, step {key}: done {one} times warm, {other} times cold"
    if warm.effects != cold.effects:
        yield f"  effects:\n    warm {warm.effects}\n    cold {cold.effects}"
