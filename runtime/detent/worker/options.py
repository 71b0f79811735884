"""How a worker works: its capacity and its times."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ..errors import ConfigError
from ..model.retry import RetryPolicy

__all__ = ["POLL_S", "STOP_GRACE_S", "WorkerOptions", "check_replay", "replay_mode"]

#: How long a run may take to stop before it is reported stopped without it, in seconds.
STOP_GRACE_S = 5.0
#: How often to look for work without a ring, in seconds, give or take a third; it covers every lost ticket.
POLL_S = 1.0


@dataclass(frozen=True)
class WorkerOptions:
    """How a worker works.

    `threads`: plain ``def`` runs at once. `async_limit`: async runs at once. `retry` and `max_duration_ms`: for tasks
    that do not say. `poll_s`: see `POLL_S`, None for no polling. `drop_tickets`: lose every ticket (tests).
    `stop_grace_s`: see `STOP_GRACE_S`. `parked_coroutines`, `parked_threads`: parked runs that stay in memory, for
    `parked_s` seconds; the others are replayed. `replay`: ``never`` (only where it must be), ``always`` (at each
    durable wait, to prove that it can be), or ``random:SEED``; see ``DETENT_REPLAY``. `machine`: of isolated tasks that
    do not say. `parent`: of a cell, the worker that it belongs to: it claims nothing. `env`: the id of the environment
    whose runs it executes, None for the engine's own; `environment`: its name, as runs are told. `offers`: the machines
    that it offers, `queues`: those that it claims from, see `Hello`; None for all. `broker_url`: where it takes tickets
    besides those of its engine; None where no broker is shared.
    """

    threads: int = 8
    async_limit: int = 1_000
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    max_duration_ms: int | None = None
    poll_s: float | None = POLL_S
    drop_tickets: bool = False
    stop_grace_s: float = STOP_GRACE_S
    parked_coroutines: int = 10_000
    parked_threads: int = 500
    parked_s: float = 900.0
    replay: str = "never"
    machine: str | None = None
    parent: str | None = None
    env: str | None = None
    environment: str | None = None
    offers: tuple[str, ...] | None = None
    queues: tuple[str, ...] | None = None
    broker_url: str | None = None

    @classmethod
    def for_tests(
        cls, *, threads: int, async_limit: int, stop_grace_s: float = STOP_GRACE_S, replay: str | None = None
    ) -> WorkerOptions:
        """Options that need no polling, or, with ``DETENT_TICKETS=drop``, live by it alone."""
        drop = os.environ.get("DETENT_TICKETS") == "drop"
        return cls(
            threads=threads,
            async_limit=async_limit,
            poll_s=0.02 if drop else None,
            drop_tickets=drop,
            stop_grace_s=stop_grace_s,
            replay=replay_mode() if replay is None else check_replay(replay, "replay"),
        )


def replay_mode() -> str:
    """What ``DETENT_REPLAY`` says. Errors: `ConfigError`."""
    return check_replay(os.environ.get("DETENT_REPLAY", "never"), "DETENT_REPLAY")


def check_replay(mode: str, name: str) -> str:
    """`mode`, if it is one. Errors: `ConfigError` that names the setting."""
    if mode not in ("never", "always", "random") and not mode.startswith("random:"):
        raise ConfigError(f"{name} must be never, always, random or random:SEED, got {mode!r}")
    return mode
