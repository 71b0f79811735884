"""Thousands of timers due in the same second do not hold up who asks for something else (F18)."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import pytest
from tests.engine.bench import Bench, new
from tests.oracle import check_history

from detent.store.group_commit import GroupCommit


class Turns(GroupCommit):
    """Counts, for each place in the line, the batches that went before it: the one under way, and those begun since."""

    def __init__(self, session: Any) -> None:
        super().__init__(session)
        self._line_of_callers = _Line(self)
        self._waiting = self._line_of_callers
        self.begun = 0
        self.under_way = False
        self.sizes: list[int] = []
        self.waited_for: Counter[int] = Counter()

    def _commit(self, group: list[Any], actions: list[Any]) -> None:
        if group[0].yields:
            self.under_way = True
            self.begun += 1
            self.sizes.append(len(group))
        super()._commit(group, actions)
        for place in group:
            if not place.yields:
                self.waited_for[self.begun - self._line_of_callers.noted.pop(id(place))] += 1

    def _appoint(self) -> None:
        self.under_way = False
        super()._appoint()


class _Line(deque[Any]):
    """The line of those that are no batch; a place joins it under the lock of the group commit."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns
        self.noted: dict[int, int] = {}

    def append(self, place: Any) -> None:
        self.noted[id(place)] = self._turns.begun - self._turns.under_way
        super().append(place)


@pytest.mark.parametrize("herd", [20_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_a_trigger_waits_for_one_batch_at_the_most_while_a_herd_of_timers_goes_off(tmp_path: Path, herd: int) -> None:
    """Given thousands of delayed runs and running loops, when all are due in one second while other threads trigger,
    then every trigger goes through behind one batch at the most, and every run is queued exactly once."""
    bench = Bench(tmp_path)
    turns = bench.store._group = Turns(bench.store._session)
    at = bench.clock.now() + 1000
    for _ in range(herd // 1000):
        bench.trigger_all([new(known=True, run_at=at) for _ in range(1000)])
    turns.waited_for.clear()
    done, changed = threading.Event(), threading.Event()
    bench.engine.listeners.append(changed.set)
    triggered: list[str] = []
    took: list[float] = []

    def trigger() -> None:
        while not done.is_set():
            began = time.perf_counter()
            triggered.append(bench.trigger(known=True))
            took.append(time.perf_counter() - began)

    callers = [threading.Thread(target=trigger) for _ in range(3)]
    bench.clock.forward(1)
    began = time.perf_counter()
    bench.engine.start()
    for caller in callers:
        caller.start()
    while bench.count("SELECT count(*) FROM runs WHERE state = 'DELAYED'"):
        changed.clear()
        changed.wait(0.1)
    herd_s = time.perf_counter() - began
    done.set()
    for caller in callers:
        caller.join()
    bench.engine.stop()

    slowest = sorted(took)
    print(
        f"\n{herd} timers due at once went off in {herd_s:.2f} s, in {turns.begun} batches; meanwhile {len(took)} "
        f"triggers of 3 threads, p50 {slowest[len(took) // 2] * 1000:.1f} ms, worst {slowest[-1] * 1000:.1f} ms"
    )
    assert bench.count("SELECT count(*) FROM runs WHERE state = 'QUEUED'") == herd + len(triggered)
    assert len(set(triggered)) == len(triggered) > 0
    assert bench.count("SELECT count(*) FROM events WHERE kind = 'due'") == herd
    assert bench.count("SELECT count(DISTINCT run_id) FROM events WHERE kind = 'due'") == herd
    assert set(turns.sizes) == {1}
    assert turns.waited_for.total() >= len(triggered)
    assert set(turns.waited_for) <= {0, 1}, turns.waited_for
    check_history(bench.store).raise_if_wrong()
    bench.close()
