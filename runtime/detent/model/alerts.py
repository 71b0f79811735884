"""Of what people are told, and how: the names and limits of alerts."""

from __future__ import annotations

from msgspec import Struct

__all__ = [
    "ALERTS",
    "CHANNELS",
    "EVENTS",
    "LONGEST_WINDOW_MS",
    "MOST_TRIES",
    "NEWS",
    "RUN_EVENTS",
    "TEST_EVENT",
    "WINDOW_MS",
    "AlertFilters",
    "pause_after",
]

EVENTS = ("run.failed", "run.completed", "deployment.finished", "queue.too_long", "worker.none")
#: Events of single runs, which can be filtered by task and tag.
RUN_EVENTS = ("run.failed", "run.completed")
#: What a test of an alert sends.
TEST_EVENT = "alert.test"
CHANNELS = ("webhook", "slack", "email")
#: What a failure may be to its error, where an alert wants no others.
NEWS = ("first_seen", "regression")
#: Alerts of one environment.
ALERTS = 100
#: How long events on one matter are gathered into one message, unless an alert says, and at most; in milliseconds.
WINDOW_MS = 60_000
LONGEST_WINDOW_MS = 24 * 3_600_000

#: Pauses between the tries of a message, in milliseconds: about 16 hours in all.
_PAUSES_MS = (5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000)
MOST_TRIES = len(_PAUSES_MS) + 1
_JITTER = 0.2


class AlertFilters(Struct, frozen=True, omit_defaults=True):
    """What an alert is limited to. Empty and None for all.

    `task`, `tag`, `fingerprint`: any of them. `only`: of `NEWS`, for failures. `queue`: names; `threshold`: more queued
    runs than this are too many. `after_ms`: how long a state must last before somebody is told.
    """

    task: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    fingerprint: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    threshold: int | None = None
    after_ms: int | None = None


def pause_after(tries: int, chance: float) -> int:
    """How long to wait after so many tries that failed, in milliseconds. `chance`: from 0 to 1, spreads the tries."""
    pause = _PAUSES_MS[min(tries, len(_PAUSES_MS)) - 1]
    return round(pause * (1 - _JITTER + 2 * _JITTER * chance))
