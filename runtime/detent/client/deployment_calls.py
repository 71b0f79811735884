"""What clients ask about deployments, see `calls`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import InvalidOptions, near_names
from ..model.deployment_views import (
    Deployment,
    DeploymentDetail,
    DeploymentLog,
    DeploymentPage,
    DeploymentProgress,
)
from ..model.ids import new_id
from .calls import Call, texts

__all__ = [
    "GIVEN_UP",
    "LOG_PAGE",
    "UNDER_WAY",
    "cancel_deployment",
    "create_deployment",
    "deployment_filters",
    "fail_deployment",
    "finalize_deployment",
    "list_deployments",
    "log_of_deployment",
    "promote_deployment",
    "report_progress",
    "retrieve_deployment",
    "roll_back",
]

#: The statuses of deployments that have not ended.
UNDER_WAY = ("PENDING", "BUILDING", "DEPLOYING")
#: Those of deployments that ended without being deployed.
GIVEN_UP = ("FAILED", "CANCELED", "TIMED_OUT")
STATUSES = (*UNDER_WAY, "DEPLOYED", *GIVEN_UP)

#: Lines of a log that are asked for at once.
LOG_PAGE = 1_000


def create_deployment(
    git: Mapping[str, Any] | None, detent: str | None, skip_promotion: bool, by: str | None
) -> Call[Deployment]:
    # Made here, so that asking again makes no second one.
    deployment_id = new_id("dep")
    values: dict[str, Any] = {"id": deployment_id, "skip_promotion": skip_promotion}
    given = {"git": None if git is None else dict(git), "detent": detent, "by": by}
    values |= {name: value for name, value in given.items() if value is not None}
    return Call("deployments.create", values, Deployment.model_validate)


def report_progress(deployment: str, lines: Sequence[str], building: bool) -> Call[DeploymentProgress]:
    values: dict[str, Any] = {"id": deployment, "lines": list(lines)}
    if building:
        values["status"] = "BUILDING"
    return Call("deployments.progress", values, DeploymentProgress.model_validate)


def finalize_deployment(
    deployment: str,
    manifest: Mapping[str, Any],
    bundle: Mapping[str, Any],
    lock_hash: str | None,
    python: str | None,
) -> Call[Deployment]:
    values = {
        "id": deployment,
        "manifest": dict(manifest),
        "bundle": dict(bundle),
        "lock_hash": lock_hash,
        "python": python,
    }
    return Call("deployments.finalize", values, Deployment.model_validate)


def fail_deployment(deployment: str, code: str, message: str, step: str | None) -> Call[Deployment]:
    values = {"id": deployment, "code": code, "message": message, "step": step}
    return Call("deployments.fail", values, Deployment.model_validate)


def cancel_deployment(deployment: str) -> Call[Deployment]:
    return Call("deployments.cancel", {"id": deployment}, Deployment.model_validate)


def promote_deployment(deployment: str) -> Call[Deployment]:
    return Call("deployments.promote", {"id": deployment}, Deployment.model_validate)


def roll_back() -> Call[Deployment]:
    return Call("deployments.rollback", {}, Deployment.model_validate)


def retrieve_deployment(deployment: str) -> Call[DeploymentDetail]:
    return Call("deployments.retrieve", {"id": deployment}, DeploymentDetail.model_validate)


def list_deployments(filters: Mapping[str, Any], cursor: str | None) -> Call[DeploymentPage]:
    values = dict(filters)
    if cursor is not None:
        values["cursor"] = cursor
    return Call("deployments.list", values, DeploymentPage.model_validate)


def deployment_filters(status: str | Iterable[str] | None, limit: int) -> dict[str, Any]:
    """The filters of a list as plain values."""
    if not 1 <= limit <= 100:
        raise InvalidOptions(
            f"limit must be from 1 to 100 deployments a page, got {limit}; iterate to read further pages"
        )
    wanted = [each.upper() for each in texts(status)]
    for each in wanted:
        if each not in STATUSES:
            raise InvalidOptions(near_names("status", each, STATUSES))
    return {"limit": limit} | ({"status": wanted} if wanted else {})


def log_of_deployment(deployment: str, after: int, limit: int) -> Call[DeploymentLog]:
    if not 1 <= limit <= LOG_PAGE:
        raise InvalidOptions(f"limit must be from 1 to {LOG_PAGE:,} lines, got {limit}; go on with after=")
    return Call("deployments.log", {"id": deployment, "after": after, "limit": limit}, DeploymentLog.model_validate)
