"""Queues: how many runs of some tasks may execute at once."""

from __future__ import annotations

import sys

from ..errors import InvalidOptions
from ..model.limits import NAME_CHARS
from ..model.manifest import QueueSpec

__all__ = ["Queue", "queue"]


class Queue:
    """A named queue; made by `queue`, in `file` at `line`."""

    def __init__(self, spec: QueueSpec, file: str = "", line: int = 0) -> None:
        self.spec = spec
        self.file = file
        self.line = line

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def concurrency_limit(self) -> int | None:
        return self.spec.limit

    @property
    def concurrency_limit_per_key(self) -> int | None:
        return self.spec.limit_per_key

    def __repr__(self) -> str:
        limits = f"concurrency_limit={self.spec.limit}, concurrency_limit_per_key={self.spec.limit_per_key}"
        return f"queue({self.name!r}, {limits})"


def queue(name: str, concurrency_limit: int | None = None, *, concurrency_limit_per_key: int | None = None) -> Queue:
    """Declare a queue.

    Parameters:
      name: 1 to 128 characters. Tasks without a queue have one of their own, ``task/<id>``.
      concurrency_limit: most runs that execute at once, over all keys; None for no limit. A run that waits
        for children does not count: it has given its slot back.
      concurrency_limit_per_key: most runs of one ``concurrency_key`` at once; None for no limit.

    Returns the queue, to be given to ``task(queue=...)`` or as a trigger option.
    Errors: `InvalidOptions`.
    """
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_CHARS:
        raise InvalidOptions(f"the name of a queue is a text of 1 to {NAME_CHARS} characters, got {name!r}")
    for label, limit in (
        ("concurrency_limit", concurrency_limit),
        ("concurrency_limit_per_key", concurrency_limit_per_key),
    ):
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise InvalidOptions(f"{label} of queue {name!r} must be a whole number of 1 or more, got {limit!r}")
    from .registry import registry

    caller = sys._getframe(1)
    made = Queue(
        QueueSpec(name, concurrency_limit, concurrency_limit_per_key), caller.f_code.co_filename, caller.f_lineno
    )
    registry.queues[name] = made
    registry.declared_queues.append(made)
    return made
