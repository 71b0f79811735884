"""What is said of a run that failed or does not run: the shapes of a diagnosis."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .status import Status
from .views import Attempt, View

__all__ = ["Blocker", "DiagnosedError", "Diagnosis", "Frame", "NextStep", "SimilarFailures", "SlowSpan", "SourceLines"]


class SourceLines(View):
    """The source around a line of code. `lines` begin with number `first_line`.

    `state`: ``same`` as when the run was there; ``may_have_changed`` (the file was written since); ``changed``,
    ``missing`` or ``not_read`` (no file of the project), which have no lines.
    """

    state: Literal["same", "may_have_changed", "changed", "missing", "not_read"] | str
    first_line: int = 0
    lines: list[str] = Field(default_factory=list)


class Frame(View):
    """A place in the user's code that an error came through. `code` is the text of the line then; `folded_before`
    counts the frames of libraries that stand before it. `source` is None where the server has no files."""

    file: str
    line: int
    function: str = ""
    code: str = ""
    folded_before: int = 0
    source: SourceLines | None = None


class DiagnosedError(View):
    """What went wrong, with the user's own frames, outermost first; `folded` frames of libraries follow the last.
    `fingerprint` is the same for all errors that are the same problem."""

    type: str
    message: str
    code: str = ""
    fingerprint: str
    frames: list[Frame] = Field(default_factory=list)
    folded: int = 0
    frames_left_out: int = 0


class SlowSpan(View):
    """A stretch of the run and the time that lies in none of its own parts, in milliseconds."""

    id: str
    name: str
    kind: str
    self_ms: int
    total_ms: int
    goes_on: bool = False


class Blocker(View):
    """Something that a run waits for.

    `kind`: ``token`` (`id`, `until`, and `callback`, the address that completes it), ``run`` (a child: `id`, `task`,
    `status`, `reason`), ``input`` (`name`, `until`), ``time`` (`until`), ``delay``, ``retry`` (`until`),
    ``queue_limit``, ``key_limit``, ``env_limit`` (`limit`, `running`, and the runs that hold the slots),
    ``paused_queue``, ``queue`` (only runs before it: `position`), ``worker`` (none of the `connected` ones has this
    task: `known` are near names), ``undeclared_queue`` (`name`), ``unserved_queue`` and ``machine`` (`name`: no worker
    that has the task claims from this queue, offers this machine), ``version`` (`name`: no worker of this version is
    connected), ``undeployed`` (`name`: the current version does not have this task, or its queue), ``journal``
    (`key`, `expected`, `received`).
    """

    kind: str
    id: str | None = None
    name: str | None = None
    task: str | None = None
    status: Status | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    callback: str | None = None
    limit: int | None = None
    running: int | None = None
    position: int | None = None
    pending: int | None = None
    held_by: list[dict[str, Any]] = Field(default_factory=list)
    known: list[str] = Field(default_factory=list)
    connected: int | None = None
    key: str | None = None
    expected: str | None = None
    received: str | None = None


class SimilarFailures(View):
    """Other runs that met the same problem, among the latest `compared` failures. `runs` are the newest of them.

    `total` and `status` are those of the error group (see `client.errors`), whose id is the fingerprint; None until the
    failure has been counted.
    """

    fingerprint: str
    count: int
    first_at: datetime | None = None
    last_at: datetime | None = None
    tasks: list[str] = Field(default_factory=list)
    runs: list[str] = Field(default_factory=list)
    compared: int = 0
    total: int | None = None
    status: str | None = None


class NextStep(View):
    """Something to do about it: why, the command, and the same as a request (`method` None where there is none)."""

    action: str
    why: str
    command: str
    method: str | None = None
    path: str | None = None
    body: dict[str, Any] | None = None


class Diagnosis(View):
    """Why a run failed or is not running, in one sentence (`summary`) and a stable code (`verdict`).

    `verdict` is one of ``completed``, ``failed``, ``aborted``, ``invalid_payload``, ``crashed``, ``out_of_memory``,
    ``timed_out``, ``canceled``, ``expired``, ``system_failure``; ``executing``, ``dequeued``, ``cancelling``,
    ``worker_silent``, ``worker_blocked``; ``waiting_for_token``, ``waiting_for_runs``, ``waiting_for_input``,
    ``waiting_for_time``, ``waiting``, ``journal_mismatch``; ``delayed``, ``retrying``, ``queued``, ``queue_limit``,
    ``key_limit``, ``env_limit``, ``queue_paused``, ``no_worker``, ``unserved_machine``, ``unserved_queue``,
    ``unknown_task``, ``unknown_queue``.
    """

    id: str
    task: str
    status: Status
    verdict: str
    summary: str
    error: DiagnosedError | None = None
    attempts: list[Attempt] = Field(default_factory=list)
    attempts_left: int | None = None
    slowest: list[SlowSpan] = Field(default_factory=list)
    waiting_for: list[Blocker] = Field(default_factory=list)
    similar: SimilarFailures | None = None
    next: list[NextStep] = Field(default_factory=list)
