"""The trace of a run as lines: ``+START DURATION NAME [SPAN]``, indented by what lies in what.

What is the same as in the lines before is not said again. A page ends between two spans.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from detent.errors import NotFound

from .results import took
from .untrusted import clean

__all__ = ["TracePage", "end_of_id", "milliseconds", "trace_page"]

#: Lines of a page.
PAGE = 40
#: Of more brothers of one name in a row only the first are shown, those that failed, and how many there are.
_BROTHERS, _FIRST, _FAILED = 8, 3, 5
#: Characters of a name, of an attribute, and of all attributes of a page.
_NAME, _VALUE, _ATTRIBUTES = 60, 40, 500
#: Characters of the end of an id that tell a span from the others.
_ID = 6

_SELF_TELLING = frozenset({"attempt", "queue", "wait", "user", "step"})
#: What lines say otherwise, or is of use for machines alone.
_SAID = frozenset({"status", "outcome", "number", "worker", "queue", "attempt", "children_not_shown"})

Span = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TracePage:
    """Some lines of a trace. `following` is the cursor of the next page, None after the last; `above` names the spans
    that the first line lies in; `first` of `spans` is where the page begins. `failed_later` are the first spans of
    later pages that failed."""

    lines: list[str]
    first: int
    spans: int
    following: str | None
    above: str
    failed_later: list[str]


@dataclass(frozen=True, slots=True)
class _Row:
    """A line: a span, or several `brothers` that are told of together."""

    span: Span
    depth: int
    path: tuple[str, ...]
    place: int
    brothers: Sequence[Span] = ()


def trace_page(root: Span, *, cursor: str | None = None, expand: bool = False, most: int = PAGE) -> TracePage:
    """A page of the trace of a run.

    Parameters:
      root: the span of the run, with those in it. `cursor`: `following` of the page before.
      expand: whether brothers of one name are shown one by one, however many they are.

    Errors: `NotFound` for a cursor of another trace.
    """
    rows = list(_rows(root, expand))
    begin = 0 if cursor is None else _place_of(rows, cursor)
    page = rows[begin : begin + most]
    writer = _Writer(root)
    lines = [writer.line(row) for row in page]
    following = end_of_id(rows[begin + most].span["id"], root["id"]) if begin + most < len(rows) else None
    spans = rows[-1].place + max(1, len(rows[-1].brothers)) if rows else 0
    above = " > ".join(page[0].path) if page and begin else ""
    later = [row for row in rows[begin + most :] if row.span["ok"] is False and not row.brothers][:_FAILED]
    failed = [writer.line(row).strip() for row in later]
    return TracePage(lines, page[0].place + 1 if page else 0, spans, following, above, failed)


def end_of_id(span_id: str, run_id: str) -> str:
    """What is enough of a span's id to ask for it: the whole of a run's, without the run's own of what follows from
    its history."""
    if span_id.startswith(f"{run_id}:"):
        return span_id.removeprefix(f"{run_id}:")
    return span_id if span_id.startswith("run_") else span_id[-_ID:]


def milliseconds(begin: str, end: str | None) -> float:
    """From one moment to another, or to now."""
    over = datetime.now(UTC) if end is None else datetime.fromisoformat(end)
    return max(0.0, (over - datetime.fromisoformat(begin)).total_seconds() * 1000)


def _rows(root: Span, expand: bool) -> Iterator[_Row]:
    place = 0
    pending: list[tuple[tuple[Span, Sequence[Span]], int, tuple[str, ...]]]
    pending = [(found, 0, ()) for found in reversed(_grouped(root["children"], expand))]
    while pending:
        (span, brothers), depth, path = pending.pop()
        yield _Row(span, depth, path, place, brothers)
        place += max(1, len(brothers))
        if not brothers:
            inside = (*path, _label(span))
            pending += [(found, depth + 1, inside) for found in reversed(_grouped(span["children"], expand))]


def _grouped(spans: Sequence[Span], expand: bool) -> list[tuple[Span, Sequence[Span]]]:
    """The spans; of many brothers of one name that nothing lies in, some, and the others together."""
    found: list[tuple[Span, Sequence[Span]]] = []
    for (_, _, has_parts), group in groupby(
        spans, key=lambda span: (span["kind"], span["name"], bool(span["children"]))
    ):
        brothers = list(group)
        if expand or has_parts or len(brothers) <= _BROTHERS:
            found += [(span, ()) for span in brothers]
            continue
        shown = brothers[:_FIRST]
        failed = [span for span in brothers[_FIRST:] if span["ok"] is False][:_FAILED]
        alone = {span["id"] for span in (*shown, *failed)}
        rest = [span for span in brothers if span["id"] not in alone]
        found += [(span, ()) for span in (*shown, *failed)]
        found.append((rest[0], rest))
    return found


def _place_of(rows: Sequence[_Row], cursor: str) -> int:
    for place, row in enumerate(rows):
        if row.span["id"] == cursor or row.span["id"].endswith(cursor):
            return place
    raise NotFound(f"no span {cursor!r} to go on from in this trace; leave cursor out to begin at its beginning")


class _Writer:
    """Writes the lines of one page, and knows what it has written."""

    def __init__(self, root: Span) -> None:
        self._root = root
        self._said: dict[str, str] = {}
        self._room = _ATTRIBUTES

    def line(self, row: _Row) -> str:
        indent = "  " * row.depth
        if row.brothers:
            return f"{indent}{_together(row.brothers)}"
        span = row.span
        start = took(milliseconds(self._root["start"], span["start"]))
        parts = [f"+{start}", took(milliseconds(span["start"], span["end"])) or "", _label(span), _state(span)]
        parts += [self._attributes(span), self._id(span)]
        return indent + " ".join(part for part in parts if part)

    def _id(self, span: Span) -> str:
        # Time in the queue and waits hold nothing more than their line says.
        if span["kind"] in {"queue", "wait"} or (span["kind"] == "retry" and span["name"] == "backoff"):
            return ""
        return f"[{end_of_id(span['id'], self._root['id'])}]"

    def _attributes(self, span: Span) -> str:
        told = []
        for name, value in span["attributes"].items():
            text = _short(value if isinstance(value, str) else _plain(value), _VALUE)
            if name in _SAID or self._said.get(name) == text:
                continue
            pair = f"{_short(name, 30)}={text}"
            if len(pair) > self._room:
                continue
            self._said[name] = text
            self._room -= len(pair)
            told.append(pair)
        return " ".join(told)


def _label(span: Span) -> str:
    name = _short(span["name"], _NAME) or span["kind"]
    if span["kind"] == "child":
        return f"run {name}"
    return name if span["kind"] in _SELF_TELLING or name == "backoff" else f"{span['kind']} {name}"


def _short(text: str, most: int) -> str:
    """Somebody else's text in one line, clean, and cut."""
    line = " ".join(clean(text[: most * 4]).split())
    return line if len(line) <= most else f"{line[:most]}…"


def _state(span: Span) -> str:
    status, outcome = span["attributes"].get("status"), span["attributes"].get("outcome")
    if span["kind"] == "child" and isinstance(status, str):
        return "" if status == "COMPLETED" else status
    if span["ok"] is None:
        return "goes on"
    if span["ok"]:
        return ""
    return f"FAILED ({outcome})" if isinstance(outcome, str) else "FAILED"


def _together(brothers: Sequence[Span]) -> str:
    states = Counter(_state(span) or "ok" for span in brothers)
    took_ms = sorted(milliseconds(span["start"], span["end"]) for span in brothers)
    counts = ", ".join(f"{number} {state}" for state, number in states.most_common())
    each = f"{took(took_ms[0])} to {took(took_ms[-1])}"
    return f"… {len(brothers)} more {_label(brothers[0])}: {counts}, {each} (expand=true shows each)"


def _plain(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
