"""What runs print and log is kept with them: levels, places, spans, and bounds."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from detent import Task, logger, retry, task
from detent.client import Detent
from detent.sdk.retry import Attempt
from detent.testing import Harness, harness

library = logging.getLogger("some.library")


@pytest.fixture
def h() -> Iterator[Harness]:
    with harness() as made:
        yield made


@task(id="prints")
async def prints() -> None:
    print("one\ntwo")
    print("half", end=" ")
    await asyncio.sleep(0)
    print("a line")
    print("trouble", file=sys.stderr)
    library.debug("not kept")
    library.warning("low on %s", "paper")
    print("no end of line", end="")


@task(id="prints-plain")
def prints_plain() -> None:
    print("half", end=" ")
    print("a line")
    try:
        raise ValueError("inner")
    except ValueError:
        library.exception("it broke")
    sys.stdout.write("no end of line")


def test_print_and_logging_are_kept_with_level_source_and_place(h: Harness) -> None:
    handle = prints.sync.trigger()
    h.drain()
    lines = h.logs(handle)
    assert [(line.level, line.message, line.source) for line in lines] == [
        ("info", "one", "stdout"),
        ("info", "two", "stdout"),
        ("info", "half a line", "stdout"),
        ("warn", "trouble", "stderr"),
        ("warn", "low on paper", "logging"),
        ("info", "no end of line", "stdout"),
    ]
    place = lines[4].attributes
    assert place is not None
    assert (place["logger"], place["file"]) == ("some.library", "test_logs.py")
    assert place["line"] == prints.line + 8


def test_a_plain_task_is_heard_in_the_same_way_with_the_traceback_of_a_logged_exception(h: Harness) -> None:
    handle = prints_plain.sync.trigger()
    h.drain()
    lines = [(line.level, line.message.split("\n")[0]) for line in h.logs(handle)]
    assert lines == [("info", "half a line"), ("error", "it broke"), ("info", "no end of line")]
    assert "ValueError: inner" in h.logs(handle)[1].message


def test_what_is_printed_outside_of_runs_goes_where_it_always_went(h: Harness, capsys) -> None:
    h.drain()
    print("for the test")
    assert "for the test" in capsys.readouterr().out


def test_after_the_harness_the_streams_and_the_root_logger_are_as_before() -> None:
    before = sys.stdout, sys.stderr, logging.getLogger().level, list(logging.getLogger().handlers)
    with harness():
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr, logging.getLogger().level, list(logging.getLogger().handlers)) == before


@task(id="writes")
async def writes() -> None:
    logger.debug("d", n=1)
    logger.info("i", nested={"a": [1, None]})
    logger.warn("w", odd=object)
    logger.error("e \ud800", text="\ud800", big="x" * 100_000)
    itself: list[object] = []
    itself.append(itself)
    logger.info("loop", itself=itself)


def test_lines_of_the_logger_have_level_and_attributes_whatever_these_are(h: Harness) -> None:
    handle = writes.sync.trigger()
    h.drain()
    assert h.run(handle).status == "COMPLETED"
    lines = h.logs(handle)
    assert [line.level for line in lines] == ["debug", "info", "warn", "error", "info"]
    assert lines[0].attributes == {"n": 1}
    assert lines[1].attributes == {"nested": {"a": [1, None]}}
    assert lines[2].attributes == {"odd": "<class 'object'>"}
    assert lines[3].message == "e ?"
    assert "were left out" in str(lines[3].attributes)
    assert lines[4].attributes == {"itself": "[[...]]"}


@task(id="spans")
async def spans() -> None:
    with logger.trace("outer", pages=3):
        logger.info("inside")
        async with asyncio.TaskGroup() as group:
            group.create_task(branch("left"))
            group.create_task(branch("right"))
    logger.info("outside")


async def branch(name: str) -> None:
    with logger.trace(name):
        await asyncio.sleep(0)


def test_spans_nest_also_over_asyncio_tasks_and_lines_know_their_span(h: Harness) -> None:
    handle = spans.sync.trigger()
    h.drain()
    root = Detent(h.transport).runs.trace(handle.id)
    attempt = next(span for span in root.children if span.kind == "attempt")
    outer = next(span for span in attempt.children if span.name == "outer")
    assert outer.attributes == {"pages": 3}
    assert sorted(span.name for span in outer.children) == ["left", "right"]
    inside, outside = h.logs(handle)
    assert (inside.span_id, outside.span_id) == (outer.id, None)


def fails_twice(attempt: Attempt) -> None:
    if attempt.number < 3:
        raise OSError("down")


@task(id="retries")
async def retries() -> None:
    async def ask(attempt: Attempt) -> None:
        await asyncio.sleep(0)
        logger.info(f"asked {attempt.number}")
        fails_twice(attempt)

    await retry.on_throw(ask, min_timeout=0.01)


@task(id="retries-plain")
def retries_plain() -> None:
    retry.sync.on_throw(partial(fails_twice), min_timeout=0.01)


@pytest.mark.parametrize(("subject", "name"), [(retries, "ask"), (retries_plain, "fails_twice")])
def test_attempts_of_a_block_under_retry_show_in_the_trace_after_the_first(
    h: Harness, subject: Task[None, None], name: str
) -> None:
    handle = subject.sync.trigger()
    h.drain()
    root = Detent(h.transport).runs.trace(handle.id)
    attempt = next(span for span in root.children if span.kind == "attempt")
    shown = [(span.name, span.kind, span.attributes, span.ok) for span in attempt.children]
    assert shown == [(name, "retry", {"attempt": 2}, False), (name, "retry", {"attempt": 3}, True)]
    within = [line.span_id for line in h.logs(handle)]
    assert within == ([None, *(span.id for span in attempt.children)] if subject is retries else [])


@task(id="prints-a-megabyte")
def prints_a_megabyte(kind: str) -> int:
    if kind == "lines":
        for n in range(20_000):
            print(f"line {n:5}")
    elif kind == "one line":
        print("x" * 1_000_000)
    else:
        for _ in range(100_000):
            sys.stdout.write("." * 10)
    return 1


def test_a_megabyte_of_lines_is_bounded_and_says_how_many_were_dropped(h: Harness) -> None:
    handle = prints_a_megabyte.sync.trigger("lines")
    assert h.output(handle) == 1
    lines = h.logs(handle)
    assert 10_000 <= len(lines) <= 10_001
    assert any("10,000" in line.message for line in lines if line.source == "detent")


@pytest.mark.parametrize("kind", ["one line", "no line"])
def test_a_megabyte_without_end_of_line_is_kept_in_pieces(h: Harness, kind) -> None:
    handle = prints_a_megabyte.sync.trigger(kind)
    assert h.output(handle) == 1
    lines = [line.message for line in h.logs(handle)]
    assert max(map(len, lines)) < 40_000
    assert "".join(lines) == ("." if kind == "no line" else "x") * 1_000_000
