from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detent.errors import InvalidOptions
from detent.model.duration import DAY, HOUR, MINUTE, SECOND, WEEK, format_duration, parse_duration, parse_when

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("10m", 10 * MINUTE),
        ("1h52m18s", HOUR + 52 * MINUTE + 18 * SECOND),
        ("1w2d", WEEK + 2 * DAY),
        ("500ms", 500),
        ("1.5s", 1_500),
        ("1 h 30 M", 90 * MINUTE),
        ("0s", 0),
        (90, 90 * SECOND),
        (0.25, 250),
        (timedelta(minutes=10, milliseconds=3), 10 * MINUTE + 3),
    ],
)
def test_lengths_of_time_are_read_as_people_write_them(written: str | float | timedelta, ms: int) -> None:
    assert parse_duration(written) == ms


@pytest.mark.parametrize(
    "written", ["", " ", "ten minutes", "10", "-5m", "5m1h", "10x", "1e3s", "٣s", True, None, [5], b"5m"]
)
def test_what_is_not_a_length_of_time_is_refused_with_the_option_and_an_example(written: object) -> None:
    with pytest.raises(InvalidOptions, match=r"^ttl: .*10m"):
        parse_duration(written, "ttl")  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [-1, -0.5, float("nan"), float("inf"), 1e300, 10**400, "5300w", timedelta(-1)])
def test_lengths_below_zero_or_beyond_a_hundred_years_are_refused(number: str | float | timedelta) -> None:
    with pytest.raises(InvalidOptions, match=r"delay: .* out of range"):
        parse_duration(number, "delay")


def test_a_bare_number_as_text_is_refused_with_the_advice_to_add_a_unit() -> None:
    with pytest.raises(InvalidOptions, match='"600s"'):
        parse_duration("600")


@given(st.integers(0, 50 * 366 * DAY))
def test_any_number_of_milliseconds_survives_being_written_out_in_units(ms: int) -> None:
    rest, text = ms, ""
    for unit, size in (("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)):
        number, rest = divmod(rest, size)
        text += f"{number}{unit}" if number else ""
    assert parse_duration(text or "0ms") == ms


@given(st.integers(0, 50 * 366 * DAY))
def test_what_is_shown_to_people_is_read_back_as_nearly_the_same(ms: int) -> None:
    assert parse_duration(format_duration(ms)) == pytest.approx(ms, rel=0.05, abs=1)


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0, "0ms"),
        (340, "340ms"),
        (999.7, "1s"),
        (1_000, "1s"),
        (1_240, "1.2s"),
        (59_960, "1m"),
        (125_000, "2m 5s"),
        (3_599_900, "1h"),
        (HOUR + 52 * MINUTE + 18 * SECOND, "1h 52m"),
        (DAY - 1, "1d"),
        (3 * DAY + 4 * HOUR, "3d 4h"),
        (-1_200, "-1.2s"),
    ],
)
def test_lengths_of_time_are_shown_short(ms: float, shown: str) -> None:
    assert format_duration(ms) == shown


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        (NOON, NOON_MS),
        (NOON.astimezone(timezone(timedelta(hours=9))), NOON_MS),
        ("2026-11-22T12:00:00Z", NOON_MS),
        ("2026-11-22T13:00:00.250+01:00", NOON_MS + 250),
        ("20261122T120000Z", NOON_MS),
        ("10m", NOON_MS - HOUR + 10 * MINUTE),
        (90, NOON_MS - HOUR + 90 * SECOND),
        (timedelta(days=1), NOON_MS - HOUR + DAY),
    ],
)
def test_a_point_in_time_is_a_moment_or_a_length_from_now(written: datetime | str | float | timedelta, ms: int) -> None:
    assert parse_when(written, now_ms=NOON_MS - HOUR) == ms


@pytest.mark.parametrize("naive", [datetime(2026, 11, 22, 12), "2026-11-22T12:00:00", "2026-11-22"])
def test_a_moment_without_a_zone_is_refused_since_it_means_another_one_elsewhere(
    naive: datetime | str,
) -> None:
    with pytest.raises(InvalidOptions, match=r"delay: .*no time zone.*datetime\.now\(UTC\)"):
        parse_when(naive, NOON_MS)


@pytest.mark.parametrize("wrong", ["2026-13-40T00:00:00Z", "tomorrow", None])
def test_what_is_no_point_in_time_is_refused_with_an_example(wrong: object) -> None:
    with pytest.raises(InvalidOptions, match="2026-11-22T09:00:00Z"):
        parse_when(wrong, NOON_MS)  # type: ignore[arg-type]
