"""``python -m tests.simulation --seed N --steps M -v``: plays seeds of the simulation."""

from __future__ import annotations

import argparse
import time
from collections import Counter

from tests.simulation.play import play


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds")
    parser.add_argument("--steps", type=int, default=200, help="turns of each in which things break")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell every turn")
    given = parser.parse_args()
    began, turns, runs, zombies, wrong = time.monotonic(), 0, 0, 0, 0
    faults: Counter[str] = Counter()
    for seed in range(given.seed, given.seed + given.seeds):
        try:
            played = play(seed, given.steps, print if given.verbose else None)
        except AssertionError as error:
            wrong += 1
            print(error)
            if given.verbose:
                raise
            continue
        turns, runs, zombies = turns + played.turns, runs + played.runs, zombies + played.zombies
        faults.update(played.faults)
    took = time.monotonic() - began
    print(
        f"{given.seeds} seeds, {wrong} wrong; {turns} steps in {took:.1f} s ({turns / took:.0f}/s), {runs} runs, "
        f"{zombies} ends said by zombies; {dict(faults)}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
