"""Every error that users of detent can meet. Each says what happened and what to do.

    DetentError
     ├─ ConfigError            pyproject.toml / detent.toml / environment
     ├─ DiscoveryError         a task file that cannot be used
     ├─ InvalidPayload         the payload does not fit the task's schema
     ├─ InvalidOptions         a trigger option out of its limits
     ├─ LimitExceeded          a size or count over its limit
     ├─ NotFound               no such run, queue, batch
     │   └─ TaskNotFound       no such task; near names are listed
     ├─ Conflict               the state of things does not allow it
     ├─ NotInRun               a call that only works inside a run
     ├─ InsideStep             a call that is not possible inside a step
     ├─ Unserializable         a return value that is not JSON
     ├─ StepFailed             a step raised
     ├─ WaitTimedOut           a token was not completed in time (raised by unwrap)
     ├─ RunFailed              a child run did not complete (raised by unwrap)
     ├─ DeployError            the project cannot be deployed
     │   └─ InvalidBundle      a bundle is damaged, or asks for what no bundle may
     ├─ StoreError             the store refused: disk full, damaged, newer schema
     ├─ Unauthorized           the key is missing or wrong
     ├─ Forbidden              the key does not allow this
     ├─ RateLimited            too many requests; `retry_after` says how long to wait
     ├─ ServerError            the server failed at a request
     ├─ ServerUnreachable      no server answers
     ├─ ProjectLocked          another process is the writer of this project
     └─ AbortTaskRunError      raised by users: fail the run, no further attempt

Signals that steer the machinery derive from ``BaseException`` and are private to the rooms that raise them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .deploy.problems import Problem
    from .model.task_error import TaskError

__all__ = [
    "AbortTaskRunError",
    "ConfigError",
    "Conflict",
    "DeployError",
    "DetentError",
    "DiscoveryError",
    "Forbidden",
    "InsideStep",
    "InvalidBundle",
    "InvalidOptions",
    "InvalidPayload",
    "LimitExceeded",
    "NotFound",
    "NotInRun",
    "ProjectLocked",
    "RateLimited",
    "RunFailed",
    "ServerError",
    "ServerUnreachable",
    "StepFailed",
    "StoreError",
    "TaskNotFound",
    "Unauthorized",
    "Unserializable",
    "WaitTimedOut",
    "by_answer",
    "by_code",
]


class DetentError(Exception):
    """Base of all errors. ``code`` is stable and is what programs should compare; ``status`` is the one that the HTTP
    API refuses with, where it does (of a `RunFailed`: the status of the run)."""

    code = "error"
    status: int | str | None = None

    @property
    def message(self) -> str:
        return str(self)


class ConfigError(DetentError):
    """A setting cannot be used. The text names the setting, the file, the value and what is allowed."""

    code = "config_error"


class DiscoveryError(DetentError):
    """A task file cannot be used. The text names file, line and the change to make."""

    code = "discovery_error"


class InvalidPayload(DetentError):
    """The payload does not fit the task's schema: which field, what came, what was expected."""

    code = "invalid_payload"
    status = 422


class InvalidOptions(DetentError):
    """A trigger option is out of its limits: which one, the value, what is allowed."""

    code = "invalid_options"
    status = 400


class LimitExceeded(DetentError):
    """A size or a count is over its limit. The text names the limit."""

    code = "limit_exceeded"
    status = 413


class NotFound(DetentError):
    """There is no such thing in this project."""

    code = "not_found"
    status = 404


class TaskNotFound(NotFound):
    """No task of this id is known. The text lists near names."""

    code = "task_not_found"

    @classmethod
    def among(cls, wanted: str, known: Sequence[str]) -> TaskNotFound:
        """The error for `wanted` with near names out of `known`."""
        return cls(near_names("task", wanted, known))


class Conflict(DetentError):
    """The state of things does not allow this, for example cancelling a finished run."""

    code = "conflict"
    status = 409


class NotInRun(DetentError):
    """The call works only inside a running task."""

    code = "not_in_run"


class InsideStep(DetentError):
    """The call is not possible inside a step; the text says where to put it."""

    code = "inside_step"


class StepFailed(DetentError):
    """A step raised. It is the same error when the run is executed again after a crash, so it is data, not the class
    that was raised: compare ``error.type``.

    Parameters:
      step: name of the step.
      error: what it raised, as recorded (``type``, ``message``, ``traceback``).
    """

    code = "step_failed"

    def __init__(self, step: str, error: TaskError) -> None:
        super().__init__(f"step {step!r} raised {error.type}: {error.message}")
        self.step = step
        self.error = error

    @property
    def type(self) -> str:
        """Name of the exception's class."""
        return self.error.type


class WaitTimedOut(DetentError):
    """A token was not completed in time; raised by ``unwrap()``."""

    code = "wait_timed_out"


class Unserializable(DetentError):
    """A value cannot be written as JSON. The text names its type and place."""

    code = "unserializable"
    status = 422


class RunFailed(DetentError):
    """A run that was waited for did not complete.

    Parameters:
      message: what happened, in one sentence.
      run_id: id of the run that did not complete.
      status: its final status.
      error: the error it ended with, as recorded (``type``, ``message``, ``traceback``).
    """

    code = "run_failed"

    def __init__(self, message: str, *, run_id: str = "", status: str = "", error: object = None) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.status = status
        self.error = error


class DeployError(DetentError):
    """The project cannot be deployed, or a version cannot be prepared; the environment is as it was.

    Parameters:
      message: what is wrong, one line for each problem, and what to do.
      problems: the same one by one, where there are several (`detent.deploy.Problem`).
      output: what a command wrote that failed, "" where there was none.
    """

    code = "deploy_failed"

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), output: str = "") -> None:
        super().__init__(message)
        self.problems = list(problems)
        self.output = output


class InvalidBundle(DeployError):
    """A bundle is damaged, is not the one that was asked for, or asks for what no bundle may. Nothing of it is used."""

    code = "invalid_bundle"
    status = 422


class StoreError(DetentError):
    """The store refused. Nothing that was acknowledged before is lost; the text says what to do."""

    code = "store_error"
    status = 503


class Unauthorized(DetentError):
    """The key is missing or wrong; the text says which key is expected where."""

    code = "unauthorized"
    status = 401


class Forbidden(DetentError):
    """The key is good, and does not allow this; the text names the scope that is missing."""

    code = "forbidden"
    status = 403


class RateLimited(DetentError):
    """Too many requests with this key.

    Parameters:
      retry_after: seconds to wait before the next request; None when the server does not say.
    """

    code = "rate_limited"
    status = 429

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerError(DetentError):
    """The server failed at a request, or is overloaded; its log has the cause."""

    code = "internal_error"
    status = 500


class ServerUnreachable(DetentError):
    """No server answers. The text gives the one command that starts it."""

    code = "server_unreachable"


class ProjectLocked(DetentError):
    """Another process is the writer of this project; the text says which and how to reach it."""

    code = "project_locked"
    status = 503


class AbortTaskRunError(DetentError):
    """Raise it in a task to fail the run at once: no further attempt is made."""

    code = "aborted"


_BY_CODE: dict[str, type[DetentError]] = {
    kind.code: kind
    for kind in (
        ConfigError,
        DiscoveryError,
        InvalidPayload,
        InvalidOptions,
        LimitExceeded,
        NotFound,
        TaskNotFound,
        Conflict,
        NotInRun,
        InsideStep,
        WaitTimedOut,
        Unserializable,
        DeployError,
        InvalidBundle,
        StoreError,
        Unauthorized,
        Forbidden,
        RateLimited,
        ServerError,
        ServerUnreachable,
        ProjectLocked,
    )
}

#: For codes that a newer server knows.
_BY_STATUS: dict[int | str | None, type[DetentError]] = {
    kind.status: kind
    for kind in (
        InvalidOptions,
        Unauthorized,
        Forbidden,
        NotFound,
        Conflict,
        LimitExceeded,
        InvalidPayload,
        RateLimited,
    )
}


def by_code(code: str, message: str) -> DetentError:
    """The error that `code` stands for, come from another process: looked up, never imported by a stored name."""
    return _BY_CODE.get(code, DetentError)(message)


def by_answer(code: str, message: str, status: int, retry_after: float | None = None) -> DetentError:
    """The error that an answer of a server stands for: by its code, else by its HTTP status.

    Parameters:
      code: of the problem document, "" without one. `retry_after`: seconds.
    """
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or (ServerError if status >= 500 else DetentError)
    error = kind(message, retry_after=retry_after) if kind is RateLimited else kind(message)
    error.code, error.status = code or kind.code, status
    return error


def near_names(kind: str, wanted: str, known: Sequence[str]) -> str:
    """One sentence: there is no such `kind`, and which of `known` are near."""
    import difflib

    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    if near:
        return f"no {kind} named {wanted!r}; did you mean {' or '.join(repr(n) for n in near)}?"
    if known:
        shown = ", ".join(sorted(known)[:10])
        more = f" and {len(known) - 10} more" if len(known) > 10 else ""
        return f"no {kind} named {wanted!r}; known are: {shown}{more}"
    return f"no {kind} named {wanted!r}, and none is known yet"
