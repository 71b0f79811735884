"""Executes one program again: ``python -m tests.programs SEED [REPLAY ...]``."""

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
        cold = execute([seed], mode)
        found = [*cold.stuck.values(), *cold.torn[seed], *differences(warm.outcomes[seed], cold.outcomes[seed])]
        print(f"\nreplay {mode}:", "the same" if not found else "\n" + "\n".join(found))
        wrong += found
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:] or ["always", "random:1"]))
