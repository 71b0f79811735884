"""Named places at which a process dies on purpose, so that tests can show that nothing is lost there.

    DETENT_FAILPOINT=after_claim:kill detent server
    DETENT_FAILPOINT=worker_before_finish:kill@3,before_park:stop detent dev

The places come from the verbs themselves: each request of the engine protocol, each operation of clients that writes
(a route that is no GET), and the loops. ``before_VERB`` is inside the transaction, just before its commit;
``after_VERB`` is when it is durable and nobody has been answered, both in the process that holds the engine.
``worker_before_VERB`` and ``worker_after_VERB`` are in the worker, before a request is sent and when its answer has
come. A verb that was refused, and a claim or a look at timers and schedules that brought nothing, passes none of them.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock, local
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from ..errors import ConfigError, near_names
from ..model.http_api import ROUTES
from ..model.protocol import Claimed, Failure, Request
from ..store import Store, Tx

__all__ = [
    "LOOPS",
    "OPERATIONS",
    "POINTS",
    "REQUESTS",
    "TRIGGER",
    "VARIABLE",
    "FailPoint",
    "FailPoints",
    "arm",
    "armed",
    "during",
    "is_apart",
    "verb_of",
]

T = TypeVar("T")

VARIABLE = "DETENT_FAILPOINT"

#: What clients do to start runs; the other operations are in the table of routes.
TRIGGER = "tasks.trigger"

_NOTE = "failpoints"
_ACTIONS = ("kill", "raise", "stop")


def verb_of(request: type[Any] | str) -> str:
    """The name of a request of the protocol, or of a client's operation, in fail points."""
    if isinstance(request, str):
        return request.replace(".", "_")
    return str(request.__struct_config__.tag)


#: Resources, and single operations, that move no run by themselves, or none but in the one transaction of a promotion:
#: what changes them has no fail points.
APART = frozenset(
    {"alerts", "auth", "bulk", "deployments", "environments", "envvars", "errors", "idempotency", "keys", "orgs"}
    | {"people", "projects", "query", "queues"}
    | {"runs.add_tags", "runs.reschedule", "runs.update_metadata", "tasks.check"}
)


def is_apart(operation: str) -> bool:
    """Whether a client's operation has no fail points."""
    return operation in APART or operation.partition(".")[0] in APART


#: The verbs: of the protocol; of clients that write; and what the engine's loops write.
REQUESTS: tuple[str, ...] = tuple(verb_of(request) for request in get_args(Request))
OPERATIONS: tuple[str, ...] = (
    verb_of(TRIGGER),
    *(verb_of(name) for name, route in ROUTES.items() if route.method != "GET" and not is_apart(name)),
)
LOOPS: tuple[str, ...] = ("timers", "schedules")

#: Every fail point there is.
POINTS: tuple[str, ...] = (
    *(f"{side}_{verb}" for verb in (*REQUESTS, *OPERATIONS, *LOOPS) for side in ("before", "after")),
    *(f"{side}_{verb}" for verb in REQUESTS for side in ("worker_before", "worker_after")),
)


class FailPoint(BaseException):
    """What the action ``raise`` raises: nothing of detent's catches it."""


class _Planned(NamedTuple):
    action: Literal["kill", "raise", "stop"]
    time: int


class FailPoints:
    """The fail points of this process.

    Parameters:
      text: ``POINT:ACTION`` or ``POINT:ACTION@N`` (the Nth time that it is reached), several between commas. Actions:
        ``kill`` (SIGKILL to this process), ``stop`` (SIGSTOP), ``raise`` (a private `BaseException`).

    Errors: `ConfigError` for a point or an action that is none.
    """

    def __init__(self, text: str) -> None:
        self._planned = dict(_parse(part.strip()) for part in text.split(",") if part.strip())
        self._reached: Counter[str] = Counter()
        self._lock = Lock()
        self._operation = local()

    def reach(self, point: str) -> None:
        """The process is at `point`: do what is planned for it."""
        planned = self._planned.get(point)
        if planned is None:
            return
        with self._lock:
            self._reached[point] += 1
            if self._reached[point] != planned.time:
                return
        match planned.action:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "raise":
                raise FailPoint(point)

    @contextmanager
    def during(self, operation: str) -> Iterator[None]:
        """What this thread writes meanwhile is written by a client's `operation`."""
        self._operation.name = operation
        try:
            yield
        finally:
            self._operation.name = None

    def write(self, store: Store, operation: Callable[[Tx], T], *, yields: bool, verb: str | None) -> T:
        """`Store.write` of `verb`, or else of the client's operation that is under way.

        Errors: also `RuntimeError` for an operation that writes and has no fail points, as its route says that it
        reads.
        """
        operation_name = getattr(self._operation, "name", None)
        if verb is None and operation_name is not None and not is_apart(operation_name):
            verb = verb_of(operation_name)
            if verb not in OPERATIONS:
                raise RuntimeError(f"{operation_name} writes, so its route must not be a GET")
        if verb is None:
            return store.write(operation, yields=yields)
        outcome = store.write(self._before(verb, operation), yields=yields)
        self._after(verb, outcome)
        return outcome

    def write_all(
        self, store: Store, operations: Sequence[Callable[[Tx], Any]], requests: Sequence[Request]
    ) -> list[Any]:
        """`Store.write_all` of the `operations` that answer `requests`."""
        verbs = [verb_of(type(request)) for request in requests]
        outcomes = store.write_all(
            [self._before(verb, operation) for verb, operation in zip(verbs, operations, strict=True)]
        )
        for verb, outcome in zip(verbs, outcomes, strict=True):
            self._after(verb, outcome)
        return outcomes

    def _before(self, verb: str, operation: Callable[[Tx], T]) -> Callable[[Tx], T]:
        def run(tx: Tx) -> T:
            outcome = operation(tx)
            if _counts(verb, outcome):
                words: Any = tx.notes.setdefault(_NOTE, _LastWords(self))
                words.points.append(f"before_{verb}")
            return outcome

        return run

    def _after(self, verb: str, outcome: Any) -> None:
        if _counts(verb, outcome):
            self.reach(f"after_{verb}")

    def sending(self, requests: Sequence[Any]) -> None:
        """The worker is about to send `requests`."""
        for request in requests:
            self.reach(f"worker_before_{verb_of(type(request))}")

    def answered(self, request: Any, answer: Any) -> None:
        """The worker has got `answer`."""
        verb = verb_of(type(request))
        if _counts(verb, answer):
            self.reach(f"worker_after_{verb}")


class _LastWords:
    """Passes the fail points of a transaction at its very end."""

    def __init__(self, failpoints: FailPoints) -> None:
        self.points: list[str] = []
        self._failpoints = failpoints

    def __call__(self, _tx: Tx) -> None:
        for point in self.points:
            self._failpoints.reach(point)


#: Those of this process; None in every process that is not being tested.
armed: FailPoints | None = None


def arm(env: Mapping[str, str] | None = None) -> None:
    """Take the fail points from the environment. To be called where a server or a worker starts.

    Errors: `ConfigError` for a point or an action that is none.
    """
    global armed  # noqa: PLW0603  # the process has them, whatever is made in it
    text = (os.environ if env is None else env).get(VARIABLE)
    armed = FailPoints(text) if text else None


def during(operation: str) -> AbstractContextManager[None]:
    """See `FailPoints.during`."""
    return nullcontext() if armed is None else armed.during(operation)


def _counts(verb: str, outcome: Any) -> bool:
    if isinstance(outcome, Claimed):
        return bool(outcome.grants)
    if verb in LOOPS:
        return bool(outcome)
    return not isinstance(outcome, (Failure, BaseException))


def _parse(part: str) -> tuple[str, _Planned]:
    point, _, rest = part.partition(":")
    action, _, time = rest.partition("@")
    if point not in POINTS:
        raise ConfigError(f"{VARIABLE}: {near_names('fail point', point, POINTS)}")
    if action not in _ACTIONS:
        raise ConfigError(
            f"{VARIABLE} is {part!r}; expected {point}:ACTION with an action of {', '.join(_ACTIONS)}, "
            f"or {point}:ACTION@N for the Nth time"
        )
    if time and not (time.isascii() and time.isdigit() and int(time) > 0):
        raise ConfigError(f"{VARIABLE} is {part!r}; expected a whole number of 1 or more after the @")
    return point, _Planned(action, int(time or 1))  # type: ignore[arg-type]  # one of them, as has been checked
