"""Executes one program again: ``python -m tests.programs SEED [REPLAY ...]``.

REPLAY is what ``DETENT_REPLAY`` may be, or ``lose:N`` to lose the worker in one of N steps.
"""

from __future__ import annotations

import sys

from tests.programs.outcome import differences
from tests.programs.program import make_program, readable
from tests.programs.running import execute


def main(seed: int, modes: list[str]) -> int:
    """Compare the program with its warm execution; 1 when they differ."""
    print(readable(make_program(seed)))
    warm = execute([seed], "never")
    wrong: list[str] = []
    for mode in modes:
        replay, _, every = mode.partition(":")
        losing = replay == "lose"
        cold = execute([seed], "never" if losing else mode, lose_every=int(every) if losing else None)
        found = list(differences(warm.outcomes[seed], cold.outcomes[seed], exactly_once=not losing))
        found += [*cold.stuck.values(), *([] if losing else cold.torn[seed])]
        print(f"\nreplay {mode}:", "the same" if not found else "\n" + "\n".join(found))
        wrong += found
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:] or ["always", "random:1"]))
