"""How a process ended, in words."""

from __future__ import annotations

import signal

__all__ = ["cause_of"]


def cause_of(code: int) -> str:
    """The cause that an exit code stands for; a negative one is a signal, as `subprocess` has it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
