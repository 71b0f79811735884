"""What clients ask about a run to show it at a glance: blocking and awaited."""

from __future__ import annotations

from typing import Literal

from ..model.overview_views import RunOverview, RunValue, SpanDetail
from ..model.transport import Transport
from .calls import Call

__all__ = ["AsyncRunOverviews", "RunOverviews"]

ValueName = Literal["payload", "output", "metadata"]


class RunOverviews:
    """Part of the runs of a client: one run at a glance."""

    _transport: Transport

    def overview(self, run_id: str, *, chars: int = 20_000) -> RunOverview:
        """A run with its trace, in one request.

        Parameters:
          chars: a payload, an output or metadata whose JSON is longer is cut, at most 200,000;
            see `value` for the rest.

        Errors: `NotFound`.
        """
        return _overview(run_id, chars).ask(self._transport)

    def value(self, run_id: str, name: ValueName, *, start: int = 0, chars: int = 20_000) -> RunValue:
        """A part of the JSON text of a run's payload, output or metadata, from character `start` on; without secrets.
        Errors: `NotFound`."""
        return _value(run_id, name, start, chars).ask(self._transport)

    def span(self, run_id: str, span: str) -> SpanDetail:
        """A span of a run by its id, or the end of that: its attributes, what lies in it, and the lines written in it.
        Errors: `NotFound`."""
        return _span(run_id, span).ask(self._transport)


class AsyncRunOverviews:
    """Part of the runs of a client: one run at a glance; awaited."""

    _transport: Transport

    async def overview(self, run_id: str, *, chars: int = 20_000) -> RunOverview:
        """See `RunOverviews.overview`."""
        return await _overview(run_id, chars).ask_async(self._transport)

    async def value(self, run_id: str, name: ValueName, *, start: int = 0, chars: int = 20_000) -> RunValue:
        """See `RunOverviews.value`."""
        return await _value(run_id, name, start, chars).ask_async(self._transport)

    async def span(self, run_id: str, span: str) -> SpanDetail:
        """See `RunOverviews.span`."""
        return await _span(run_id, span).ask_async(self._transport)


def _overview(run_id: str, chars: int) -> Call[RunOverview]:
    return Call("runs.overview", {"id": run_id, "chars": chars}, RunOverview.model_validate)


def _value(run_id: str, name: str, start: int, chars: int) -> Call[RunValue]:
    values = {"id": run_id, "name": name, "start": start, "chars": chars}
    return Call("runs.value", values, RunValue.model_validate)


def _span(run_id: str, span: str) -> Call[SpanDetail]:
    return Call("runs.span", {"id": run_id, "span": span}, SpanDetail.model_validate)
