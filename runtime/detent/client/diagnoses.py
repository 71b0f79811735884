"""What clients ask about a run that failed or does not run, see `calls`."""

from __future__ import annotations

from ..model.diagnosis_views import Diagnosis
from .calls import Call

__all__ = ["diagnose_run"]


def diagnose_run(run_id: str) -> Call[Diagnosis]:
    return Call("runs.diagnosis", {"id": run_id}, Diagnosis.model_validate)
