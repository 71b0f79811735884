"""A NUL character, which PostgreSQL's texts cannot hold: refused in names, kept in JSON, shown as a sign in errors."""

from __future__ import annotations

import json

import pytest
from tests.engine.bench import Bench, new

from detent.engine.loops import Digest
from detent.engine.operations import Operations
from detent.errors import InvalidOptions
from detent.model.options import tags_of
from detent.objects import open_store


@pytest.mark.parametrize(
    "options",
    [{"task": "wo\0rk"}, {"queue": "q\0", "known": True}, {"concurrency_key": "\0"}, {"tags": ["a", "b\0"]}],
)
def test_a_name_with_a_nul_is_refused(bench: Bench, options: dict[str, object]) -> None:
    with pytest.raises(InvalidOptions, match="NUL"):
        bench.trigger_all([new(**options)])
    assert bench.count("SELECT count(*) FROM runs") == 0


def test_a_filter_a_tag_or_a_reason_with_a_nul_is_refused(bench: Bench) -> None:
    operations = Operations(bench.engine, None, open_store("memory://"))
    for operation, values in (
        ("runs.list", {"tag": ["a\0"]}),
        ("runs.cancel", {"id": "run_1", "reason": "\0"}),
        ("bulk.create", {"action": "cancel", "filter": {"task": ["a\0"]}}),
    ):
        with pytest.raises(InvalidOptions, match="NUL"):
            operations.call(operation, **values)
    with pytest.raises(InvalidOptions, match="NUL"):
        tags_of("a\0")


def test_an_error_with_a_nul_is_listed_found_and_grouped(bench: Bench) -> None:
    # Given
    digest = Digest(bench.engine.write, bench.store, bench.clock)
    digest.sweep()
    worker = bench.worker("work")
    run_id = bench.trigger(payload='"\\u0000"', metadata='{"a": "\\u0000"}')
    error = {"type": "ValueError", "message": "bad\0byte", "traceback": "at\0"}
    worker.finish(worker.take(), "FAILED", error=json.dumps(error))
    operations = Operations(bench.engine, None, open_store("memory://"))
    # When
    while digest.sweep():
        pass
    # Then
    assert [run["id"] for run in operations.call("runs.list", error="ValueError: bad")["items"]] == [run_id]
    assert operations.call("runs.retrieve", id=run_id)["error"]["message"] == "bad\0byte"
    assert [group["message"] for group in operations.call("errors.list")["items"]] == ["bad\u2400byte"]


@pytest.mark.parametrize("make_bench", ["postgresql"], indirect=True)
def test_a_text_that_no_boundary_stopped_is_refused_by_the_store_and_spoils_nothing(bench: Bench) -> None:
    with pytest.raises(InvalidOptions, match="NUL"):
        bench.store.write(lambda tx: tx.run("mark_ready", at="\0"))
    with pytest.raises(InvalidOptions, match="NUL"):
        bench.store.read("state_of_run", id="\0")
    assert bench.trigger()
