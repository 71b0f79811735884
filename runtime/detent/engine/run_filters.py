"""Which runs somebody asks for: the filters of lists and of bulk actions, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidOptions, near_names
from ..model.duration import parse_duration
from ..model.status import Status
from .queries import moment, several

__all__ = ["RunFilter", "read_filter", "renamed"]

#: Values that one filter may have.
_VALUES = 50
#: Other names of filters, for whoever writes them in an address.
_ALIASES = {"from": "since", "to": "until"}


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; several values of a field mean any of them. `since` and `until` are milliseconds since
    1970."""

    status: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    queue: str | None = None
    batch: str | None = None
    parent: str | None = None
    root: str | None = None
    schedule: str | None = None
    since: int | None = None
    until: int | None = None
    search: str | None = None
    error: str | None = None


def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with ``from`` and ``to`` as ``since`` and ``until``. Errors: `InvalidOptions` where both are given."""
    named: dict[str, Any] = {}
    for name, value in values.items():
        other = _ALIASES.get(name, name)
        if other in named:
            raise InvalidOptions(f"{other} was given twice, also as {name!r}; give one of them")
        named[other] = value
    return named


def read_filter(
    now: int,
    *,
    status: str | Sequence[str] = (),
    task: str | Sequence[str] = (),
    version: str | Sequence[str] = (),
    tag: str | Sequence[str] = (),
    queue: str | None = None,
    batch: str | None = None,
    parent: str | None = None,
    root: str | None = None,
    schedule: str | None = None,
    since: str | None = None,
    until: str | None = None,
    period: str | None = None,
    search: str | None = None,
    error: str | None = None,
) -> RunFilter:
    """The filter that these values mean, see `RunFilter`.

    Parameters:
      now: milliseconds since 1970. `since`, `until`: ISO-8601 with a zone. `period`: a length of time back from now.

    Errors: `InvalidOptions`.
    """
    begins = moment("since", since)
    if period is not None:
        if since is not None:
            raise InvalidOptions("since and period were both given; leave one of them out")
        begins = now - parse_duration(period, "period")
    return RunFilter(
        status=_statuses(_few("status", status)),
        task=_few("task", task),
        version=_few("version", version),
        tag=_few("tag", tag),
        queue=queue,
        batch=batch,
        parent=parent,
        root=root,
        schedule=schedule,
        since=begins,
        until=moment("until", until),
        search=search or None,
        error=error or None,
    )


def _few(name: str, value: str | Sequence[str]) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(several(value)))
    if len(values) > _VALUES:
        raise InvalidOptions(f"{name} takes at most {_VALUES} values, got {len(values)}")
    return values


def _statuses(names: Sequence[str]) -> tuple[str, ...]:
    known = [status.value for status in Status]
    for name in names:
        if name not in known:
            raise InvalidOptions(near_names("status", name, known))
    return tuple(names)
