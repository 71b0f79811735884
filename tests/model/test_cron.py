"""When cron patterns are due: on the clock of a zone, also where the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detent.errors import InvalidOptions
from detent.model.cron import check_cron, check_zone, latest_slot, next_slots, zones

BERLIN, LORD_HOWE, KOLKATA = "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"


def ms(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1000


def times(pattern: str, zone: str, after: str, n: int) -> list[str]:
    slots = next_slots(check_cron(pattern), check_zone(zone), ms(after, zone), n)
    return [f"{datetime.fromtimestamp(slot / 1000, ZoneInfo(zone)):%m-%d %H:%M %z}" for slot in slots]


@pytest.mark.parametrize(
    ("pattern", "zone", "after", "due"),
    [
        ("30 9 * * MON-FRI", "UTC", "2026-11-20T10:00", ["11-23 09:30 +0000", "11-24 09:30 +0000"]),
        ("0 9 L * *", KOLKATA, "2026-01-04", ["01-31 09:00 +0530", "02-28 09:00 +0530", "03-31 09:00 +0530"]),
        ("0 0 29 2 *", "UTC", "2026-01-01", ["02-29 00:00 +0000"]),
        # In the spring there is no 2:30: it is made up for when the clock goes on.
        ("30 2 * * *", BERLIN, "2026-03-28", ["03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200"]),
        ("*/15 2 * * *", BERLIN, "2026-03-28T02:45", ["03-29 03:00 +0200", "03-30 02:00 +0200"]),
        ("*/30 2,3 * * *", BERLIN, "2026-03-29", ["03-29 03:00 +0200", "03-29 03:30 +0200", "03-30 02:00 +0200"]),
        ("0 * * * *", BERLIN, "2026-03-29T00:30", ["03-29 01:00 +0100", "03-29 03:00 +0200", "03-29 04:00 +0200"]),
        # In the autumn there are two of them: the first one counts.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", ["10-25 02:30 +0200", "10-26 02:30 +0100"]),
        ("*/30 1-2 * * *", BERLIN, "2026-10-25T01:15", ["10-25 01:30 +0200", "10-25 02:00 +0200", "10-25 02:30 +0200",
                                                        "10-26 01:00 +0100"]),
        # What is due each hour, or more often, is due by the hour that passes.
        ("30 * * * *", BERLIN, "2026-10-25T01:45", ["10-25 02:30 +0200", "10-25 02:30 +0100", "10-25 03:30 +0100"]),
        ("30 0-23 * * *", BERLIN, "2026-10-25T01:45", ["10-25 02:30 +0200", "10-25 02:30 +0100"]),
        # Half an hour is left out, or comes twice.
        ("15 2 * * *", LORD_HOWE, "2026-10-03", ["10-03 02:15 +1030", "10-04 02:30 +1100", "10-05 02:15 +1100"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04", ["04-04 01:45 +1100", "04-05 01:45 +1100", "04-06 01:45 +1030"]),
        # A whole day that there never was.
        ("0 12 * * *", "Pacific/Apia", "2011-12-29", ["12-29 12:00 -1000", "12-31 00:00 +1400", "12-31 12:00 +1400"]),
    ],
)  # fmt: skip
def test_a_pattern_is_read_on_the_clock_of_its_zone(pattern: str, zone: str, after: str, due: list[str]) -> None:
    assert times(pattern, zone, after, len(due)) == due


def test_a_moment_in_the_doubled_hour_does_not_bring_back_what_has_been() -> None:
    second_time = int(datetime(2026, 10, 25, 2, 10, tzinfo=ZoneInfo(BERLIN), fold=1).timestamp()) * 1000
    [slot] = next_slots("30 2 * * *", BERLIN, second_time)
    assert datetime.fromtimestamp(slot / 1000, UTC) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("61 * * * *", "has a bad minute, expected minute .0-59., hour"),
        ("0 0 0 * *", "has a bad day of the month"),
        ("0 0 * * MOON", "has a bad weekday"),
        ("0 0 30 2 *", "has a bad day of the month"),
        ("* * * *", "has 4 fields, expected five"),
        ("0 * * * * *", "has 6 fields, expected five: .*; seconds are not possible"),
        ("", "has 0 fields"),
        (None, "must be a text .*, got 'None' \\(NoneType\\)"),
        ("1," * 200, "at most 256 characters"),
    ],
)
def test_a_pattern_that_is_none_is_refused_with_a_sentence(pattern: str, said: str) -> None:
    with pytest.raises(InvalidOptions, match=said):
        check_cron(pattern)


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/Berln", "no time zone is named 'Europe/Berln' .*; did you mean 'Europe/Berlin'"),
        ("Mars", 'expected a name such as "Europe/Berlin"'),
        ("../../etc/passwd", "no time zone"),
        (None, "no time zone is named 'None' \\(NoneType\\)"),
    ],
)
def test_a_zone_that_is_none_is_refused_with_near_names(zone: str, said: str) -> None:
    with pytest.raises(InvalidOptions, match=said):
        check_zone(zone)


@pytest.mark.parametrize("year", ["9999-12-31T23:58", "0001-01-01T00:00"])
def test_the_calendar_ends_without_an_error(year: str) -> None:
    after = int(datetime.fromisoformat(year).replace(tzinfo=UTC).timestamp()) * 1000
    for zone in ("UTC", BERLIN, "America/New_York"):
        for pattern in ("* * * * *", "0 12 * * *"):
            assert len(next_slots(pattern, zone, after, 10)) <= 10


PATTERNS = ["* * * * *", "*/7 * * * *", "30 2 * * *", "15,45 1-3 * * *", "0 9 L * *", "0 */5 * * 0", "5 0 1 1-6 *"]


@settings(max_examples=60, deadline=None)
@given(
    pattern=st.sampled_from(PATTERNS),
    zone=st.sampled_from(["UTC", BERLIN, LORD_HOWE, KOLKATA, "America/Havana", "Africa/Casablanca"]),
    begin=st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),
    later=st.timedeltas(timedelta(0), timedelta(days=2)),
)
def test_the_latest_time_is_the_last_of_those_that_come_one_by_one(
    pattern: str, zone: str, begin: datetime, later: timedelta
) -> None:
    after = int(begin.replace(tzinfo=UTC).timestamp() * 1000)
    [since] = next_slots(pattern, zone, after)
    now = since + int(later.total_seconds() * 1000)
    last, one_by_one = since, next_slots(pattern, zone, since)
    while one_by_one and one_by_one[0] <= now:
        last = one_by_one[0]
        one_by_one = next_slots(pattern, zone, last)
    assert latest_slot(pattern, zone, since, now) == last


@settings(max_examples=100, deadline=None)
@given(
    pattern=st.sampled_from(PATTERNS),
    zone=st.sampled_from(zones()),
    begin=st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),
)
def test_times_go_forward_and_do_not_depend_on_where_one_begins(pattern: str, zone: str, begin: datetime) -> None:
    after = int(begin.replace(tzinfo=UTC).timestamp() * 1000)
    slots = next_slots(pattern, zone, after, 12)
    assert list(slots) == sorted(set(slots))
    assert slots[0] > after
    assert [next_slots(pattern, zone, slot)[0] for slot in slots[:-1]] == list(slots[1:])
    assert next_slots(pattern, zone, slots[0] - 1)[0] == slots[0]
