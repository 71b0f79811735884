"""What every edge of the state machine works with: the open transaction, the time, the bell."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.task_error import TaskError
from ..store import Tx
from .bell import Bell

__all__ = ["Scene", "error_text"]

_NOTE = "history"

_encode = msgspec.json.Encoder().encode


class Scene:
    """One operation on the state of runs."""

    __slots__ = ("bell", "env", "now", "tx")

    def __init__(self, tx: Tx, now: int, env: str, bell: Bell) -> None:
        self.tx = tx
        self.now = now
        self.env = env
        self.bell = bell

    def record(self, kind: str, run: Any, state: str, worker_id: str | None = None, **data: Any) -> None:
        """Append one row to the history of `run`, a row with its `id`, `epoch` and `attempt`."""
        self.history.append(
            {
                "run_id": run["id"],
                "at": self.now,
                "kind": kind,
                "state": state,
                "epoch": run["epoch"],
                "attempt": run["attempt"],
                "worker_id": worker_id,
                "data": _encode(data).decode() if data else None,
            }
        )

    @property
    def history(self) -> list[dict[str, Any]]:
        """The rows that the transaction appends to the history; its last word writes them together."""
        history: Any = self.tx.notes.get(_NOTE)
        if history is None:
            history = self.tx.notes[_NOTE] = _History()
        return history  # type: ignore[no-any-return]  # only histories are kept under this note


class _History(list[dict[str, Any]]):
    def __call__(self, tx: Tx) -> None:
        tx.later("record_event", self)


def error_text(error: TaskError) -> str:
    """`error` as JSON text, as the store keeps it."""
    return _encode(error).decode()
