"""The tasks that can be run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from ..call import Call
from ..example_payload import example_payload
from ..next_calls import is_offered, next_call, start_step
from ..results import at, row, took
from ..run_text import in_project
from ..tool import tool
from ..untrusted import mark_present, shown_text

__all__ = ["get_current_worker"]

#: Tasks that are described; of more only the ids are told. Characters of a description.
_DESCRIBED, _ABOUT = 60, 80
#: Problems of task files that are shown.
_PROBLEMS = 5


@tool(
    "get_current_worker",
    "The tasks that can be run, with file, queue and schedule. With task: its payload schema and an example payload, "
    "to be read before trigger_task.",
    title="Tasks",
    needs="tasks:read",
)
async def get_current_worker(call: Call, *, task: Annotated[str | None, "id, for its schema"] = None) -> dict[str, Any]:
    if task is not None:
        return task_result(call, await call.ask("tasks.retrieve", id=task))
    listed = await call.ask("tasks.list")
    found = listed["items"]
    rows = [_row(each, call.link.folder) for each in found[:_DESCRIBED]]
    told: dict[str, Any] = {"environment": call.where.environment, "tasks": rows}
    if len(found) > _DESCRIBED:
        told["more_tasks"] = [each["id"] for each in found[_DESCRIBED:]]
    folder = call.link.folder
    problems = [
        shown_text(f"{in_project(each['file'], folder)}:{each['line']} {each['message']}", 300)
        for each in listed.get("problems", ())
    ]
    told |= row(task_files_with_problems=problems[:_PROBLEMS])
    if problems and not found:
        told["next"] = "mend the task files; the worker takes them up by itself"
    elif not found:
        told["next"] = (
            "no worker has described a task: write one (search_docs('write a task')), then start a worker: "
            f"{start_step(call)}"
        )
    else:
        first = found[0]["id"]
        told["next"] = f"{next_call(call, 'get_current_worker', task=first)} for a schema and an example payload"
        if listed.get("workers") == 0:
            for each in rows:
                each.pop("served", None)
            told["worker"] = f"no worker is connected, and runs stay queued until one is: {start_step(call)}"
    return mark_present(told, "task_files_with_problems")


def task_result(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """A task with its schema and an example payload."""
    schema = found.get("payload_schema")
    example = example_payload(schema)
    told = _row(found, call.link.folder) | row(
        environment=call.where.environment,
        max_attempts=found.get("max_attempts"),
        max_duration=took(found.get("max_duration_ms")),
        isolation=None if found.get("isolation") in {None, "none"} else found["isolation"],
        machine=found.get("machine"),
        described=at(found.get("updated_at")),
    )
    if schema is None:
        told["payload_schema"] = "any JSON value: the task declares no type for its payload"
    else:
        told |= {"payload_schema": without_titles(schema), "example_payload": example}
    if found.get("output_schema") is not None:
        told["output_schema"] = without_titles(found["output_schema"])
    given = {} if schema is None else {"payload": example}
    if not is_offered(call, "trigger_task"):
        return told | {"next": next_call(call, "list_runs", task=found["id"])}
    return told | {"next": next_call(call, "trigger_task", task=found["id"], **given)}


def without_titles(schema: Any, *, is_schema: bool = True) -> Any:
    """A schema without the titles that say again what a field is called."""
    if isinstance(schema, list):
        return [without_titles(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for name, part in schema.items():
        if is_schema and name == "title" and isinstance(part, str):
            continue
        # What stands under names of fields is named by users, and may be called title.
        kept[name] = without_titles(part, is_schema=not (is_schema and name in {"properties", "$defs"}))
    return kept


def _row(found: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    file = in_project(found.get("file") or "", folder)
    place = f"{file}:{found['line']}" if found.get("line") else file
    schedule = found.get("schedule")
    when = None
    if schedule is not None:
        zone = "" if schedule["timezone"] == "UTC" else f" {schedule['timezone']}"
        when = f"{schedule['cron']}{zone}"
    queue = found["queue"]
    told = row(
        id=found["id"],
        file=place,
        about=shown_text(" ".join((found.get("description") or "").split()), _ABOUT),
        queue=None if queue in {found["id"], f"task/{found['id']}"} else queue,
        schedule=when,
    )
    return told if found["served"] else told | {"served": False}
