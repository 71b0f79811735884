from __future__ import annotations

import pytest

from detent.broker import Health


def test_a_way_that_breaks_is_told_once_and_once_when_it_is_whole_again(caplog: pytest.LogCaptureFixture) -> None:
    health = Health("redis://:secret@cache/0")
    health.worked("tickets", 1.5)
    assert (health.state().state, health.state().latency_ms) == ("ok", 1.5)
    for _ in range(50):
        health.failed("tickets", ConnectionError("refused"))
        health.failed("news", ConnectionError("refused"))
    assert health.is_down
    assert health.state().last_error == "ConnectionError: refused"
    health.worked("news")
    assert health.state().state == "degraded"
    health.worked("tickets", 2.0)
    assert (health.state().state, health.state().last_error) == ("ok", None)
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2
    assert texts[0].startswith("the broker redis://:***@cache/0 is down: ConnectionError: refused")
    assert texts[1] == "the broker redis://:***@cache/0 is back"


def test_a_slow_way_is_degraded_until_it_is_quick_again() -> None:
    health = Health("redis://cache")
    states = []
    for latency_ms in (900.0, 20.0, 900.0, 900.0, 900.0, 20.0, 900.0, 20.0, 20.0, 20.0):
        health.worked("tickets", latency_ms)
        states.append(health.state().state)
    assert states == ["ok"] * 4 + ["degraded"] * 5 + ["ok"]


def test_a_part_that_has_gone_counts_no_more() -> None:
    health = Health("redis://cache", quiet=True)
    health.worked("news")
    health.failed("c1.sync", "silent")
    health.forget("c1.sync")
    assert health.state().state == "ok"
