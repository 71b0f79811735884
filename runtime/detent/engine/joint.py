"""Operations of many callers that are done by one statement: see `store.group_commit.Joint`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..store import Tx
from .scene import Scene

__all__ = ["JointOperation", "Patient"]


class JointOperation:
    """One caller's part of it.

    Parameters:
      kind: operations of one kind and one environment are done together.
      scene: makes the scene of a transaction.
      argument: what is asked.
      act: does what several ask; their answers in order. Where it raises, each is tried alone.
    """

    __slots__ = ("_act", "_scene", "argument", "kind")

    def __init__(
        self, kind: str, scene: Callable[[Tx], Scene], argument: Any, act: Callable[[Scene, Sequence[Any]], list[Any]]
    ) -> None:
        self.kind = kind
        self.argument = argument
        self._scene = scene
        self._act = act

    def __call__(self, tx: Tx) -> Any:
        return self._act(self._scene(tx), [self.argument])[0]

    def together(self, tx: Tx, operations: Sequence[JointOperation]) -> list[Any]:
        """See `Joint.together`."""
        return self._act(self._scene(tx), [operation.argument for operation in operations])


class Patient:
    """An operation that lets those of the same worker that can be done together go first."""

    __slots__ = ("_operation",)
    is_patient = True

    def __init__(self, operation: Callable[[Tx], Any]) -> None:
        self._operation = operation

    def __call__(self, tx: Tx) -> Any:
        return self._operation(tx)
