"""What a satisfied wait brings: the ends of children, or what the journal says of a token or a moment."""

from __future__ import annotations

from typing import Any, Protocol

from ..model.protocol import RunResult, WaitResult

__all__ = ["Reading", "result_of", "results_of"]


class Reading(Protocol):
    """A transaction, or what reads as one does."""

    def all(self, statement: str, **values: Any) -> list[Any]: ...

    def one(self, statement: str, **values: Any) -> Any | None: ...


def results_of(tx: Reading, run_id: str, key: str) -> list[RunResult]:
    """How the runs of a journal entry ended, in the order of the call."""
    return [
        RunResult(row["id"], row["task"], row["state"], row["output"], row["output_ref"], row["error"])
        for row in tx.all("read_results", run_id=run_id, key=key)
    ]


def result_of(tx: Reading, run_id: str, key: str) -> WaitResult:
    """What the satisfied wait `key` of a run brings."""
    entry: Any = tx.one("find_journal", run_id=run_id, key=key)
    if entry is None or entry["kind"] == "trigger":
        return WaitResult(key, results_of(tx, run_id, key))
    status = "COMPLETED" if entry["status"] == "ok" else "TIMED_OUT"
    return WaitResult(key, [], status, entry["value"], entry["value_ref"])
