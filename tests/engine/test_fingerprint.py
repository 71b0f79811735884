from __future__ import annotations

import pytest

from detent.engine.fingerprint import fingerprint, fingerprint_of_text, normal_message
from detent.model.frames import frames_of
from detent.model.task_error import TaskError

TRACE = """Traceback (most recent call last):
  File "{root}/shop/orders.py", line {line}, in charge
    pay(order)
    ~~~^^^^^^^
  File "{root}/.venv/lib/python3.12/site-packages/httpx/_client.py", line 914, in send
    raise ReadTimeout(message)
  File "{root}/shop/pay.py", line {line}, in pay
    raise ValueError(order)
ValueError: {message}
"""


def _error(message: str, *, root: str = "/srv/app", line: int = 7, type_: str = "ValueError") -> TaskError:
    return TaskError(type_, message, TRACE.format(root=root, line=line, message=message))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no order 17", "no order 18,000.5"),
        ("no user 'anna'", 'no user "karl"'),
        ("run run_0mf3k2x9q8w7e6r5 is gone", "run run_1aaaabbbbccccdddd is gone"),
        ("key 8c1f0e2a-9b7d-4c3e-8f21-0a1b2c3d4e5f", "key 00000000-1111-2222-3333-444444444444"),
        ("at 0x7f3a2c", "at 0xdeadbeef"),
        ("commit 3f2a9bc failed", "commit 77aa01d failed"),
        ("cannot open /tmp/a/b.txt", "cannot open /var/data/c.txt"),
        ("GET https://a.example/x?y=1 failed", "GET https://b.example/z failed"),
        ("since 2026-11-22T09:00:00Z", "since 2025-01-02 10:00:00+01:00"),
        ("mail to anna@example.com bounced", "mail to b.c@example.org bounced"),
        ("parts [1, 2, 3] are missing", "parts [4] are missing"),
        ("line one\n  line two", "line one line two"),
    ],
)
def test_what_differs_from_run_to_run_does_not_count(one: str, other: str) -> None:
    assert normal_message(one) == normal_message(other)
    assert fingerprint(_error(one)) == fingerprint(_error(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_error("no order 17"), _error("no customer 17")),
        (_error("no order 17"), _error("no order 17", type_="KeyError")),
        (TaskError("ValueError", "no order"), TaskError("ValueError", "no order", code="aborted")),
        (_error("no order"), TaskError("ValueError", "no order")),
    ],
)
def test_type_words_cause_and_the_users_functions_count(one: TaskError, other: TaskError) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_the_folder_and_the_line_of_the_code_do_not_count() -> None:
    moved = _error("no order", root="/home/anna/work", line=99)
    assert fingerprint(_error("no order")) == fingerprint(moved)


def test_a_recursion_is_one_place_however_deep_it_went() -> None:
    def at_depth(depth: int) -> TaskError:
        frames = '  File "/srv/app/walk.py", line 3, in walk\n    walk(rest)\n' * depth
        return TaskError("E", "too deep", f"Traceback (most recent call last):\n{frames}E: too deep\n")

    assert fingerprint(at_depth(2)) == fingerprint(at_depth(40))


def test_an_apostrophe_is_no_quote() -> None:
    assert normal_message("the model's answer isn't JSON") == "the model's answer isn't JSON"


def test_frames_are_told_apart_and_a_message_is_never_taken_for_one() -> None:
    # Given a message that looks like a frame
    error = _error('no\nFile "/etc/passwd", line 1, in root\n  File "/etc/shadow", line 1, in root')
    # When its frames are read
    frames = frames_of(error.traceback)
    # Then they are those of the traceback, and the library's is known as such
    assert [(frame.function, frame.is_own) for frame in frames] == [("charge", True), ("send", False), ("pay", True)]
    assert frames[0].code == "pay(order)"


def test_the_frames_of_a_chain_and_of_a_group_are_found() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as cause:
            raise ExceptionGroup("both", [ValueError("one"), OSError("two")]) from cause
    except ExceptionGroup as group:
        error = TaskError.of(group)
    frames = frames_of(error.traceback)
    assert [frame.block for frame in frames] == [1, 2]
    assert not any(frame.nested for frame in frames)


def test_a_stored_error_has_the_same_fingerprint() -> None:
    assert fingerprint_of_text('{"type":"E","message":"n 1"}') == fingerprint(TaskError("E", "n 2"))


def test_a_long_hostile_message_is_read_in_no_time() -> None:
    for piece in ("'", "a@", "/a", "0x", "1,", "<n> ", "a-1", "\\"):
        assert len(fingerprint(TaskError("E", piece * 8_000, piece * 8_000))) == 16
