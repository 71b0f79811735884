"""Cron patterns and time zones: checked, and turned into the moments at which a schedule is due.

A pattern has five fields and is read on the clock of its zone:

- A local time that a change of the clock leaves out falls due once, at the first moment after the gap.
- A local time that comes twice falls due the first time only.
- A pattern for every hour counts real hours: nothing falls due in the gap, and both of the doubled hours count.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import cache, lru_cache
from itertools import islice

from ..errors import InvalidOptions

__all__ = ["check_cron", "check_zone", "latest_slot", "next_slots", "zones"]

_FIELDS = "minute (0-59), hour (0-23), day of the month (1-31 or L), month (1-12 or JAN-DEC), weekday (0-7 or SUN-SAT)"
_EXAMPLE = 'for example "30 9 * * MON-FRI"'
_MOST_CHARS = 256
_HOURS = 24


def check_cron(pattern: object, name: str = "cron") -> str:
    """`pattern` with single spaces between its fields.

    Errors: `InvalidOptions` for another number of fields than five, a field that cannot be read, and a pattern that
    never falls due.
    """
    from cronsim import CronSim, CronSimError

    if not isinstance(pattern, str) or len(pattern) > _MOST_CHARS:
        raise InvalidOptions(
            f"{name} must be a text of at most {_MOST_CHARS} characters, {_EXAMPLE}, got {str(pattern)[:60]!r} "
            f"({type(pattern).__name__})"
        )
    fields = pattern.split()
    if len(fields) != 5:
        seconds = "; seconds are not possible" if len(fields) == 6 else ""
        raise InvalidOptions(
            f"{name}: {pattern!r} has {len(fields)} fields, expected five: {_FIELDS}, {_EXAMPLE}{seconds}"
        )
    kept = " ".join(fields)
    try:
        never = next(CronSim(kept, datetime(2000, 1, 1)), None) is None  # on any clock
    except (CronSimError, ValueError) as error:
        # "Bad day-of-month", as the parser names the field.
        field = str(error).removeprefix("Bad ").replace("-of-month", " of the month").replace("day-of-week", "weekday")
        raise InvalidOptions(f"{name}: {pattern!r} has a bad {field}, expected {_FIELDS}, {_EXAMPLE}") from None
    if never:
        raise InvalidOptions(f"{name}: {pattern!r} never falls due; no month has such a day")
    return kept


def check_zone(zone: object, name: str = "timezone") -> str:
    """`zone`, which is the name of a time zone. Errors: `InvalidOptions` with near names."""
    if isinstance(zone, str) and (zone == "UTC" or zone in zones()):
        return zone
    shown = f"{str(zone)[:60]!r} ({type(zone).__name__})"
    near = get_close_matches(zone, zones(), n=3) if isinstance(zone, str) and len(zone) <= _MOST_CHARS else []
    hint = (
        f"did you mean {' or '.join(map(repr, near))}?" if near else 'expected a name such as "Europe/Berlin" or "UTC"'
    )
    raise InvalidOptions(f"{name}: no time zone is named {shown}; {hint}")


@cache
def zones() -> tuple[str, ...]:
    """The names of all time zones, sorted."""
    from zoneinfo import available_timezones

    return tuple(sorted(available_timezones() - {"Factory", "localtime"}))


@lru_cache(maxsize=4096)
def next_slots(pattern: str, zone: str, after: int, n: int = 1) -> tuple[int, ...]:
    """The first `n` moments after `after` at which `pattern` is due; fewer where it comes to an end.

    Parameters:
      pattern, zone: as `check_cron` and `check_zone` gave them. `after`: milliseconds since 1970, like the answer.
    """
    slots: list[int] = []
    try:
        for slot in islice(_slots(pattern, zone, after), n):
            slots.append(slot)  # what came before the end of the calendar stays
    except (OverflowError, ValueError):
        # The calendar ends with the year 9999, and begins with the year 1.
        pass
    return tuple(slots)


def latest_slot(pattern: str, zone: str, since: int, now: int) -> int:
    """The last moment up to `now` at which `pattern` was due; `since` is one such moment, or the answer where there is
    none between the two."""
    found, back = since, 60_000
    while True:
        start = max(since, now - back)
        first = _next(pattern, zone, start)
        if first is not None and first <= now:
            found = first
            break
        if start == since:
            return since
        back *= 2
    # Halves what is left, as there may be thousands of moments in it.
    high = now
    while (following := _next(pattern, zone, found)) is not None and following <= now:
        probe = _next(pattern, zone, middle := (following + high) // 2)
        if probe is not None and probe <= now:
            found = probe
        else:
            found, high = following, middle
    return found


def _next(pattern: str, zone: str, after: int) -> int | None:
    return next(iter(next_slots(pattern, zone, after)), None)


def _slots(pattern: str, zone: str, after: int) -> Iterator[int]:
    from zoneinfo import ZoneInfo

    from cronsim import CronSim

    place: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)
    begin = datetime.fromtimestamp(after // 1000, place)
    by_clock = CronSim(pattern, begin.replace(tzinfo=None))
    moments: Iterator[datetime]
    if zone == "UTC":
        moments = CronSim(pattern, begin)
    elif len(by_clock.hours) == _HOURS:
        minute, _, *days = pattern.split()
        moments = CronSim(" ".join([minute, "*", *days]), begin)
    else:
        moments = (_moment(local, place) for local in by_clock)
    last = after
    for moment in moments:
        at = int(moment.timestamp()) * 1000
        # Several local times of a gap are one moment, and the second of a doubled hour is before its first.
        if at > last:
            last = at
            yield at


def _moment(local: datetime, place: tzinfo) -> datetime:
    """When the clock of `place` shows `local` first, or, where it leaves that out, goes on after it."""
    moment = local.replace(tzinfo=place).astimezone(UTC)
    if moment.astimezone(place).replace(tzinfo=None) == local:
        return moment
    # In a gap, the first reading is by the offset before the change and lies after it, the other the other way round.
    before, after = local.replace(tzinfo=place, fold=1).astimezone(UTC), moment
    offset = after.astimezone(place).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(place).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
