"""Executes programs, many at a time on one engine, and reads what came of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread
from zlib import crc32

from tests.programs.interpreter import EFFECTS, EXECUTIONS, PROGRAMS, interrupt_at, payload_of, task_of
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
    patience_s: float = 60,
    lose_every: int | None = None,
) -> Execution:
    """Execute the programs of `seeds` together. `replay`: as of `harness`.
    `lose_every`: one of so many steps loses the worker while it is being done, once.
    `still_s`: of programs that do nothing and are not over; `patience_s`: for all of them, in seconds of real time.
    """
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
        with _losing(h, lose_every):
            _let_end(h, still_s, patience_s)
        for seed, root in roots.items():
            states = {row["id"]: row for row in h.store.read_sql(_STATES, {"id": root})}
            unfinished = [row for row in states.values() if row["state"] not in FINAL]
            if unfinished:
                execution.stuck[seed] = "; ".join(f"{row['id']} {row['state']} {row['paused']}" for row in unfinished)
            execution.outcomes[seed] = read_outcome(h, root)
            execution.torn[seed] = list(torn(h, root))
    return execution


def _let_end(h: Harness, still_s: float, patience_s: float) -> None:
    moved = time.monotonic()
    seen = -1
    while True:
        h.drain(timeout=patience_s)
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


@contextmanager
def _losing(h: Harness, every: int | None) -> Iterator[None]:
    """Lose the worker in one of `every` steps, and start another. The old one goes on as a zombie."""
    done: set[tuple[str, str]] = set()
    losing: list[Thread] = []
    one_at_a_time = Lock()

    def lose() -> None:
        with one_at_a_time:
            lost = h.workers[-1]
            h.start_worker()
            h.engine.lose_worker(lost.worker_id, "lost by the test")

    def interrupt(run_id: str, where: str) -> None:
        if (run_id, where) in done or crc32(f"{run_id} {where}".encode()) % (every or 1):
            return
        done.add((run_id, where))
        losing.append(Thread(target=lose))
        losing[-1].start()

    interrupt_at(None if every is None else interrupt)
    try:
        yield
    finally:
        interrupt_at(None)
        for thread in losing:
            thread.join()


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
