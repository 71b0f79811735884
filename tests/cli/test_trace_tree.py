from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from detent.model.views import TraceSpan
from detent_cli.trace_tree import trace_tree

START = datetime(2026, 11, 22, tzinfo=UTC)


def span(name: str, start: float, end: float | None, *children: TraceSpan, kind: str = "user") -> TraceSpan:
    return TraceSpan(
        id=name,
        name=name,
        kind=kind,
        start=START + timedelta(seconds=start),
        end=None if end is None else START + timedelta(seconds=end),
        ok=None if end is None else True,
        children=list(children),
    )


def drawn(root: TraceSpan, width: int) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(trace_tree(root, width))
    return captured.get().splitlines()


def test_bars_lie_where_the_spans_lie_in_the_whole() -> None:
    # Given a whole of ten seconds, its first and its last tenth
    lines = drawn(span("whole", 0, 10, span("first", 0, 1), span("last", 9, 10)), 80)
    # Then the bars begin and end with it
    whole, first, last = ((line.index("━"), line.rindex("━")) for line in lines)
    assert first[0] == whole[0]
    assert last[1] == whole[1]
    assert (whole[1] - whole[0] + 1) == 10 * (first[1] - first[0] + 1)
    assert "10s" in lines[0]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    deep = span("a span with a name that is rather long, too long to be shown whole", 1, 2)
    for _ in range(6):
        deep = span("层层 outer", 0, 3, deep, kind="attempt")
    assert all(cell_len(line) <= width for line in drawn(deep, width))


def test_of_many_brothers_the_first_and_the_last_are_shown() -> None:
    children = [span("child", number, number + 1, kind="child") for number in range(1000)]
    lines = drawn(span("parent", 0, 1000, *children), 100)
    assert len(lines) == 1 + 6 + 1 + 3
    assert "991 more like these" in lines[7]


def test_what_goes_on_reaches_up_to_now() -> None:
    now = (datetime.now(UTC) - START).total_seconds()
    lines = drawn(span("parent", now - 60, None, span("done", now - 60, now - 30)), 80)
    assert "goes on" in lines[0]
    assert "1m" in lines[0] or "60s" in lines[0]
