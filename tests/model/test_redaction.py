"""Secrets are found by name, by value and by form; what is innocent stays as it is."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from detent.model.redaction import REDACTED, Redactor, is_secret_name

SECRET = 'k3y/with "quotes"\\and\tmore'


@pytest.mark.parametrize(
    "name",
    ["password", "db_password", "DB_PASSWORD", "X-Api-Key", "openaiApiKey", "Authorization", "Set-Cookie", "secret",
     "clientSecret", "refresh_token", "accessToken", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "private-key"],
)  # fmt: skip
def test_names_of_secrets_are_known_however_their_words_are_joined(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["max_tokens", "total_tokens", "token_count", "tokens", "monkey", "keyboard", "author", "passwords_changed_at",
     "secretary", "", "key", "idempotency_key", "concurrency_key", "name"],
)  # fmt: skip
def test_names_that_only_look_alike_are_left(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "shown", [SECRET, json.dumps(SECRET)[1:-1], repr(SECRET)[1:-1], quote(SECRET, safe=""), quote(SECRET)]
)
def test_a_value_is_found_in_every_way_of_writing_it(shown: str) -> None:
    assert Redactor([SECRET]).text(f"a{shown}b") == f"a{REDACTED}b"


def test_the_longer_of_two_values_is_taken_out_whole() -> None:
    assert Redactor(["abcdefgh", "abcdefghij"]).text("xabcdefghijx") == f"x{REDACTED}x"


def test_short_values_are_left_since_innocent_words_hold_them() -> None:
    assert Redactor(["debug", ""]).text("debugging") == "debugging"


def test_the_lines_of_a_long_secret_are_found_one_by_one() -> None:
    pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----"
    redactor = Redactor([pem])
    assert redactor.text("line: MIIEvQIBADANBgkqhkiG9w0B") == f"line: {REDACTED}"
    assert redactor.text("-----BEGIN KEY-----") == "-----BEGIN KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key dt_dev_abc_0123456789 is wrong", f"key {REDACTED} is wrong"),
        ("Authorization: Bearer abcdef.123456", f"Authorization: Bearer {REDACTED}"),
        ("Incorrect API key provided: sk-proj-abcdefghij1234567890.", f"Incorrect API key provided: {REDACTED}."),
        ("postgres://me:pa55@db/x?y=1 and http://h:80/a@b", f"postgres://{REDACTED}@db/x?y=1 and http://h:80/a@b"),
        ("redis://:word@h:6379", f"redis://{REDACTED}@h:6379"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkZXYifQ.c2lnbmF0dXJlLW9mLWl0", REDACTED),
        (f"pushed with ghp_{'a1' * 18}, twice", f"pushed with {REDACTED}, twice"),
        (f"AKIA{'A1' * 8} xoxb-0123456789-abc", f"{REDACTED} {REDACTED}"),
        ("a -----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY----- b", f"a {REDACTED} b"),
        ("high ghosts_of_task_live_here, xoxo", "high ghosts_of_task_live_here, xoxo"),
        ("a task-oriented bearer of news", "a task-oriented bearer of news"),
    ],
)
def test_keys_are_known_by_their_form(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected


def test_values_under_secret_names_are_taken_out_at_any_depth_and_numbers_of_tokens_stay() -> None:
    value = {
        "user": {"password": "x", "tokens": 3},
        "headers": [{"Authorization": ["a", "b"]}],
        "token": None,
        "n": 1.5,
    }
    assert Redactor().data(value) == {
        "user": {"password": REDACTED, "tokens": 3},
        "headers": [{"Authorization": REDACTED}],
        "token": None,
        "n": 1.5,
    }
    assert value["user"] == {"password": "x", "tokens": 3}


def test_what_holds_no_secret_is_given_back_itself() -> None:
    value = {"a": [1, {"b": "text"}], "c": None}
    assert Redactor(["secret-value"]).data(value) is value


def test_names_can_be_added_and_taken_off() -> None:
    redactor = Redactor(names=["iban", "!token"])
    assert redactor.data({"iban": "DE1", "customerIban": "DE2", "token": "t"}) == {
        "iban": REDACTED,
        "customerIban": REDACTED,
        "token": "t",
    }


def test_a_value_nested_without_end_is_cut_instead_of_failing() -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    assert REDACTED in str(Redactor().data(deep))


def test_the_secrets_of_a_payload_are_found_by_their_names_and_known_from_then_on() -> None:
    payload = {"password": "correct-horse", "n": {"api_key": ["long-enough", 5, "short"]}, "title": "not a secret"}
    plain = Redactor(["known-value"])
    found = plain.secrets_in(payload, 10)
    assert found == {"correct-horse", "long-enough"}
    assert len(plain.secrets_in(payload, 1)) == 1
    more = plain.with_values(found)
    assert more.text("correct-horse known-value") == f"{REDACTED} {REDACTED}"
    assert plain.text("correct-horse") == "correct-horse"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "password": "x"}', '{"a":1,"password":"[redacted]"}'),
        ('{"a": 1}', '{"a": 1}'),
        ('{"a": {"password": "hunter2 and mo…', '{"a": {"password": "[redacted]"'),
        ('{"secret": {"deep": "thing", "more…', '{"secret": "[redacted]"…'),
        ('{"password": 12345, "b": "text…', '{"password": "[redacted]", "b": "text…'),
    ],
)
def test_json_text_is_redacted_also_where_its_end_is_cut_off(text: str, expected: str) -> None:
    assert Redactor().json_text(text) == expected
