"""One run: all of it at a glance, its large values part by part, its spans."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ..call import Call
from ..next_calls import next_call
from ..refusals import Refusal
from ..results import encode, estimate, row, took
from ..run_text import asked_run, attempt_lines, error_of, run_facts, value_of
from ..tool import tool
from ..trace_lines import end_of_id, milliseconds, trace_page
from ..untrusted import clean, mark_present, shown, shown_text

__all__ = ["get_run_details", "get_span_details", "log_line", "run_overview"]

#: Characters of payload, output and metadata in an overview.
_MOST = {"payload": 2_000, "output": 4_000, "metadata": 1_500}
#: Characters and tokens of a part of a value.
_PART, _PART_TOKENS = 16_000, 5_500
#: Lines of a span, and characters of each.
_LINES, _LINE = 40, 400


@tool(
    "get_run_details",
    "One run: status, error, payload, output, metadata, attempts, trace. Use when asked what happened in a run; "
    "diagnose_run says why it failed or waits. Trace lines: +start duration name [span].",
    title="Run details",
    needs="runs:read",
)
async def get_run_details(
    call: Call,
    *,
    run: str,
    part: Annotated[Literal["payload", "output", "metadata"] | None, "read this value on"] = None,
    start: Annotated[int, "of part"] = 0,
    cursor: Annotated[str | None, "of the trace"] = None,
    expand: Annotated[bool, "no folding in the trace"] = False,
) -> dict[str, Any]:
    run = asked_run(run)
    if part is not None:
        return await _read_on(call, run, part, start)
    found = await call.ask("runs.overview", id=run, chars=max(_MOST.values()))
    return run_overview(call, found, cursor=cursor, expand=expand)


def run_overview(
    call: Call, found: dict[str, Any], *, cursor: str | None = None, expand: bool = False
) -> dict[str, Any]:
    """The result for the answer of ``runs.overview``: a page of the trace, and on the first one all else."""
    run, cut = found["run"], found["cut"]
    page = trace_page(found["trace"], cursor=cursor, expand=expand)
    told: dict[str, Any] = {"run": run["id"]} if cursor else run_facts(run)
    if not cursor:
        told |= row(error=error_of(run["error"], call.link.folder), attempts=attempt_lines(run["attempts"])) | _values(
            call, run, cut
        )
    told |= row(trace_in=page.above, trace=page.lines, failed_later=page.failed_later)
    steps = []
    if page.following:
        told["spans"] = f"from {page.first} of {page.spans}"
        again = {"expand": True} if expand else {}
        steps.append(next_call(call, "get_run_details", run=run["id"], cursor=page.following, **again))
    if not cursor and run["status"] not in {"COMPLETED", "CANCELED"}:
        if run["status"] in {"EXECUTING", "DEQUEUED"}:
            steps.append(next_call(call, "wait_for_run_to_complete", runs=[run["id"]]))
        else:
            steps.append(next_call(call, "diagnose_run", run=run["id"]))
    told |= row(next=" or ".join(steps))
    return mark_present(told, "error", "attempts", "payload", "output", "metadata", "trace", "failed_later")


def _values(call: Call, run: dict[str, Any], cut: dict[str, Any]) -> dict[str, Any]:
    """Payload, output and metadata. A payload of null is one; an output is there once the run has completed."""
    told = {}
    for name, most in _MOST.items():
        is_there = run["status"] == "COMPLETED" if name == "output" else name == "payload" or bool(run[name])
        if is_there or name in cut:
            rest = next_call(call, "get_run_details", run=run["id"], part=name).removesuffix(")")
            told[name] = value_of(name, run, cut.get(name), most, rest)
    return told


async def _read_on(call: Call, run: str, part: str, start: int) -> dict[str, Any]:
    found = await call.ask("runs.value", id=run, name=part, start=start, chars=_PART)
    text, following = found["text"], found["following"]
    while estimate(encode(text)) > _PART_TOKENS:
        text = text[: len(text) * 3 // 4]
        following = start + len(text)
    told = {"run": run, "part": part, "json": clean(text), "start": start, "characters": found["characters"]}
    if following is not None:
        told["next"] = next_call(call, "get_run_details", run=run, part=part, start=following)
    return mark_present(told, "json")


@tool(
    "get_span_details",
    "One span of a run's trace, by the id in [brackets]: attributes, what lies in it, the lines logged in it.",
    title="Span details",
    needs="runs:read",
)
async def get_span_details(call: Call, *, run: str, span: str) -> dict[str, Any]:
    run, span = asked_run(run), span.strip().strip("[]").removeprefix(f"{run}:")
    if not span or "/" in span:
        again = next_call(call, "get_run_details", run=run)
        raise Refusal(f"{span!r} is no id of a span", next=f"{again} shows them in [brackets]", code="not_found")
    found = await call.ask("runs.span", id=run, span=span)
    one = found["span"]
    inside = trace_page(one)
    logs = [log_line(line) for line in found["logs"][:_LINES]]
    told = row(
        run=run,
        span=end_of_id(one["id"], run),
        name=shown_text(one["name"], 200),
        kind=one["kind"],
        ok=one["ok"],
        start=one["start"],
        took=took(milliseconds(one["start"], one["end"])),
        inside=" > ".join(shown_text(place["name"], 60) for place in found["path"]),
        attributes=shown(one["attributes"], 4_000),
        trace=inside.lines,
        logs=logs,
    )
    steps = []
    if one["kind"] == "child":
        steps.append(next_call(call, "get_run_details", run=one["id"]))
    if found["logs_total"] > len(logs):
        told["logs_total"] = found["logs_total"]
        steps.append(next_call(call, "search_logs", run=run))
    if inside.following:
        steps.append(next_call(call, "get_run_details", run=run, cursor=inside.following))
    told |= row(next=" or ".join(steps))
    return mark_present(told, "name", "attributes", "trace", "logs")


def log_line(line: dict[str, Any]) -> str:
    """``18:05:01.123 WARN message {"a":1}``; the level is left out where it is info."""
    level = "" if line["level"] == "info" else f" {line['level'].upper()}"
    more = f" {encode(shown(line['attributes'], _LINE))}" if line.get("attributes") else ""
    return f"{line['at'][11:23]}{level} {shown_text(line['message'], _LINE)}{more}"
