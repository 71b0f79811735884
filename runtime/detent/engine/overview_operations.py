"""A run for those who look at it once: with its trace, and with no more of large values than is read at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ..errors import InvalidOptions, NotFound, near_names
from ..model.redaction import Redactor
from .queries import Seq, whole

__all__ = ["OverviewOperations"]

#: Characters of a value's JSON that are given in one answer, and lines of a span.
VALUE_CHARS, SPAN_LINES = 200_000, 200
#: Lines of a run among which those of a span are looked for.
LINES = 10_000

_VALUES = ("payload", "output", "metadata")
Chars = Annotated[int, Meta(ge=1, le=VALUE_CHARS)]


class OverviewOperations:
    """Overviews of runs, their spans, and parts of their values.

    Parameters:
      retrieve, trace, logs: the operations ``runs.retrieve``, ``runs.trace`` and ``runs.logs``.
      redactor: gives what takes secrets out of what users wrote.
    """

    def __init__(
        self,
        retrieve: Callable[..., dict[str, Any]],
        trace: Callable[..., dict[str, Any]],
        logs: Callable[..., dict[str, Any]],
        redactor: Callable[[], Redactor],
    ) -> None:
        self._retrieve = retrieve
        self._trace = trace
        self._logs = logs
        self._redactor = redactor
        self.by_name: dict[str, Callable[..., Any]] = {
            "runs.overview": self.overview,
            "runs.span": self.span,
            "runs.value": self.value,
        }

    def overview(self, *, id: str, chars: Chars = 20_000) -> dict[str, Any]:
        """A run with its trace, in one answer.

        `chars`: a payload, an output or metadata with longer JSON is left out of `run`; its beginning is in `cut`, and
        ``runs.value`` has the rest.

        Errors: `NotFound`.
        """
        most = whole("chars", chars, 1, VALUE_CHARS)
        run = self._retrieve(id=id)
        cut: dict[str, Any] = {}
        for name in _VALUES:
            # Characters are never more than bytes: what is short enough needs no second look.
            if len(msgspec.json.encode(run[name])) <= most:
                continue
            safe = self._safe(run[name])
            if safe is not run[name]:
                # It leads to the value as it was written.
                run |= {key: None for key in (f"{name}_presigned_url",) if key in run}
            cut[name] = _part(id, name, safe, 0, most)
            run[name] = {} if name == "metadata" else None
        return {"run": run, "cut": cut, "trace": self._trace(id=id)}

    def value(
        self, *, id: str, name: Literal["payload", "output", "metadata"], start: Seq = 0, chars: Chars = 20_000
    ) -> dict[str, Any]:
        """A part of the JSON text of a payload, an output or metadata, without secrets.

        `start`: the first character, from 0.

        Errors: `NotFound`, `InvalidOptions`.
        """
        if name not in _VALUES:
            raise InvalidOptions(near_names("name", name, _VALUES))
        most = whole("chars", chars, 1, VALUE_CHARS)
        safe = self._safe(self._retrieve(id=id)[name])
        return _part(id, name, safe, whole("start", start, 0, 2**62), most)

    def span(self, *, id: str, span: str) -> dict[str, Any]:
        """A span of a run by its id, or by the end of its id: with what lies in it, and the lines that were written in
        it.

        Errors: `NotFound`.
        """
        trace = self._trace(id=id)
        found = [path for path in _paths(trace) if path[-1]["id"] == span]
        found = found or [path for path in _paths(trace) if len(span) >= 4 and path[-1]["id"].endswith(span)]
        if len(found) != 1:
            several = "several spans end so" if found else "none has this id"
            raise NotFound(f"no span {span!r} in run {id!r}: {several}; read the trace of the run for its spans")
        path = found[0]
        one = path[-1]
        inside = {part[-1]["id"] for part in _paths(one)}
        attempt = one["attributes"].get("number") if one["kind"] == "attempt" else None
        lines = [
            line
            for line in self._logs(id=id, limit=LINES)["items"]
            if line["span_id"] in inside or (attempt is not None and line["attempt"] == attempt)
        ]
        return {
            "run": id,
            "path": [{"id": above["id"], "name": above["name"], "kind": above["kind"]} for above in path[:-1]],
            "span": one,
            "logs": lines[:SPAN_LINES],
            "logs_total": len(lines),
        }

    def _safe(self, value: Any) -> Any:
        """The value without secrets, which are found by their names: so nothing may be cut before."""
        return self._redactor().data(value)


def _part(run_id: str, name: str, value: Any, start: int, chars: int) -> dict[str, Any]:
    text = msgspec.json.encode(value).decode()
    end = min(start + chars, len(text))
    return {
        "run": run_id,
        "name": name,
        "text": text[start:end],
        "start": start,
        "characters": len(text),
        "following": end if end < len(text) else None,
    }


def _paths(root: dict[str, Any]) -> Iterator[tuple[dict[str, Any], ...]]:
    """Each span with those above it, in order."""
    pending: list[tuple[dict[str, Any], ...]] = [(root,)]
    while pending:
        path = pending.pop()
        yield path
        pending += [(*path, child) for child in reversed(path[-1]["children"])]
