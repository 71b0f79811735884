"""Executes programs, many at a time on one engine, and reads what came of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.programs.interpreter import EFFECTS, EXECUTIONS, PROGRAMS, payload_of, task_of
from tests.programs.outcome import Outcome, read_outcome, torn
from tests.programs.program import Program, make_program, readable

from detent.model.status import FINAL
from detent.sdk.starting import BatchItem
from detent.testing import Harness, harness

__all__ = ["Execution", "execute", "report"]

_STATES = "SELECT id, state, paused FROM runs WHERE id = :id OR root_id = :id"
_TOKENS = "SELECT id, tags FROM waitpoints WHERE kind = 'token' AND status = 'WAITING' AND tags <> '[]'"
#: How long programs that are not over may do nothing, in seconds of real time.
_STILL_S = 3.0


@dataclass
class Execution:
    """What came of each program, by seed. `torn`: executions that did not repeat what was before them."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    torn: dict[int, list[str]] = field(default_factory=dict)
    #: Programs that did not come to their end, and where they are.
    stuck: dict[int, str] = field(default_factory=dict)


def execute(
    seeds: Iterable[int],
    replay: str,
    *,
    programs: Mapping[int, Program] | None = None,
    still_s: float = _STILL_S,
    meanwhile: Callable[[Harness], Any] | None = None,
) -> Execution:
    """Execute the programs of `seeds` together. `replay`: as of `harness`. `meanwhile`: called after each pause."""
    roots = {seed: f"run_{seed:032x}" for seed in seeds}
    made = {seed: make_program(seed) if programs is None else programs[seed] for seed in roots}
    EFFECTS.clear()
    EXECUTIONS.clear()
    execution = Execution()
    with harness(PROGRAMS, replay=replay, stop_grace=0.2) as h:
        for seed, program in made.items():
            item = BatchItem(task_of(program), payload_of(program, str(seed)), {"max_attempts": program["attempts"]})
            run = item.to_run({})
            run.id = roots[seed]
            h.transport.trigger([run])
        _let_end(h, set(roots.values()), still_s, meanwhile)
        for seed, root in roots.items():
            states = {row["id"]: row for row in h.store.read_sql(_STATES, {"id": root})}
            unfinished = [row for row in states.values() if row["state"] not in FINAL]
            if unfinished:
                execution.stuck[seed] = "; ".join(f"{row['id']} {row['state']} {row['paused']}" for row in unfinished)
            execution.outcomes[seed] = read_outcome(h, root)
            execution.torn[seed] = list(torn(h, root))
    return execution


def _let_end(h: Harness, roots: set[str], still_s: float, meanwhile: Callable[[Harness], Any] | None) -> None:
    moved = time.monotonic()
    seen = -1
    while True:
        h.drain(timeout=30)
        if meanwhile is not None:
            meanwhile(h)
        open_runs = h.store.read_sql("SELECT 1 FROM runs WHERE finished_at IS NULL", {})
        if not open_runs:
            return
        if _complete_one_per_run(h):
            moved = time.monotonic()
            continue
        events = h.store.read_sql("SELECT max(seq) AS n FROM events", {})[0]["n"]
        if events != seen:
            seen, moved = events, time.monotonic()
        if time.monotonic() - moved > still_s:
            return
        time.sleep(0.005)  # a time-out of real time has to pass: nothing tells when


def _complete_one_per_run(h: Harness) -> bool:
    """Complete a token that waits for the world in each family of runs: what comes at once has no order."""
    found: dict[str, tuple[str, str]] = {}
    for row in sorted(h.store.read_sql(_TOKENS, {}), key=lambda row: row["id"]):
        tags = dict(tag.split("=", 1) for tag in json.loads(row["tags"]))
        found.setdefault(tags["root"], (row["id"], tags["value"]))
    for token_id, value in found.values():
        h.transport.call("tokens.complete", id=token_id, output=json.loads(value))
    return bool(found)


def report(seed: int, what: Iterable[str], replay: str) -> str:
    """A failure, for people."""
    lines = "\n".join(what)
    return (
        f"program {seed}, replay {replay}: executed again it is another\n{lines}\n\n{readable(make_program(seed))}\n\n"
        f"again: python -m tests.programs {seed} {replay}"
    )
