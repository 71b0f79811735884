"""A trace as lines: what differs is said, what is alike is folded, and a page ends between two spans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detent.errors import NotFound
from detent_mcp.trace_lines import trace_page

RUN = "run_0199f0c1d2e3a4b5c6d7e8f901234567"
BEGIN = datetime(2026, 11, 22, 9, tzinfo=UTC)


def span(id: str, name: str, kind: str, start: int, end: int | None, *children: Any, **more: Any) -> dict[str, Any]:
    ok = more.pop("ok", None if end is None else True)
    moments = [None if at is None else (BEGIN + timedelta(milliseconds=at)).isoformat() for at in (start, end)]
    return {
        "id": id, "parent_id": None, "name": name, "kind": kind, "start": moments[0], "end": moments[1], "ok": ok,
        "attributes": more, "children": list(children),
    }  # fmt: skip


def chunks(many: int, failed: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    return [
        span(f"run_{place:032x}", "tts.chunk", "child", place, place + 100 + place, ok=place not in failed,
             status="FAILED" if place in failed else "COMPLETED")
        for place in range(many)
    ]  # fmt: skip


def root(*children: Any, end: int | None = 10_000) -> dict[str, Any]:
    return span(RUN, "crawl", "run", 0, end, *children)


def test_lines_tell_start_duration_name_state_and_id() -> None:
    page = trace_page(
        root(
            span(f"{RUN}:queue:1", "queued", "queue", 0, 1_200),
            span(
                f"{RUN}:attempt:2", "attempt 1", "attempt", 1_200, 5_000,
                span("span_" + "0" * 26 + "abcdef", "on_start", "hook", 1_201, 1_202),
                span("span_" + "0" * 26 + "123456", "fetch\npage", "user", 1_300, 3_000, ok=False, url="https://a"),
                ok=False, number=1, worker="worker_1", outcome="retry",
            ),
            span(f"{RUN}:retry:9", "backoff", "retry", 5_000, 6_000),
        )
    )  # fmt: skip
    assert page.lines == [
        "+0ms 1.2s queued",
        "+1.2s 3.8s attempt 1 FAILED (retry) [attempt:2]",
        "  +1.2s 1ms hook on_start [abcdef]",
        "  +1.3s 1.7s fetch page FAILED url=https://a [123456]",
        "+5s 1s backoff",
    ]
    assert (page.first, page.spans, page.following, page.above) == (1, 5, None, "")


def test_many_brothers_are_folded_but_for_the_first_and_those_that_failed() -> None:
    page = trace_page(root(*chunks(100, failed=(7, 55))))
    assert len(page.lines) == 6
    assert page.lines[3].startswith("+7ms 107ms run tts.chunk FAILED [run_")
    assert page.lines[5] == "… 95 more run tts.chunk: 95 ok, 103ms to 199ms (expand=true shows each)"
    assert page.spans == 100
    assert len(trace_page(root(*chunks(8))).lines) == 8


def test_pages_of_an_expanded_trace_end_between_spans_and_cover_all() -> None:
    trace = root(span(f"{RUN}:attempt:2", "attempt 1", "attempt", 0, 9_000, *chunks(100, failed=(90,))))
    lines: list[str] = []
    cursor, firsts = None, []
    while True:
        page = trace_page(trace, cursor=cursor, expand=True)
        lines += page.lines
        firsts.append(page.first)
        if page.following is None:
            break
        assert any("FAILED" in line for line in page.failed_later) == (len(lines) < 92)
        cursor = page.following
    assert (len(lines), len(set(lines)), firsts) == (101, 101, [1, 41, 81])
    assert page.above == "attempt 1"


def test_a_cursor_of_another_trace_is_refused() -> None:
    with pytest.raises(NotFound, match="leave cursor out"):
        trace_page(root(*chunks(3)), cursor="nope")


def test_a_run_that_has_only_begun_has_no_lines() -> None:
    page = trace_page(root(end=None))
    assert (page.lines, page.first, page.spans, page.following) == ([], 0, 0, None)


def test_attributes_of_other_people_take_little_room() -> None:
    spans = [span(f"span_{place:032x}", "n" * 500, "user", 0, 1, note="v" * 500 + str(place)) for place in range(8)]
    page = trace_page(root(*spans))
    assert max(map(len, page.lines)) < 140
    assert "\x1b" not in "".join(trace_page(root(span("span_1", "\x1b[31mred", "user", 0, 1))).lines)
