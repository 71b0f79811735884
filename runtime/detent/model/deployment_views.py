"""Deployments as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .views import View

__all__ = [
    "Bundle",
    "Deployment",
    "DeploymentDetail",
    "DeploymentError",
    "DeploymentLine",
    "DeploymentLog",
    "DeploymentPage",
    "DeploymentProgress",
    "DeploymentStatus",
    "DeploymentSupervisor",
    "GitState",
    "PinnedRuns",
    "SupervisorOrders",
    "WantedVersion",
]

#: The first three are under way, the others final.
DeploymentStatus = Literal["PENDING", "BUILDING", "DEPLOYING", "DEPLOYED", "FAILED", "CANCELED", "TIMED_OUT"]


class GitState(View):
    """The commit that was deployed; `dirty`: with changes that are not committed."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    message: str | None = None
    author: str | None = None


class Bundle(View):
    """The files of a version: `hash` is the SHA-256 of the archive, in hexadecimal digits."""

    hash: str
    bytes: int
    files: int


class DeploymentError(View):
    """Why a deployment failed, and in which step of it."""

    code: str
    message: str
    step: str | None = None


class Deployment(View):
    """One try to bring the code of a project to an environment. `version` is ``YYYYMMDD.N``.

    `is_current`: its version takes the runs that are not pinned to another. `tasks`: how many it has. `workers`: that
    run its version. `unfinished_runs`: that are pinned to it. `note`: what else there is to know.
    """

    id: str
    version: str
    status: DeploymentStatus
    is_current: bool = False
    environment: str
    created_at: datetime
    finished_at: datetime | None = None
    promoted_at: datetime | None = None
    git: GitState | None = None
    bundle: Bundle | None = None
    lock_hash: str | None = None
    python: str | None = None
    detent: str | None = None
    tasks: int | None = None
    skip_promotion: bool = False
    created_by: str | None = None
    error: DeploymentError | None = None
    workers: int = 0
    unfinished_runs: int = 0
    note: str | None = None


class DeploymentSupervisor(View):
    """A supervisor of workers, and how far it is with a version."""

    id: str
    host: str
    state: Literal["preparing", "ready", "failed"]
    message: str | None = None
    beat_at: datetime


class DeploymentDetail(Deployment):
    """A deployment with what it can run, and the supervisors of its environment that live."""

    manifest: dict[str, Any] | None = None
    supervisors: list[DeploymentSupervisor] = Field(default_factory=list)


class DeploymentPage(View):
    """Deployments, newest first, and where to go on."""

    items: list[Deployment]
    next_cursor: str | None = None


class DeploymentProgress(View):
    """How a deployment stands. Whoever builds it stops when it is not under way any more."""

    id: str
    version: str
    status: DeploymentStatus


class DeploymentLine(View):
    """A line of what was said while a version was built."""

    line: int
    at: datetime
    text: str


class DeploymentLog(View):
    """Lines in order; `next_after` is where to go on, None when these are all."""

    items: list[DeploymentLine]
    next_after: int | None = None


class PinnedRuns(View):
    """Unfinished runs that only workers of one version take."""

    queued: int = 0
    executing: int = 0
    waiting: int = 0
    delayed: int = 0


class WantedVersion(View):
    """A version that supervisors are to prepare, or to keep workers of."""

    id: str
    version: str
    is_current: bool
    status: DeploymentStatus
    bundle: Bundle | None = None
    lock_hash: str | None = None
    python: str | None = None
    detent: str | None = None
    runs: PinnedRuns


class SupervisorOrders(View):
    """What a supervisor is to do. `poll_ms`: when to ask again, in milliseconds."""

    environment: str
    versions: list[WantedVersion]
    poll_ms: int
