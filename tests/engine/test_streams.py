"""Streams and inputs in the engine: what is said again, what two sides do at the same moment, what is removed."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.engine.bench import Bench, Worker, new

from detent.engine.inputs import send_input
from detent.model.protocol import Done, Emit, Failure, Grant, Leave, Parked, Peek, Peeked, StreamParts, Wait


def _write(worker: Worker, grant: Grant, *parts: StreamParts, writer: int | None = None) -> Any:
    [answer] = worker.say(
        Emit(grant.run_id, grant.epoch, writer=grant.epoch if writer is None else writer, streams=list(parts))
    )
    return answer


def _stands(bench: Bench, run_id: str) -> list[Any]:
    """The parts of stream s that stand."""
    standing: list[Any] = []
    for row in bench.store.read("stream_chunks_from", run_id=run_id, stream="s", after=0, n=1_000):
        if row["kind"] == "restart":
            del standing[int(row["parts"]) :]
        elif row["kind"] == "part":
            standing += msgspec.json.decode(row["parts"])
    return standing


def _wait(worker: Worker, grant: Grant, key: str, stream: str = "box", **more: Any) -> Any:
    [answer] = worker.say(Wait(grant.run_id, grant.epoch, key, 1, "input", stream, **more))
    return answer


def _send(bench: Bench, run_id: str, value: int, stream: str = "box", by: str | None = None) -> None:
    bench.engine.write(lambda scene: send_input(scene, run_id, stream, str(value), by))


def _begun(bench: Bench) -> tuple[Worker, Grant]:
    worker = bench.worker()
    bench.engine.trigger([new()])
    return worker, worker.take()


def test_parts_that_are_said_again_are_kept_once(bench: Bench) -> None:
    worker, grant = _begun(bench)
    for first, parts in [(0, ["1", "2"]), (0, ["1", "2"]), (1, ["2", "3"]), (3, ["4"]), (0, ["1", "2", "3", "4", "5"])]:
        assert _write(worker, grant, StreamParts("s", first, parts)) == Done()
    assert _stands(bench, grant.run_id) == [1, 2, 3, 4, 5]


def test_another_execution_goes_on_after_what_is_settled(bench: Bench) -> None:
    worker, grant = _begun(bench)
    _write(worker, grant, StreamParts("s", 0, ["1"]))
    _write(worker, grant, StreamParts("s", 1, ["2"], settled=True))
    _write(worker, grant, StreamParts("s", 2, ["3"]))
    _write(worker, grant, StreamParts("s", 0, ["30"]), writer=grant.epoch + 1)
    _write(worker, grant, StreamParts("s", 1, ["40"]), writer=grant.epoch + 1)
    assert _stands(bench, grant.run_id) == [1, 2, 30, 40]


def test_whoever_lost_the_run_writes_nothing(bench: Bench) -> None:
    worker, grant = _begun(bench)
    worker.release(grant)
    answer = _write(worker, grant, StreamParts("s", 0, ["1"]))
    assert isinstance(answer, Failure)
    assert answer.code == "lease_lost"
    assert _stands(bench, grant.run_id) == []


def test_a_value_that_comes_while_its_wait_is_given_up_is_for_the_next_wait(bench: Bench) -> None:
    worker, grant = _begun(bench)
    assert _wait(worker, grant, "input#1") == Parked(False)
    _send(bench, grant.run_id, 1)
    _send(bench, grant.run_id, 2)
    assert worker.say(Leave(grant.run_id, grant.epoch, "input#1")) == [Done()]
    first, second = _wait(worker, grant, "input#2"), _wait(worker, grant, "input#3")
    assert [result.output for answer in (first, second) for result in answer.results] == ["1", "2"]


def test_a_value_that_is_given_back_goes_to_the_wait_that_is_open(bench: Bench) -> None:
    worker, grant = _begun(bench)
    _wait(worker, grant, "input#1")
    _wait(worker, grant, "input#2")
    _send(bench, grant.run_id, 1)
    worker.say(Leave(grant.run_id, grant.epoch, "input#1"))
    [answer] = [_wait(worker, grant, "input#2")]
    assert [result.output for result in answer.results] == ["1"]


def test_a_wait_that_is_said_again_takes_no_second_value(bench: Bench) -> None:
    worker, grant = _begun(bench)
    for value in (1, 2):
        _send(bench, grant.run_id, value)
    first, again = _wait(worker, grant, "input#1"), _wait(worker, grant, "input#1")
    assert first == again
    assert worker.say(Peek(grant.run_id, grant.epoch, "box")) == [Peeked("2")]


def test_with_a_run_goes_all_that_it_wrote_and_was_sent(bench: Bench) -> None:
    worker, grant = _begun(bench)
    _write(worker, grant, StreamParts("s", 0, ["1"]))
    _send(bench, grant.run_id, 1)
    worker.say(Emit(grant.run_id, grant.epoch, started_at=bench.clock.now()))
    worker.finish(grant)
    tables = ("streams", "stream_chunks", "inputs", "run_notes")
    counts = [bench.store.read_sql(f"SELECT count(*) AS n FROM {table}", {})[0]["n"] for table in tables]
    assert counts == [1, 1, 1, 1]
    bench.clock.forward(3_600)
    removed = type(bench.engine)(bench.store, bench.clock, retention_ms=1_000).remove_old_runs()
    assert removed == 1
    counts = [bench.store.read_sql(f"SELECT count(*) AS n FROM {table}", {})[0]["n"] for table in tables]
    assert counts == [0, 0, 0, 0]
