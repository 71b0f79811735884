"""The endpoints that answer with server-sent events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..engine.feeds import is_past_end
from ..engine.stream_operations import StreamOperations
from ..errors import InvalidOptions
from .hub import Hub
from .parameters import Parameters
from .sse import EventResponse

__all__ = ["following"]


def following(
    hub: Hub, operation: str, parameters: Parameters, streams_of: Callable[[Request], StreamOperations]
) -> Callable[[Request], Any]:
    """The endpoint of one of `FEEDS`.

    Parameters:
      streams_of: the operations of the environment that a request is for.
    """

    async def endpoint(request: Request) -> Response:
        values = parameters.of_query(request.query_params) | request.path_params
        parameters.check_required(values)
        # What is not known must not be left out: it may have been meant to narrow what is told.
        unknown = sorted(values.keys() - {taken.name for taken in parameters})
        if unknown:
            taken = ", ".join(taken.name for taken in parameters)
            raise InvalidOptions(f"{operation} does not take {unknown[0]!r}; it takes: {taken}")
        event_id = request.headers.get("last-event-id") or values.pop("last_event_id", None)
        values.pop("last_event_id", None)
        feed = streams_of(request).feed(operation, **values)
        if is_past_end(event_id):
            return Response(status_code=204)  # a browser that is told so does not come back
        position = await hub.position(feed, event_id)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")  # there would be no end of what is not sent
        return EventResponse(hub.follow(feed, position))

    return endpoint
