"""Lengths of time and points in time as people write them: read into milliseconds, shown short."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

from detent.errors import InvalidOptions

__all__ = ["Duration", "When", "format_duration", "is_moment", "parse_duration", "parse_when"]

Duration = str | int | float | timedelta
"""A length of time: text with units ("10m", "1h52m18s"), a number of seconds, or a timedelta."""

When = Duration | datetime
"""A point in time: a datetime with a zone, ISO-8601 text with a zone, or a `Duration` from now."""

SECOND, MINUTE, HOUR, DAY, WEEK = 1_000, 60_000, 3_600_000, 86_400_000, 604_800_000
LONGEST = 100 * 366 * DAY
#: The years 1 to 8999, so that a length of time may be added to a moment that can still be written.
_EARLIEST, LATEST = -62_135_596_800_000, 221_845_392_000_000

_UNITS = {"w": WEEK, "d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": 1}
_TEXT = re.compile(r"\s*".join(rf"(?:(?P<{unit}>\d+(?:\.\d+)?)\s*{unit})?" for unit in _UNITS), re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{8}T", re.ASCII)
_EXAMPLE = '"10m", "1h30m", "500ms", 90 (seconds) or timedelta(minutes=10)'
_ZONE_ADVICE = (
    'so it would be another moment on every machine: add one, for example "2026-11-22T09:00:00Z" or datetime.now(UTC)'
)


def parse_duration(value: Duration, name: str = "duration") -> int:
    """Read a length of time.

    Parameters:
      value: text of numbers with units w, d, h, m, s, ms, largest first ("1w2d", "1h52m18s", "1.5s"); a
        number of seconds; or a timedelta.
      name: the option it was given for; errors begin with it.

    Returns the length in whole milliseconds, 0 or more, at most a hundred years.
    Raises InvalidOptions for anything else.
    """
    if isinstance(value, str):
        ms = _read_text(value, name)
    elif isinstance(value, timedelta):
        ms = value.total_seconds() * SECOND
    elif isinstance(value, int | float) and not isinstance(value, bool):
        ms = value * SECOND
    else:
        raise InvalidOptions(
            f"{name}: got {value!r} ({type(value).__name__}), expected a length of time such as {_EXAMPLE}"
        )
    if not 0 <= ms <= LONGEST:  # also false for NaN
        raise InvalidOptions(f"{name}: {value!r} is out of range, expected 0 or more and at most 100 years")
    return round(ms)


def _read_text(text: str, name: str) -> float:
    match = _TEXT.fullmatch(text.strip().lower())
    parts = {unit: number for unit, number in match.groupdict().items() if number} if match else {}
    if not parts:
        hint = f'; a bare number has no unit, write "{text.strip()}s" for seconds' if _is_number(text) else ""
        raise InvalidOptions(f"{name}: {text!r} is not a length of time, expected such as {_EXAMPLE}{hint}")
    return sum(float(number) * _UNITS[unit] for unit, number in parts.items())


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def parse_when(value: When, now_ms: int, name: str = "delay") -> int:
    """Read a point in time.

    Parameters:
      value: a datetime or ISO-8601 text, both with a zone; or a length of time from now, as
        `parse_duration` takes it. A datetime without a zone is refused: nobody can tell which moment it
        means on the machine that reads it.
      now_ms: the present, in epoch milliseconds.
      name: the option it was given for; errors begin with it.

    Returns epoch milliseconds. A moment in the past is returned as it is. Raises InvalidOptions.
    """
    if isinstance(value, datetime):
        return _epoch_ms(value, repr(value), name)
    if isinstance(value, str) and _DATE.match(value.strip()):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise InvalidOptions(
                f'{name}: {value!r} is not a date and time ({error}), expected such as "2026-11-22T09:00:00Z"'
            ) from None
        return _epoch_ms(moment, repr(value), name)
    try:
        return now_ms + parse_duration(value, name)
    except InvalidOptions as error:
        raise InvalidOptions(f'{error}; a point in time is written "2026-11-22T09:00:00Z"') from None


def is_moment(value: When) -> bool:
    """Whether `value` names a moment rather than a length of time from now."""
    return isinstance(value, datetime) or (isinstance(value, str) and bool(_DATE.match(value.strip())))


def _epoch_ms(moment: datetime, shown: str, name: str) -> int:
    if moment.utcoffset() is None:
        raise InvalidOptions(f"{name}: {shown} has no time zone, {_ZONE_ADVICE}")
    ms = round(moment.timestamp() * SECOND)
    if not _EARLIEST <= ms <= LATEST:
        raise InvalidOptions(f"{name}: {shown} is out of range, expected a moment from the year 1 to the year 8999")
    return ms


def format_duration(ms: float) -> str:
    """A length of time in milliseconds, short, for people: "340ms", "1.2s", "2m 5s", "1h 52m", "3d 4h"."""
    if ms < 0:
        return f"-{format_duration(-ms)}"
    if ms < 999.5:
        return f"{ms:.0f}ms"
    if ms < 59_950:
        return f"{ms / SECOND:.1f}".removesuffix(".0") + "s"
    seconds = round(ms / SECOND)
    if seconds < 3_600:
        return _two(seconds // 60, "m", seconds % 60, "s")
    minutes = round(ms / MINUTE)
    if minutes < 1_440:
        return _two(minutes // 60, "h", minutes % 60, "m")
    hours = round(ms / HOUR)
    return _two(hours // 24, "d", hours % 24, "h")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit} {small}{small_unit}" if small else f"{large}{large_unit}"
