"""Identifiers: a prefix and 32 hexadecimal digits: 48 bits of milliseconds, and 80 of chance or digest."""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from random import Random

__all__ = ["derived_id", "is_id", "new_id", "slot_id"]

_HEX = frozenset("0123456789abcdef")

# Ids name things, they guard nothing. A generator of our own, seeded by the system, costs no system call for each id
# and is not disturbed by a user's ``random.seed``.
_chance = Random()  # noqa: S311
os.register_at_fork(after_in_child=_chance.seed)


def new_id(prefix: str, now_ms: int | None = None, order: int | None = None) -> str:
    """A new id such as ``run_0199…``; ids made later sort later.

    Parameters:
      prefix: ``run``, ``batch``, ``worker`` ...
      now_ms: milliseconds since 1970; the present when None.
      order: sorts ids of one millisecond: how many the caller has made before.
    """
    ms = int(time.time() * 1000) if now_ms is None else now_ms
    if order is not None:
        return f"{prefix}_{ms:012x}{order & 0xFFFFFFFF:08x}{_chance.getrandbits(48):012x}"
    return f"{prefix}_{ms:012x}{_chance.getrandbits(80):020x}"


def derived_id(prefix: str, parent_id: str, key: str, index: int, attempt: int) -> str:
    """The id of the `index`-th thing that the run `parent_id` makes under the journal `key` in `attempt`.

    The same arguments give the same id, so a parent that runs again after a crash, or sends a commit again
    whose answer was lost, finds what it made (DESIGN.md invariant 6). The time part is the parent's.
    """
    digest = blake2b(f"{parent_id}\0{key}\0{index}\0{attempt}".encode(), digest_size=10).hexdigest()
    time_part = parent_id.partition("_")[2][:12]
    return f"{prefix}_{time_part}{digest}"


def slot_id(schedule_id: str, slot: int) -> str:
    """The id of the run of a schedule for the moment `slot` (milliseconds since 1970): the same for the same two, so
    that nobody makes a second run."""
    digest = blake2b(f"{schedule_id}\0{slot}".encode(), digest_size=10).hexdigest()
    return f"run_{slot:012x}{digest}"


def is_id(prefix: str, text: str) -> bool:
    """Whether `text` has the form of an id with this prefix."""
    head, _, tail = text.partition("_")
    return head == prefix and len(tail) == 32 and set(tail) <= _HEX
