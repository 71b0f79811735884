"""A token is completed before, while and after its run parks, twice at once, and as its time runs out: one outcome
counts, everybody else is refused, and no run is stuck (F12)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from tests.oracle import check_ended

from detent import task, wait
from detent.errors import Conflict
from detent.sdk.tokens import Token
from detent.sync import wait as blocking_wait
from detent.testing import Harness, harness

from .figures import figures
from .project import wait_for


@task(id="gate")
async def gate(token: str) -> list[object]:
    result = await wait.for_token(token)
    return [result.ok, result.output]


@task(id="gate-plain")
def gate_plain(token: str) -> list[object]:
    result = blocking_wait.for_token(token)
    return [result.ok, result.output]


MOMENTS = ("before", "while it parks", "after", "as it times out")


def test_of_all_that_happens_to_a_token_at_once_one_thing_counts() -> None:
    race(tokens=50)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_of_all_that_happens_to_a_thousand_tokens_at_once_one_thing_counts() -> None:
    race(tokens=1_000)


class Outcomes:
    """Who completed a token, and who was refused."""

    def __init__(self) -> None:
        self.won: dict[str, str] = {}
        self.refused: Counter[str] = Counter()
        self.doubled: list[str] = []
        self._lock = threading.Lock()

    def complete(self, token: str, name: str) -> None:
        try:
            blocking_wait.complete_token(token, name)
        except Conflict:
            self.refused[token] += 1
        else:
            with self._lock:
                if token in self.won:
                    self.doubled.append(token)
                self.won[token] = name


def race(*, tokens: int) -> None:
    """So many tokens for each moment, half of them for async runs and half for plain ones."""
    with harness([gate, gate_plain], threads=8) as h:
        outcomes = Outcomes()
        began = time.monotonic()
        runs = {moment: race_at(h, moment, tokens, outcomes) for moment in MOMENTS}
        h.drain(advance=False, timeout=120)
        took_s = time.monotonic() - began
        stuck, wrong, timed_out = [], [], 0
        for moment, of in runs.items():
            for token, run in of.items():
                ended = h.run(run)
                if ended.status != "COMPLETED":
                    stuck.append((moment, run, ended.status))
                    continue
                won = outcomes.won.get(token)
                timed_out += won is None
                if ended.output != ([False, None] if won is None else [True, won]):
                    wrong.append((moment, run, ended.output, won))
        total = tokens * len(MOMENTS)
        assert not stuck, stuck[:5]
        assert not wrong, wrong[:5]
        assert not outcomes.doubled
        assert outcomes.refused.total() + len(outcomes.won) == 2 * total
        check_ended(h.store.path, h.clock)
    figures(
        "F12",
        f"{total} tokens, each completed twice at once: {', '.join(MOMENTS)}",
        f"{len(outcomes.won)} completed, {timed_out} timed out, {outcomes.refused.total()} refused, none with two "
        f"winners, no run stuck; {took_s:.1f} s",
    )


def race_at(h: Harness, moment: str, tokens: int, outcomes: Outcomes) -> dict[str, str]:
    """The runs by their tokens."""
    made: list[Token] = [blocking_wait.create_token(timeout=60 + n * 0.001) for n in range(tokens)]
    ids = [token.id for token in made]
    completers: list[Callable[[], None]] = [
        lambda name=name: [outcomes.complete(token, name) for token in ids] for name in ("one", "other")
    ]
    runs: dict[str, str] = {}

    def trigger() -> None:
        for n, token in enumerate(ids):
            runs[token] = (gate if n % 2 else gate_plain).sync.trigger(token).id

    def let_time_out() -> None:
        for token in made:
            assert token.timeout_at is not None
            h.clock.move_to(round(token.timeout_at.timestamp() * 1000))
            h.engine.sweep()

    if moment == "before":
        at_once(completers)
        trigger()
    elif moment == "while it parks":
        at_once([*completers, trigger])
    else:
        trigger()
        wait_for("all park", lambda: waiting(h) == tokens)
        at_once([*completers, let_time_out] if moment == "as it times out" else completers)
    h.drain(advance=False, timeout=60)
    return runs


def at_once(acts: list[Callable[[], None]]) -> None:
    together = threading.Barrier(len(acts))
    failures: list[BaseException] = []

    def begin(act: Callable[[], None]) -> None:
        together.wait()
        try:
            act()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=begin, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def waiting(h: Harness) -> int:
    return int(h.store.read_sql("SELECT count(*) FROM runs WHERE state = 'WAITING'", {})[0][0])
