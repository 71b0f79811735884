"""What clients say of an alert, checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from ..errors import InvalidOptions, near_names
from ..model.alerts import EVENTS, LONGEST_WINDOW_MS, NEWS, RUN_EVENTS, WINDOW_MS, AlertFilters
from ..model.duration import parse_duration
from ..model.limits import NAME_CHARS, TAG_CHARS
from ..model.web_address import check_url

__all__ = ["Target", "events_of", "filters_of", "fitting", "name_of", "target_of", "window_of"]

_VALUES, _MAILS = 50, 20
_MOST_QUEUED = 10_000_000
_LONGEST_AFTER_MS = 7 * 24 * 3_600_000
_IS_MAIL = re.compile(r"[^\s@<>,;:\"\\()\[\]]{1,64}@[A-Za-z0-9.-]{1,190}", re.ASCII)
_FITS = {
    "task": RUN_EVENTS,
    "tag": RUN_EVENTS,
    "fingerprint": ("run.failed",),
    "only": ("run.failed",),
    "queue": ("queue.too_long",),
    "threshold": ("queue.too_long",),
    "after": ("queue.too_long", "worker.none"),
}


class Target(NamedTuple):
    """Where messages go. `text`: the address, or a JSON list of e-mail addresses; `shown`: what anybody may see."""

    channel: str
    text: str
    shown: str


def name_of(name: str | None, default: str) -> str:
    """The name of an alert. Errors: `InvalidOptions`."""
    if name is None:
        return default
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= NAME_CHARS or any(ord(char) < 32 for char in name):
        raise InvalidOptions(f"name must be a line of 1 to {NAME_CHARS} characters, got {name!r}")
    return name.strip()


def events_of(names: Sequence[str]) -> tuple[str, ...]:
    """Errors: `InvalidOptions`."""
    if not names:
        raise InvalidOptions(f"events must name at least one of: {', '.join(EVENTS)}")
    for name in names:
        if name not in EVENTS:
            raise InvalidOptions(near_names("event", name, EVENTS))
    return tuple(dict.fromkeys(names))


def target_of(webhook: str | None, slack: str | None, email: Sequence[str] | None) -> Target:
    """The one channel that is given. Errors: `InvalidOptions`."""
    given = [name for name, value in (("webhook", webhook), ("slack", slack), ("email", email)) if value is not None]
    if len(given) != 1:
        raise InvalidOptions(f"an alert has one of webhook, slack and email, got {' and '.join(given) or 'none'}")
    if email is not None:
        return _mails(email)
    channel = given[0]
    url = check_url(webhook if webhook is not None else slack, channel)
    parts = urlsplit(url)
    # Whoever knows the address of a Slack webhook can write there; other addresses have their keys in the query.
    shown = f"{parts.scheme}://{parts.netloc}" + ("/…" if channel == "slack" else parts.path)
    return Target(channel, url, shown + ("?…" if parts.query and channel == "webhook" else ""))


def filters_of(events: Sequence[str], values: dict[str, Any]) -> AlertFilters:
    """The filters out of `values`: `task`, `tag`, `fingerprint`, `only`, `queue`, `threshold`, `after`.

    Errors: `InvalidOptions`, also for one that fits none of the events.
    """
    given = {name: value for name, value in values.items() if value not in (None, (), [])}
    for name in given:
        if not any(event in events for event in _FITS[name]):
            raise InvalidOptions(f"{name} is for {' and '.join(_FITS[name])} only; the events are {', '.join(events)}")
    for news in given.get("only", ()):
        if news not in NEWS:
            raise InvalidOptions(near_names("kind of failure", news, NEWS))
    threshold = given.get("threshold")
    if "queue.too_long" in events and threshold is None:
        raise InvalidOptions("queue.too_long needs a threshold: how many queued runs are still all right")
    if threshold is not None and not 0 <= threshold <= _MOST_QUEUED:
        raise InvalidOptions(f"threshold must be from 0 to {_MOST_QUEUED:,} queued runs, got {threshold!r}")
    after = given.get("after")
    return AlertFilters(
        **{name: _texts(name, given.get(name, ())) for name in ("task", "tag", "fingerprint", "only", "queue")},
        threshold=threshold,
        after_ms=None if after is None else _length("after", after, _LONGEST_AFTER_MS),
    )


def fitting(events: Sequence[str], values: dict[str, Any]) -> dict[str, Any]:
    """Those of the filters `values` that are for one of the events."""
    return {name: value for name, value in values.items() if any(event in events for event in _FITS[name])}


def window_of(window: str | None) -> int:
    """How long events are gathered, in milliseconds. Errors: `InvalidOptions`."""
    return WINDOW_MS if window is None else _length("window", window, LONGEST_WINDOW_MS)


def _length(name: str, value: str, most: int) -> int:
    ms = parse_duration(value, name)
    if ms > most:
        raise InvalidOptions(f"{name} must be at most {most // 3_600_000} hours, got {value!r}")
    return ms


def _texts(name: str, values: Sequence[str]) -> tuple[str, ...]:
    if len(values) > _VALUES or not all(1 <= len(value) <= max(NAME_CHARS, TAG_CHARS) for value in values):
        raise InvalidOptions(f"{name} takes at most {_VALUES} texts of 1 to {NAME_CHARS} characters")
    return tuple(dict.fromkeys(values))


def _mails(addresses: Sequence[str]) -> Target:
    if not 1 <= len(addresses) <= _MAILS:
        raise InvalidOptions(f"email must be 1 to {_MAILS} addresses, got {len(addresses)}")
    for address in addresses:
        if not _IS_MAIL.fullmatch(address):
            raise InvalidOptions(f"email must be addresses such as ada@example.com, got {address!r}")
    return Target("email", msgspec.json.encode(list(addresses)).decode(), ", ".join(addresses))
