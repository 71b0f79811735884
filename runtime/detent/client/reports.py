"""The report that clients ask for, see `calls`."""

from __future__ import annotations

from ..model.duration import Duration, parse_duration
from ..model.report_views import Report
from .calls import Call

__all__ = ["report"]


def report(period: Duration) -> Call[Report]:
    return Call("report", {"period": f"{parse_duration(period, 'period')}ms"}, Report.model_validate)
