"""What tests of replay do to a run that waits."""

from __future__ import annotations

from typing import Any

from detent.sdk.result import RunHandle
from detent.testing import Harness


def go_elsewhere(h: Harness) -> None:
    """The worker that started last is lost with all that it holds; another one starts."""
    lost = h.workers[-1]
    h.start_worker()
    h.engine.lose_worker(lost.worker_id, "killed by the test")


def parked(h: Harness, handle: RunHandle) -> None:
    """Let the run go on until it waits durably."""
    h.drain(advance=False)
    status = h.run(handle).status
    assert status == "WAITING", f"{handle.task} is {status}: {h.run(handle).error}"


def entries(h: Harness, handle: RunHandle) -> list[Any]:
    """The journal of a run."""
    return h.store.read("recall_journal", run_id=handle.id, after=-1, n=20_000)


def kinds(h: Harness, handle: RunHandle) -> list[str]:
    """What happened to a run, in order."""
    return [row["kind"] for row in h.store.read("list_events", run_id=handle.id)]
