"""Bugs of journals, on purpose: each is put into the real classes for the length of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from detent.model.protocol import Entry, Record
from detent.worker.journal import Journal
from detent.worker.scope import Scope
from detent.worker.steps import Steps
from detent.worker.turns import Turns

__all__ = ["BUGS"]

Bug = Callable[[pytest.MonkeyPatch], None]
#: By what is wrong, in words.
BUGS: dict[str, Bug] = {}


def bug(install: Bug) -> Bug:
    BUGS[install.__name__] = install
    return install


def reading(patch: pytest.MonkeyPatch, change: Callable[[list[Entry], int], Iterable[Entry]]) -> None:
    """What is read of a journal goes through `change`."""
    load = Journal.load
    patch.setattr(Journal, "load", lambda self, entries, attempt: load(self, change(list(entries), attempt), attempt))


def finished_steps(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.kind == "step" and entry.status == "ok"]


@bug
def an_entry_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    def change(entries: list[Entry], _: int) -> list[Entry]:
        last = finished_steps(entries)[-1:]
        return [entry for entry in entries if entry not in last]

    reading(patch, change)


@bug
def a_step_is_recorded_twice(patch: pytest.MonkeyPatch) -> None:
    def record(self: Steps, entry: Entry) -> Record:
        name, _, number = entry.key.rpartition("#")
        twin = replace(entry, key=f"{name}#{int(number) + 1}", seq=entry.seq + 1)
        return Record(self._frame.run_id, self._frame.epoch, [entry, twin])

    patch.setattr(Steps, "_record", record)


@bug
def two_entries_are_swapped(patch: pytest.MonkeyPatch) -> None:
    def change(entries: list[Entry], _: int) -> list[Entry]:
        steps = finished_steps(entries)
        if len(steps) < 2:
            return entries
        values = {steps[0].key: steps[1].value, steps[1].key: steps[0].value}
        return [replace(entry, value=values.get(entry.key, entry.value)) for entry in entries]

    reading(patch, change)


@bug
def the_value_of_another_entry_is_given(patch: pytest.MonkeyPatch) -> None:
    def change(entries: list[Entry], _: int) -> list[Entry]:
        steps = finished_steps(entries)
        given = steps[0].value if steps else None
        return [replace(entry, value=given) if entry in steps else entry for entry in entries]

    reading(patch, change)


@bug
def the_order_of_what_the_run_was_told_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Journal, "delivered", lambda _self, _key: None)


@bug
def the_order_is_recorded_and_not_kept_to(patch: pytest.MonkeyPatch) -> None:
    async def take(_self: Turns, _place: Any) -> None:
        return None

    patch.setattr(Turns, "take", take)


@bug
def a_wait_that_was_given_up_is_taken_for_one_that_is_over(patch: pytest.MonkeyPatch) -> None:
    reading(
        patch,
        lambda entries, _: [replace(one, status="ok") if one.status == "left" else one for one in entries],
    )


@bug
def none_is_taken_for_no_value(patch: pytest.MonkeyPatch) -> None:
    reading(patch, lambda entries, _: [one for one in entries if one.kind != "step" or one.value not in (None, "null")])


@bug
def an_error_is_taken_for_a_value(patch: pytest.MonkeyPatch) -> None:
    reading(
        patch,
        lambda entries, _: [replace(one, status="ok") if one.status == "error" else one for one in entries],
    )


@bug
def what_failed_in_an_earlier_attempt_counts_in_the_later_one(patch: pytest.MonkeyPatch) -> None:
    reading(patch, lambda entries, attempt: [replace(one, attempt=attempt) for one in entries])


@bug
def what_an_earlier_attempt_finished_is_not_found(patch: pytest.MonkeyPatch) -> None:
    reading(patch, lambda entries, attempt: [one for one in entries if one.attempt == attempt])


@bug
def keys_are_counted_for_the_run_and_not_for_each_branch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Scope, "_prefix", staticmethod(lambda name, _ordered: name))


@bug
def a_short_wait_takes_no_number(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Journal, "skip", lambda _self, _name, *, ordered: None)


@bug
def chance_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Steps, "value", lambda _self, _name, make: make())
