"""The trigger option `debounce`: checked where it is written, and again where it comes from another program."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, Required, TypedDict

from ..errors import InvalidOptions
from .duration import LONGEST, parse_duration
from .limits import DEBOUNCE_KEY_CHARS, MIN_DEBOUNCE_MS
from .plain_text import refuse_nul
from .protocol import Debounce

__all__ = ["DebounceOptions", "check_debounce", "debounce_of"]

_MODES = ("leading", "trailing")
_EXAMPLE = '{"key": "user-17", "delay": "5s"}'


class DebounceOptions(TypedDict, total=False):
    """Triggers of a task that follow each other within ``delay`` (1 s or more) under one ``key`` make one run.

    - ``mode``: the run gets the payload, metadata and tags of the first trigger (``leading``, the default) or of the
      last (``trailing``).
    - ``max_delay``: it starts at the latest this time after the first trigger, however many follow.
    """

    key: Required[str]
    delay: Required[str | float | timedelta]
    mode: Literal["leading", "trailing"]
    max_delay: str | float | timedelta | None


def debounce_of(value: Any) -> Debounce:
    """The checked option. Errors: `InvalidOptions` with the field, what came and what is allowed."""
    if not isinstance(value, Mapping):
        raise InvalidOptions(f"debounce must be a mapping such as {_EXAMPLE}, got {value!r}")
    given = {name: field for name, field in value.items() if field is not None}
    unknown = [name for name in given if name not in DebounceOptions.__annotations__]
    if unknown:
        known = ", ".join(DebounceOptions.__annotations__)
        raise InvalidOptions(f"debounce has no {unknown[0]!r}; it has: {known}")
    for name in ("key", "delay"):
        if name not in given:
            raise InvalidOptions(f"debounce.{name} is missing; write debounce={_EXAMPLE}")
    most = given.get("max_delay")
    debounce = Debounce(
        given["key"],
        parse_duration(given["delay"], "debounce.delay"),
        given.get("mode", "leading"),
        None if most is None else parse_duration(most, "debounce.max_delay"),
    )
    check_debounce(debounce)
    return debounce


def check_debounce(debounce: Debounce) -> None:
    """Refuse what is out of its limits. Errors: `InvalidOptions`."""
    key, delay, most = debounce.key, debounce.delay_ms, debounce.max_delay_ms
    if not isinstance(key, str) or not 1 <= len(key) <= DEBOUNCE_KEY_CHARS:
        shown = f"{len(key)} characters" if isinstance(key, str) else repr(key)
        raise InvalidOptions(f"debounce.key must be a text of 1 to {DEBOUNCE_KEY_CHARS} characters, got {shown}")
    refuse_nul("debounce.key", key)
    if not MIN_DEBOUNCE_MS <= delay <= LONGEST:
        raise InvalidOptions(
            f"debounce.delay must be at least {MIN_DEBOUNCE_MS / 1000:g} s and at most 100 years, "
            f"got {delay / 1000:g} s"
        )
    if debounce.mode not in _MODES:
        raise InvalidOptions(f"debounce.mode must be one of {', '.join(_MODES)}, got {debounce.mode!r}")
    if most is not None and not delay <= most <= LONGEST:
        raise InvalidOptions(
            f"debounce.max_delay must be at least debounce.delay ({delay / 1000:g} s), got {most / 1000:g} s"
        )
