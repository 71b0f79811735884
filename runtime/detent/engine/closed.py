"""Environments that take no runs: archived ones, and the one that holds what the previews of a project share."""

from __future__ import annotations

from typing import Any

from ..accounts.accounts import name_of
from ..errors import Conflict
from ..model.branches import PREVIEW
from ..model.ids import is_id
from .scene import Scene

__all__ = ["CLOSED_NOTE", "environment_of", "refuse_closed", "why_closed"]

#: Under this note, and the environment, a transaction keeps why that takes no runs.
CLOSED_NOTE = "closed "


def environment_of(scene: Scene) -> Any:
    """The row of the environment; None of one of the first project, which are named by their kind, unless it was
    asked for. Those can be neither archived nor shared."""
    return scene.tx.one("find_environment", id=scene.env) if is_id("env", scene.env) else None


def why_closed(scene: Scene) -> str | None:
    """Why the environment takes no runs; None where it does."""
    if not is_id("env", scene.env):
        return None
    note = CLOSED_NOTE + scene.env
    if note not in scene.tx.notes:
        scene.tx.notes[note] = _reason(environment_of(scene))
    reason: str | None = scene.tx.notes[note]
    return reason


def refuse_closed(scene: Scene) -> None:
    """Errors: `Conflict` where the environment takes no runs."""
    reason = why_closed(scene)
    if reason is not None:
        raise Conflict(reason)


def _reason(row: Any) -> str | None:
    if row is None:
        return None
    if row["archived_at"] is not None:
        return f"the environment {name_of(row)} is archived and takes no runs; deploying its branch brings it back"
    if row["kind"] == PREVIEW and not row["branch"]:
        return (
            "the environment preview holds the variables that all previews share, and takes no runs; "
            "name one of a branch: --env preview/BRANCH"
        )
    return None
