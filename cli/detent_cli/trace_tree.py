"""The trace of a run as a tree with times, and bars that show where in the run each part lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text
from rich.tree import Tree

from detent.model.duration import format_duration
from detent.model.views import TraceSpan
from detent_cli.styles import milliseconds, one_line, status_text

__all__ = ["trace_tree"]

#: So many brothers of one name in a row are shown; of more, the first and the last ones.
_BROTHERS, _FIRST, _LAST = 12, 6, 3
_INDENT, _NAME, _TOOK = 4, 44, 9
_LEAST_BAR, _MOST_BAR = 12, 40
_QUIET = frozenset({"queue", "wait", "retry"})


class _Scale(NamedTuple):
    """The whole that the bars are drawn against, and the columns that there are."""

    start: datetime
    end: datetime
    name: int
    bar: int


def trace_tree(root: TraceSpan, width: int) -> Tree:
    """The tree of `root`, `width` columns wide."""
    ends = [span.end for span in _all(root) if span.end is not None]
    is_over = root.end is not None
    end = max(ends) if is_over and ends else datetime.now(UTC)
    name = min(max(cell_len(_name(span)) + _INDENT * depth for span, depth in _with_depth(root)), _NAME)
    room = width - name - _TOOK - 2 - max(len(_remark(span).plain) for span in _all(root))
    scale = _Scale(root.start, max(end, root.start), name, min(room, _MOST_BAR) if room >= _LEAST_BAR else 0)
    tree = Tree(_label(root, 0, scale), guide_style="dim")
    _grow(tree, root.children, 1, scale)
    return tree


def _grow(tree: Tree, spans: Sequence[TraceSpan], depth: int, scale: _Scale) -> None:
    for _, group in groupby(spans, key=lambda span: (span.kind, span.name)):
        brothers = list(group)
        if len(brothers) <= _BROTHERS:
            _add(tree, brothers, depth, scale)
            continue
        _add(tree, brothers[:_FIRST], depth, scale)
        tree.add(Text(_left_out(brothers[_FIRST:-_LAST]), style="dim"))
        _add(tree, brothers[-_LAST:], depth, scale)


def _add(tree: Tree, spans: Sequence[TraceSpan], depth: int, scale: _Scale) -> None:
    for span in spans:
        _grow(tree.add(_label(span, depth, scale)), span.children, depth + 1, scale)


def _left_out(spans: Sequence[TraceSpan]) -> str:
    going_on = sum(span.ok is None for span in spans)
    failed = sum(span.ok is False for span in spans)
    parts = [f"… {len(spans)} more like these"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{going_on} not ended"] if going_on else []
    return ", ".join(parts)


def _label(span: TraceSpan, depth: int, scale: _Scale) -> Text:
    quiet = span.kind in _QUIET
    name = _name(span)
    room = scale.name - _INDENT * depth
    if cell_len(name) > room:
        name = f"{name[: max(1, room - 1)]}…"
    label = Text(name, style="dim" if quiet else "bold" if span.kind == "run" else "")
    label.append(" " * max(0, room - cell_len(name)))
    end = span.end or max(scale.end, span.start)
    label.append(format_duration(max(0.0, milliseconds(span.start, end))).rjust(_TOOK), style="cyan")
    label.append("  ")
    if scale.bar:
        before, within, after = _bar(span.start, end, scale)
        label.append(" " * before)
        label.append("━" * within, style=_colour(span))
        label.append(" " * after + " ")
    label.append_text(_remark(span))
    label.no_wrap = True
    label.overflow = "ellipsis"
    return label


def _bar(start: datetime, end: datetime, scale: _Scale) -> tuple[int, int, int]:
    whole = max(milliseconds(scale.start, scale.end), 1.0)

    def column(moment: datetime) -> int:
        return round(scale.bar * min(1.0, max(0.0, milliseconds(scale.start, moment) / whole)))

    before = min(column(start), scale.bar - 1)
    within = max(1, column(end) - before)
    return before, within, scale.bar - before - within


def _colour(span: TraceSpan) -> str:
    if span.kind in _QUIET:
        return "bright_black"
    return "cyan" if span.ok is None else "green" if span.ok else "red"


def _remark(span: TraceSpan) -> Text:
    status = span.attributes.get("status")
    if isinstance(status, str):
        return status_text(status)
    if span.ok is None:
        return Text("goes on", style="cyan")
    if span.ok:
        return Text("")
    outcome = span.attributes.get("outcome")
    return Text(f"failed, {outcome}" if isinstance(outcome, str) else "failed", style="red")


def _name(span: TraceSpan) -> str:
    return one_line(span.name, 120) or span.kind


def _all(span: TraceSpan) -> Iterator[TraceSpan]:
    return (found for found, _ in _with_depth(span))


def _with_depth(span: TraceSpan, depth: int = 0) -> Iterator[tuple[TraceSpan, int]]:
    yield span, depth
    for child in span.children:
        yield from _with_depth(child, depth + 1)
