"""What the engine itself says: workers, the oldest queued run, loops, verdicts."""

from __future__ import annotations

from collections.abc import Iterator

from ..config import Config
from ..embedded import running_server
from ..errors import DetentError
from ..model.duration import format_duration
from ..model.report_views import Report
from ..model.views import Health
from .finding import Finding, failed, good, said, warning

__all__ = ["check_engine"]


def check_engine(config: Config) -> Iterator[Finding]:
    """The report of the server that runs; nothing without one."""
    from ..client.http import HttpTransport

    url, key = config.api_url, config.secret_key
    if url is None:
        server = running_server(config.state_dir)
        if server is None or not server.url:
            return
        url, key = server.url, server.key
    transport = HttpTransport(
        url, key, project=config.project_slug, environment=config.environment, timeout=8.0, max_retries=0
    )
    try:
        report = Report.model_validate(transport.call("report", period="1h"))
        health = Health.model_validate(transport.call("health"))
    except DetentError as error:
        told = f"the engine gives no report: {said(error, config)}"
        yield warning("engine.report", told, "give the key the scope runs:read, or see what the server logs")
        return
    finally:
        transport.close()
    yield _workers(report)
    yield _queued(report)
    yield _loops(report)
    yield from _broker(health)
    for verdict in report.verdicts:
        advice = "; ".join(verdict.next) or "detent report"
        kind = failed if verdict.level == "failing" and verdict.whose != "yours" else warning
        yield kind(f"engine.{verdict.code}", f"{verdict.message} ({verdict.whose})", advice)


def _workers(report: Report) -> Finding:
    count = report.liveness.connected
    if not count and (report.flow.queued or report.flow.delayed):
        told = f"no worker is connected, and {report.flow.queued:,} runs are queued"
        return warning("engine.workers", told, "detent worker", connected=0)
    return good("engine.workers", f"{count} workers connected in {report.env}", connected=count)


def _queued(report: Report) -> Finding:
    oldest = report.flow.oldest
    if oldest is None:
        return good("engine.queue", "no run waits for a start", queued=report.flow.queued)
    told = f"{report.flow.queued:,} queued, the oldest, {oldest.id}, for {format_duration(oldest.queued_ms)}"
    return good("engine.queue", f"{told}: {oldest.reason}", queued=report.flow.queued, oldest_ms=oldest.queued_ms)


def _loops(report: Report) -> Finding:
    loops = report.liveness.loops
    errors = sum(loop.errors for loop in loops)
    here = [loop.name for loop in loops if loop.alive]
    told = f"{len(here)} loops run in that server, {errors:,} errors so far"
    return good("engine.loops", told, loops=len(here), errors=errors)


def _broker(health: Health) -> Iterator[Finding]:
    broker = health.broker
    if broker is None:
        return
    if broker.state == "ok":
        yield good("engine.broker", f"that server hears of others by {broker.url}")
        return
    told = f"that server's way to others by {broker.url} is {broker.state}: {broker.last_error or 'it is slow'}"
    yield warning("engine.broker", f"{told}; work goes on by polling", "see broker.reach above, on that machine")
