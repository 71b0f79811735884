"""Programs do the same whether their runs stay in memory while they wait, or are replayed from their journals (F14)."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from tests.programs.outcome import Outcome, differences
from tests.programs.program import make_program
from tests.programs.running import execute, report

#: ``DETENT_PROGRAMS=5000-10000`` for others; `make soak` plays thousands.
_FIRST, _, _LAST = os.environ.get("DETENT_PROGRAMS", "0-20").partition("-")
SEEDS = range(int(_FIRST), int(_LAST or int(_FIRST) + 1))
#: Programs on one engine.
_TOGETHER = 50
_warm: dict[int, Outcome] = {}


def chunks(seeds: Sequence[int]) -> list[Sequence[int]]:
    return [seeds[at : at + _TOGETHER] for at in range(0, len(seeds), _TOGETHER)]


def warm(seeds: Sequence[int]) -> dict[int, Outcome]:
    """What comes of programs whose runs stay in memory."""
    if seeds[0] not in _warm:
        execution = execute(seeds, "never")
        assert not execution.stuck, execution.stuck
        _warm.update(execution.outcomes)
    return _warm


def compare(seeds: Sequence[int], replay: str) -> None:
    expected = warm(seeds)
    execution = execute(seeds, replay)
    for seed, outcome in execution.outcomes.items():
        wrong = [*differences(expected[seed], outcome), *execution.torn[seed]]
        if seed in execution.stuck:
            wrong.append(f"not over: {execution.stuck[seed]}")
        assert not wrong, report(seed, wrong, replay)


@pytest.mark.parametrize("seeds", chunks(SEEDS), ids=str)
@pytest.mark.parametrize("replay", ["always", "random:7"])
def test_programs_do_the_same_warm_and_cold(seeds: Sequence[int], replay: str) -> None:
    compare(seeds, replay)


def compare_with_losses(seeds: Sequence[int]) -> None:
    expected = warm(seeds)
    execution = execute(seeds, "never", lose_every=10)
    for seed, outcome in execution.outcomes.items():
        wrong = list(differences(expected[seed], outcome, exactly_once=False))
        if seed in execution.stuck:
            wrong.append(f"not over: {execution.stuck[seed]}")
        assert not wrong, report(seed, wrong, "lose:10")


@pytest.mark.parametrize("seeds", chunks(SEEDS), ids=str)
def test_programs_do_the_same_when_workers_are_lost_in_their_steps(seeds: Sequence[int]) -> None:
    compare_with_losses(seeds)


@pytest.mark.soak
@pytest.mark.parametrize("seeds", chunks(range(1_000, 6_000)), ids=str)
def test_five_thousand_programs_do_the_same_warm_and_cold(seeds: Sequence[int]) -> None:
    compare(seeds, "always")
    compare(seeds, f"random:{seeds[0]}")
    compare_with_losses(seeds)
    for seed in seeds:
        del _warm[seed]


def test_a_program_follows_from_its_seed() -> None:
    assert [make_program(seed) for seed in range(50)] == [make_program(seed) for seed in range(50)]
