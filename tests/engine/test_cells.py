"""Runs in cells: handed over, ended by the cell's parent, recovered when either is lost."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.bench import Bench, Worker

from detent.engine.leases import LEASE_MS
from detent.model.ids import new_id
from detent.model.manifest import Manifest, TaskSpec
from detent.model.protocol import (
    Assign,
    CancelPush,
    Done,
    Entry,
    Failure,
    Gone,
    Grant,
    Hello,
    Push,
    Record,
    Verdict,
)


class Cell(Worker):
    """A connected cell of `parent`."""

    def __init__(self, bench: Bench, parent: Worker) -> None:
        self.parent = parent
        super().__init__(bench, Manifest(), new_id("worker"))

    def hello(self) -> Any:
        hello = Hello(self.id, self.manifest, pid=2, pid_started=1.0, host="host", parent=self.parent.id)
        self.session, answer = self.bench.engine.connect(hello, self.pushes.append)
        return answer

    def gone(self, cause: str = "exit code 1", **values: Any) -> Any:
        """The parent tells of its end."""
        [answer] = self.parent.say(Gone(self.id, cause, **values))
        return answer


def handed(bench: Bench, worker: Worker) -> tuple[Grant, Cell]:
    """A run in a cell."""
    bench.trigger("work")
    grant = worker.take()
    cell = Cell(bench, worker)
    assert worker.say(Assign(grant.run_id, grant.epoch, cell.id)) == [Done()]
    return grant, cell


def test_a_run_is_handed_to_a_cell_under_its_epoch_and_ended_by_it(bench: Bench) -> None:
    worker = bench.worker("work")
    grant, cell = handed(bench, worker)
    assert worker.say(Assign(grant.run_id, grant.epoch, cell.id)) == [Done()]
    refused = worker.finish(grant)
    assert isinstance(refused, Failure)
    assert refused.code == "lease_lost"
    assert cell.finish(grant) == Done()
    assert bench.row(grant.run_id)["state"] == "COMPLETED"


def test_a_run_goes_to_no_worker_but_a_living_cell_of_the_one_that_claimed_it(bench: Bench) -> None:
    worker, other = bench.worker("work"), bench.worker("work")
    grant, cell = handed(bench, worker)
    foreign = Cell(bench, other)
    for asking, target in ((worker, foreign), (worker, other), (other, foreign), (cell, foreign)):
        [answer] = asking.say(Assign(grant.run_id, grant.epoch, target.id))
        assert isinstance(answer, Failure)
    [stale] = worker.say(Assign(grant.run_id, grant.epoch - 1, cell.id))
    assert isinstance(stale, Failure)
    assert bench.row(grant.run_id)["worker_id"] == cell.id


def test_a_cell_claims_nothing_and_makes_no_task_known(bench: Bench) -> None:
    worker = bench.worker("work")
    _, cell = handed(bench, worker)
    bench.trigger("work")
    assert cell.claim(5) == []
    assert bench.engine.sessions.of_env("dev") == [worker.session]
    assert bench.engine.knows("work") is True


def test_a_cell_whose_parent_was_given_up_is_refused(bench: Bench) -> None:
    worker = bench.worker("work")
    bench.engine.lose_worker(worker.id, "gone")
    assert isinstance(Cell(bench, worker).hello(), Failure)


def test_the_run_of_a_cell_that_died_counts_a_crash_and_names_its_last_step(bench: Bench) -> None:
    worker = bench.worker("work", "child")
    bench.trigger("work")
    message = ""
    for crashes in (1, 2, 3):
        grant = worker.take()
        assert grant.crashes == crashes - 1
        cell = Cell(bench, worker)
        worker.say(Assign(grant.run_id, grant.epoch, cell.id))
        if crashes == 1:
            steps = [Entry("look#1", "step", "look", 1), Entry("charge#1", "step", "charge", 2)]
            assert cell.say(Record(grant.run_id, grant.epoch, steps)) == [Done()]
        assert cell.gone("killed by SIGSEGV") == Done()
        row = bench.row(grant.run_id)
        message = row["error"] or ""
    assert row["state"] == "CRASHED"
    assert "killed by SIGSEGV; its last finished step was 'charge' (charge#1)" in message
    assert bench.store.read("cells_of", parent=worker.id) == []


def test_a_run_whose_cell_was_lost_with_its_parent_counts_no_crash(bench: Bench) -> None:
    worker, other = bench.worker("work"), bench.worker("work")
    grant, _ = handed(bench, worker)
    bench.engine.lose_worker(worker.id, "killed by SIGKILL")
    again = other.take()
    assert (again.run_id, again.epoch, again.crashes) == (grant.run_id, grant.epoch + 1, 0)


def test_a_cell_that_was_asked_to_end_hands_its_run_back(bench: Bench) -> None:
    worker = bench.worker("work")
    grant, cell = handed(bench, worker)
    assert cell.gone(stopped=True) == Done()
    again = worker.take()
    assert (again.run_id, again.crashes, again.attempt) == (grant.run_id, 0, 1)


@pytest.mark.parametrize(("status", "code"), [("TIMED_OUT", "timed_out"), ("CRASHED", "out_of_memory")])
def test_a_run_whose_cell_was_killed_ends_as_its_parent_says(bench: Bench, status: str, code: str) -> None:
    worker = bench.worker("work")
    grant, cell = handed(bench, worker)
    cell.gone("so it was", verdict=Verdict(status, code))
    row = bench.row(grant.run_id)
    assert row["state"] == status
    assert code in row["error"]
    assert "so it was" in row["error"]


def test_a_run_that_was_cancelled_is_canceled_whatever_its_cell_died_of(bench: Bench) -> None:
    worker = bench.worker("work")
    grant, cell = handed(bench, worker)
    bench.engine.cancel(grant.run_id)
    told = CancelPush(grant.run_id, grant.epoch)
    assert cell.heard(CancelPush) == worker.heard(CancelPush) == [told]
    cell.gone("out of memory", verdict=Verdict("CRASHED", "out_of_memory", "large-1x"))
    assert bench.row(grant.run_id)["state"] == "CANCELED"


def test_a_run_is_moved_to_a_larger_machine_once(bench: Bench) -> None:
    worker = bench.worker("work")
    grant, cell = handed(bench, worker)
    verdict = Verdict("CRASHED", "out_of_memory", "large-1x")
    cell.gone("out of memory", verdict=verdict)
    again = worker.take()
    assert (again.run_id, again.machine, again.attempt, again.crashes) == (grant.run_id, "large-1x", 1, 0)
    assert worker.finish(again, "QUEUED", machine="large-1x") == Done()
    assert bench.row(grant.run_id)["state"] == "CRASHED"


def test_an_attempt_that_ends_for_a_larger_machine_may_say_so_twice(bench: Bench) -> None:
    worker = bench.worker("work")
    bench.trigger("work")
    grant = worker.take()
    assert worker.finish(grant, "QUEUED", machine="large-1x") == Done()
    assert worker.finish(grant, "QUEUED", machine="large-1x") == Done()
    assert worker.take().machine == "large-1x"


def test_the_beat_of_a_worker_keeps_the_leases_of_its_cells(bench: Bench) -> None:
    worker = bench.worker("work")
    grant, cell = handed(bench, worker)
    assert bench.watch_leases(4 * LEASE_MS / 1000, worker) == []
    assert cell.finish(grant) == Done()


def test_an_isolated_task_takes_the_room_of_a_plain_one_where_it_is_isolated(bench: Bench) -> None:
    manifest = Manifest([TaskSpec("apart", "task/apart", isolation="process")])
    pushes: list[Push] = []
    for isolates in (True, False):
        hello = Hello(new_id("worker"), manifest, pid=1, pid_started=1.0, host="host", isolates=isolates)
        session, _ = bench.engine.connect(hello, pushes.append)
        assert ("apart" in session.sync_tasks, "apart" in session.async_tasks) == (isolates, not isolates)
        bench.engine.disconnect(session)


def test_a_trigger_says_which_machine_its_run_needs(bench: Bench) -> None:
    worker = bench.worker("work")
    bench.trigger(machine="gpu-l4")
    assert worker.take().machine == "gpu-l4"
