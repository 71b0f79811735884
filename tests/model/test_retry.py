from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detent.errors import InvalidOptions
from detent.model.retry import RetryPolicy


def no_chance() -> float:
    return 0.0


def test_by_default_there_are_three_attempts_and_pauses_grow_from_one_second_to_a_minute() -> None:
    policy = RetryPolicy()
    assert policy.max_attempts == 3
    assert [policy.delay_ms(n, no_chance) for n in (1, 2, 3, 7, 200)] == [1_000, 2_000, 4_000, 60_000, 60_000]


def test_chance_lengthens_a_pause_up_to_twice_and_never_above_the_longest() -> None:
    policy = RetryPolicy(min_timeout=1, max_timeout="5s")
    assert policy.delay_ms(1, lambda: 0.5) == 1_500
    assert policy.delay_ms(3, lambda: 0.999) == 5_000


def test_without_randomize_chance_is_not_asked() -> None:
    def asked() -> float:
        raise AssertionError("random was asked")

    assert RetryPolicy(randomize=False).delay_ms(2, asked) == 2_000


def test_growth_beyond_all_numbers_ends_at_the_longest_pause() -> None:
    assert RetryPolicy(factor=1e9, max_timeout="1h").delay_ms(250, no_chance) == 3_600_000


def test_times_may_be_written_with_units_and_are_kept_as_seconds() -> None:
    policy = RetryPolicy(min_timeout="500ms", max_timeout="2m")
    assert policy == RetryPolicy(min_timeout=0.5, max_timeout=120.0)
    assert hash(policy) == hash(RetryPolicy(min_timeout=0.5, max_timeout=120.0))


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"max_attempts": 0}, "max_attempts: got 0.*250"),
        ({"max_attempts": 251}, "max_attempts: got 251"),
        ({"max_attempts": True}, "max_attempts: got True"),
        ({"max_attempts": "3"}, "max_attempts: got '3'"),
        ({"factor": 0.5}, "factor: got 0.5"),
        ({"factor": float("nan")}, "factor: got nan"),
        ({"min_timeout": "soon"}, "min_timeout: 'soon'"),
        ({"min_timeout": "2m"}, "min_timeout: '2m' is longer than max_timeout"),
        ({"randomize": 1}, "randomize: got 1"),
    ],
)
def test_settings_out_of_their_limits_are_refused_by_name(settings: dict[str, Any], names: str) -> None:
    with pytest.raises(InvalidOptions, match=f"^{names}"):
        RetryPolicy(**settings)
    with pytest.raises(InvalidOptions, match=rf"^retries\.default\.{names}"):
        RetryPolicy.from_dict(settings, "retries.default")


def test_an_unknown_setting_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidOptions, match="retry: unknown setting 'attempts', expected any of max_attempts"):
        RetryPolicy.from_dict({"attempts": 3})


@given(
    st.builds(
        RetryPolicy,
        max_attempts=st.integers(1, 250),
        factor=st.floats(1, 100),
        min_timeout=st.integers(0, 60_000).map(lambda ms: f"{ms}ms"),
        max_timeout=st.integers(60, 86_400),
        randomize=st.booleans(),
    ),
    st.integers(1, 250),
    st.floats(0, 1, exclude_max=True),
)
def test_a_policy_survives_json_and_its_pauses_stay_within_its_limits(
    policy: RetryPolicy, attempt: int, chance: float
) -> None:
    again = RetryPolicy.from_dict(json.loads(json.dumps(policy.to_dict())))
    assert again == policy
    assert isinstance(policy.max_timeout, float)
    assert 0 <= policy.delay_ms(attempt, lambda: chance) <= policy.max_timeout * 1_000
