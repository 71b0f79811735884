"""Plays the world of a seed, and says how to play it again where something was wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from tests.simulation.world import World

__all__ = ["Played", "play"]


class Played(NamedTuple):
    """`turns` of the world, with its faults, its runs, and the `trace` of all that happened, in short."""

    turns: int
    faults: dict[str, int]
    runs: int
    zombies: int
    trace: str


def play(seed: int, steps: int, listen: Callable[[str], None] | None = None) -> Played:
    """Play `steps` turns in which things break, and then until everything has ended.

    Errors: `AssertionError` with the seed and the command that plays it again.
    """
    digest = blake2b(digest_size=8)

    def trace(line: str) -> None:
        digest.update(line.encode())
        if listen is not None:
            listen(line)

    with tempfile.TemporaryDirectory() as folder:
        world = World(seed, Path(folder), trace)
        try:
            world.run(steps)
            runs = world.bench.count("SELECT count(*) FROM runs")
            return Played(world.turns, dict(world.faults), runs, world.judge.zombies, digest.hexdigest())
        except Exception as error:
            raise AssertionError(
                f"seed {seed} in turn {world.turns}: {error}\n"
                f"play it again: python -m tests.simulation --seed {seed} --steps {steps} -v"
            ) from error
        finally:
            world.close()
