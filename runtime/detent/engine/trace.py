"""The trace of a run, put together out of its history, its children and the spans that it wrote.

A run that writes no span still has a trace: time in the queue, attempts, waits and backoffs follow from
the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..model.status import FINAL
from .views import iso, status_of

__all__ = ["trace_of"]


class _Span:
    """A span while the tree is built; times are milliseconds."""

    __slots__ = ("attributes", "children", "end", "id", "kind", "name", "ok", "parent_id", "start")

    def __init__(self, id: str, name: str, kind: str, start: int) -> None:
        self.id = id
        self.name = name
        self.kind = kind
        self.start = start
        self.end: int | None = None
        self.ok: bool | None = None
        self.parent_id: str | None = None
        self.attributes: dict[str, Any] = {}
        self.children: list[_Span] = []

    def close(self, at: int, ok: bool | None = True) -> None:
        self.end = at
        self.ok = ok

    def add(self, child: _Span) -> _Span:
        child.parent_id = self.id
        self.children.append(child)
        return child

    def to_dict(self) -> dict[str, Any]:
        self.children.sort(key=lambda child: child.start)
        return {
            "id": self.id,
            "parent_id": self.parent_id,
            "name": self.name,
            "kind": self.kind,
            "start": iso(self.start),
            "end": iso(self.end),
            "ok": self.ok,
            "attributes": self.attributes,
            "children": [child.to_dict() for child in self.children],
        }


def trace_of(
    run: Any, events: Sequence[Any], children: Sequence[Any], children_total: int, spans: Sequence[Any]
) -> dict[str, Any]:
    """The tree of `run`: queue, attempts with their waits, children and spans, backoffs.

    Parameters:
      events: its history. `children`: the runs that it started, perhaps only the first of `children_total`.
      spans: rows that the run wrote: id, parent_id, attempt, name, kind, start, end, ok, attributes (JSON
        text).
    """
    root = _Span(run["id"], run["task"], "run", run["created_at"])
    root.attributes = {"status": status_of(run), "queue": run["queue"], "attempt": run["attempt"]}
    if run["state"] in FINAL:
        root.close(run["finished_at"], run["state"] == "COMPLETED")
    attempts = _walk(root, events)
    for child in children:
        _add_child(_host(root, attempts, child["created_at"]), child)
    if children_total > len(children):
        root.attributes["children_not_shown"] = children_total - len(children)
    _add_written(root, attempts, spans)
    return root.to_dict()


def _walk(root: _Span, events: Sequence[Any]) -> list[_Span]:
    """Follow the history; the attempts in order."""
    attempts: list[_Span] = []
    attempt: _Span | None = None
    open_span: _Span | None = None

    def begin(name: str, kind: str, event: Any) -> _Span:
        return (attempt or root).add(_Span(f"{root.id}:{kind}:{event['seq']}", name, kind, event["at"]))

    for event in events:
        at, kind = event["at"], event["kind"]
        if kind == "debounced":
            continue  # it goes on being delayed
        if open_span is not None and kind != "cancel_requested":
            open_span.close(at)
            open_span = None
        if kind == "claim":
            if attempt is None:
                attempt = root.add(_Span(f"{root.id}:attempt:{event['seq']}", "", "attempt", at))
                attempt.name = f"attempt {event['attempt']}"
                attempt.attributes = {"number": event["attempt"]}
                attempts.append(attempt)
            attempt.attributes["worker"] = event["worker_id"]
        elif kind == "park":
            open_span = begin("waiting", "wait", event)
        elif kind == "finish":
            if attempt is not None:
                attempt.close(at, event["state"] == "COMPLETED")
            attempt = None
        else:
            if kind in {"retry", "lose_lease", "release"} and attempt is not None:
                attempt.close(at, False)
                attempt.attributes["outcome"] = kind
                attempt = None
            if event["state"] == "DELAYED":
                open_span = begin("backoff", "retry", event) if kind == "retry" else begin("delayed", "wait", event)
            elif event["state"] == "QUEUED":
                open_span = begin("queued", "queue", event)
            elif event["state"] == "PENDING_VERSION":
                open_span = begin("waiting for a worker", "queue", event)
    return attempts


def _host(root: _Span, attempts: Sequence[_Span], at: int, number: int | None = None) -> _Span:
    """The attempt in which something happened: of its number, where known, as clocks of hosts may differ."""
    possible = [attempt for attempt in attempts if number is None or attempt.attributes["number"] == number]
    begun = [attempt for attempt in possible if attempt.start <= at]
    if begun:
        return begun[-1]
    return possible[0] if possible and number is not None else root


def _add_child(host: _Span, child: Any) -> None:
    span = host.add(_Span(child["id"], child["task"], "child", child["created_at"]))
    span.attributes = {"status": status_of(child)}
    if child["state"] in FINAL:
        span.close(child["finished_at"], child["state"] == "COMPLETED")


def _add_written(root: _Span, attempts: Sequence[_Span], rows: Sequence[Any]) -> None:
    spans: dict[str, _Span] = {}
    for row in rows:
        span = _Span(row["id"], row["name"], row["kind"], row["start"])
        span.close(row["end"], bool(row["ok"]))
        span.attributes = msgspec.json.decode(row["attributes"]) if row["attributes"] else {}
        spans[span.id] = span
    for row in rows:
        span = spans[row["id"]]
        host = spans.get(row["parent_id"]) if row["parent_id"] else None
        if host is None or host is span:
            host = _host(root, attempts, row["start"], row["attempt"])
        host.add(span)
