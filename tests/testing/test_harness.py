"""The harness itself: its clock, and what it does with runs that sleep."""

from __future__ import annotations

import time

import pytest

from detent import queue, retry, task
from detent.testing import harness

tries: list[str] = []
single = queue("harness-single", concurrency_limit=1)


@task(id="harness-sleeps", queue=single)
async def sleeps(name: str) -> int:
    def act(attempt) -> int:
        tries.append(name)
        if attempt.number < 3:
            raise ValueError("not yet")
        return attempt.number

    return await retry.on_throw(act, min_timeout="1h", max_timeout="1h", randomize=False)


@task(id="harness-sleeps-plain", queue=single)
def sleeps_plain(name: str) -> int:
    def act(attempt) -> int:
        tries.append(name)
        if attempt.number < 3:
            raise ValueError("not yet")
        return attempt.number

    return retry.sync.on_throw(act, min_timeout="1h", max_timeout="1h", randomize=False)


@pytest.mark.parametrize("made", [sleeps, sleeps_plain])
def test_pauses_of_a_retried_block_pass_on_the_virtual_clock_also_while_others_wait_for_the_slot(made) -> None:
    tries.clear()
    began = time.monotonic()
    with harness([sleeps, sleeps_plain]) as h:
        start = h.clock.now()
        handles = [made.sync.trigger("a"), made.sync.trigger("b")]
        assert [h.output(handle) for handle in handles] == [3, 3]
        assert h.clock.now() - start == 4 * 3_600_000
    assert tries == ["a", "a", "a", "b", "b", "b"]
    assert time.monotonic() - began < 60


def test_advance_stops_in_the_middle_of_a_pause() -> None:
    tries.clear()
    with harness([sleeps]) as h:
        handle = sleeps.sync.trigger("a")
        h.advance("90m")
        assert tries == ["a", "a"]
        assert h.output(handle) == 3


def test_drain_tells_which_run_did_not_end() -> None:
    with harness([sleeps]) as h:
        h.engine.pause_queue("harness-single")
        handle = sleeps.sync.trigger("a")
        with pytest.raises(TimeoutError, match=handle.id):
            h.drain(timeout=0.1)
