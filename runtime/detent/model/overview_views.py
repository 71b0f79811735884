"""A run as it is looked at once: the shapes of overviews."""

from __future__ import annotations

from pydantic import Field

from .views import LogEntry, RunDetail, TraceSpan, View

__all__ = ["RunOverview", "RunValue", "SpanDetail", "SpanPlace"]


class RunValue(View):
    """A part of the JSON text of a value of a run: from character `start` on, of `characters` in all. `following` is
    where the next part begins, None after the last."""

    run: str
    name: str
    text: str
    start: int = 0
    characters: int
    following: int | None = None


class RunOverview(View):
    """A run and its trace. `cut` has the beginning of each value that is too long, which is left out of `run`."""

    run: RunDetail
    cut: dict[str, RunValue] = Field(default_factory=dict)
    trace: TraceSpan


class SpanPlace(View):
    """A span that another one lies in."""

    id: str
    name: str
    kind: str


class SpanDetail(View):
    """A span of a run: the `path` down to it, and the lines that were written in it, the first 200 of `logs_total`."""

    run: str
    path: list[SpanPlace] = Field(default_factory=list)
    span: TraceSpan
    logs: list[LogEntry] = Field(default_factory=list)
    logs_total: int = 0
