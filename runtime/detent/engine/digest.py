"""What the history means to people: failures are counted, outside of the transactions that end runs."""

from __future__ import annotations

from collections.abc import Sequence

from .error_groups import Failure, count_failures
from .scene import Scene

__all__ = ["begin_digest", "digest"]


def begin_digest(scene: Scene) -> None:
    """From now on the history is read; runs stay until that has been done."""
    scene.tx.run("begin_digest")


def digest(scene: Scene, failures: Sequence[Failure], before: int, upto: int) -> bool:
    """Take in the ends of runs between two places of the history, exactly once.

    Parameters:
      failures: in the order of the history. `before`, `upto`: the reader's place, and where it is when this is done.

    Returns: False when somebody else has read on from `before` meanwhile; then nothing is changed.
    """
    if not scene.tx.run("advance_digest", before=before, seq=upto):
        return False
    if failures:
        count_failures(scene, failures)
    return True
