"""A process dies at each fail point, one by one; then everything completes and nothing finished is done twice (F2).

The points are those of `detent.engine.failpoints`, so that a new verb has cells of its own; a workload that does not
reach one fails. `make test` plays one in twelve of the cells; `make soak` all of them, also with runs that are replayed
after each of their waits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from detent.engine.failpoints import POINTS, REQUESTS

from .cell import Place
from .figures import figures, percentile
from .forks import CommandForks
from .plays import play_cell, verb_of
from .workload import ASYNC, PLAIN

KINDS = {"async": ASYNC, "sync": PLAIN}

#: What runs of plain tasks never say: they park with the word by which they wait.
NEVER_SYNC = {"park"}

#: A plain run has its time-outs in a loop of its own, which is gone with its frame, so that it leaves no wait then.
LEFT = ("sync", "always", "leave")

#: What a `detent worker` on a PostgreSQL never says: it has an engine of its own, which hears of deaths without a word.
NEVER_SHARED = {"worker_before_gone", "worker_after_gone"}

#: `make test` plays one cell in so many of each verb, and of the beat, which comes every five seconds, one.
SHARE = 12


def cells() -> list[tuple[str, str]]:
    return [(point, kind) for point in POINTS for kind in KINDS if kind == "async" or verb_of(point) not in NEVER_SYNC]


def chosen() -> set[tuple[str, str]]:
    """The cells that are always played: of each verb some, at least one."""
    found: set[tuple[str, str]] = set()
    by_verb: dict[str, list[tuple[str, str]]] = {}
    for cell in cells():
        by_verb.setdefault(verb_of(cell[0]), []).append(cell)
    for verb, of_verb in by_verb.items():
        of_verb.sort(key=lambda cell: crc32(repr(cell).encode()))
        found.update(of_verb[: 1 if verb == "beat" else -(-len(of_verb) // SHARE)])
    return found


ALWAYS = chosen()


@pytest.fixture(scope="module")
def commands() -> Iterator[CommandForks]:
    commands = CommandForks()
    yield commands
    commands.close()


#: Of those, on PostgreSQL: where the commits of each way of work are that come most often.
ALWAYS_SHARED = [("before_finish", "async"), ("worker_before_record", "sync")]


@pytest.fixture(scope="module")
def places(commands: CommandForks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    # The tasks of the cells write their effects by way of a module of these tests.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [before])])
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DETENT_", "PYTEST"))}
    folder = tmp_path_factory.mktemp("cells")
    places = {kind: Place(folder / kind, tasks, commands, env) for kind, tasks in KINDS.items()}
    for kind, tasks in KINDS.items():
        places[f"shared {kind}"] = Place(folder / f"shared-{kind}", tasks, commands, env, postgresql=True)
    yield places
    for place in places.values():
        place.close()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def took(places: dict[str, Place]) -> Iterator[list[float]]:
    """Seconds from the death of a process to the end of all runs, of each cell."""
    took: list[float] = []
    yield took
    lost = sum(place.lost_leases for place in places.values())
    again = sum(place.done_again for place in places.values())
    figures(
        "F2",
        f"{len(took)} cells of {len(cells())}, {len(POINTS)} fail points",
        f"all as they should be; {lost} leases lost, {again} unfinished steps done again; from the death of the "
        f"process to the end of all runs p50 {percentile(took, 0.5):.2f} s, worst {max(took, default=0.0):.2f} s",
    )


def test_every_verb_has_cells_that_are_always_played() -> None:
    assert {verb_of(point) for point, _ in ALWAYS} == {verb_of(point) for point in POINTS} >= set(REQUESTS)
    assert len(ALWAYS) >= len(cells()) / SHARE - 4


@pytest.mark.parametrize(("point", "kind"), sorted(ALWAYS))
def test_a_process_that_dies_at_a_fail_point_loses_nothing_and_doubles_nothing(
    places: dict[str, Place], took: list[float], point: str, kind: str
) -> None:
    """Given work under way, when a process is killed at the point and started again, then every run ends as it should,
    the history and every table are right, and what was finished was done once."""
    took.append(play_cell(places[kind], point))


@pytest.mark.parametrize(("point", "kind"), ALWAYS_SHARED)
def test_on_postgresql_a_process_that_dies_at_a_fail_point_loses_and_doubles_nothing_either(
    places: dict[str, Place], took: list[float], point: str, kind: str
) -> None:
    took.append(play_cell(places[f"shared {kind}"], point))


@pytest.mark.soak
@pytest.mark.parametrize(("point", "kind"), [cell for cell in cells() if cell[0] not in NEVER_SHARED])
def test_on_postgresql_no_fail_point_loses_or_doubles_anything(
    places: dict[str, Place], took: list[float], point: str, kind: str
) -> None:
    took.append(play_cell(places[f"shared {kind}"], point))


def replayed_cells() -> list[tuple[str, str, str]]:
    every = [(point, kind, replay) for point, kind in cells() for replay in ("never", "always")]
    return [cell for cell in every if (*cell[1:], verb_of(cell[0])) != LEFT]


@pytest.mark.soak
@pytest.mark.parametrize(("point", "kind", "replay"), replayed_cells())
def test_whether_runs_are_replayed_or_not_no_fail_point_loses_or_doubles_anything(
    places: dict[str, Place], took: list[float], point: str, kind: str, replay: str
) -> None:
    took.append(play_cell(places[kind], point, DETENT_REPLAY=replay))
