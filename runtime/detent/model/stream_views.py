"""What those see who follow runs and streams.

Importing this module loads Pydantic, so only clients, servers and commands that print do it.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .status import Status
from .views import Attempt, ErrorView, Event, Paused, RunSummary, View

__all__ = ["BatchUpdate", "InputSent", "RunChange", "RunUpdate", "StreamInfo", "StreamPart"]


class RunChange(RunSummary):
    """A run as one that follows a list is told of it."""

    metadata: dict[str, Any] = Field(default_factory=dict)


class RunUpdate(RunChange):
    """A run as one that follows it is told of it.

    `output` is there once it has ended; of more than 128 KiB it is not (`output_is_large`), get it with
    ``runs.retrieve``. `events`: what its history has got since the update before; empty in the first.
    """

    error: ErrorView | None = None
    attempts: list[Attempt] = Field(default_factory=list)
    paused: Paused | None = None
    output: Any = None
    output_is_large: bool = False
    events: list[Event] = Field(default_factory=list)


class BatchUpdate(View):
    """A batch: how many runs it has, how many by status, and those that have changed since the update before."""

    id: str
    total: int
    counts: dict[Status, int]
    is_finished: bool
    runs: list[RunChange]


class StreamInfo(View):
    """A stream of a run: how many parts and bytes of JSON it holds, and the attempt that wrote it last."""

    name: str
    parts: int
    bytes: int
    attempt: int
    closed: bool


class StreamPart(View):
    """One part of a stream. `seq` is its place; `restarted`: not a part, but the word that the parts from the number
    `restarted` on, counted from 0, are written again in `attempt`."""

    seq: int
    value: Any = None
    restarted: int | None = None
    attempt: int | None = None


class InputSent(View):
    """A value that was sent to a run; `seq` is its place among those of the stream."""

    run: str
    stream: str
    seq: int
