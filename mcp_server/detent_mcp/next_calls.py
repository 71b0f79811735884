"""The next call, as a model makes it: of a tool that it has, in the environment that this call was about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from .results import encode

if TYPE_CHECKING:
    from .call import Call

__all__ = ["is_offered", "next_call", "start_step", "steps_of"]

#: The environment that the dev server serves.
_DEV = "dev"


def next_call(call: Call, tool: str, **arguments: Any) -> str:
    """``tool(name=value)``. It names the environment where this call did."""
    if call.named is not None:
        arguments["env"] = call.named
    return f"{tool}({_told(arguments)})"


def _told(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={encode(value)}" for name, value in arguments.items())


def start_step(call: Call) -> str:
    """How a worker is started: by a call, or by a person where no tool does it here."""
    environment = call.where.environment
    if environment != _DEV:
        return f"deploy to {environment}, or `detent worker` for {environment}"
    start = {"action": "start"}
    return f"dev_server({_told(start)})" if is_offered(call, "dev_server", start) else "`detent dev` or `detent worker`"


def steps_of(call: Call, found: Mapping[str, Any], *, with_group: bool = True) -> list[str]:
    """What a diagnosis advises, as calls; as commands for a person where no tool does it here.

    Parameters:
      with_group: whether to lead to the other runs with the same problem.
    """
    steps = [step for step in found["next"] if with_group or step["action"] != "error"]
    return [f"{_call_of(call, found, step) or step['command']}: {step['why']}" for step in steps]


def _call_of(call: Call, found: Mapping[str, Any], step: Mapping[str, Any]) -> str | None:
    made = _calls(found, step).get(step["action"])
    if step["action"] == "start" and call.where.environment != _DEV:
        return None
    if made is None or not is_offered(call, made[0], made[1]):
        return None
    return next_call(call, made[0], **made[1])


def _calls(found: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    run, task = found["id"], found["task"]
    words = step["command"].split()
    last = words[-1].strip("'\"") if words else ""
    replayed: dict[str, Any] = {"run": run}
    body = step.get("body") or {}
    options = body.get("options")
    if options:
        replayed["options"] = options
    elif "--payload" in words:
        replayed["payload"] = "..."
    forked = {"fork": ("replay_run", {"run": run, "at": body["at"]})} if body.get("at") else {}
    return forked | {
        "cancel": ("cancel_run", {"run": run}),
        "complete_token": ("complete_waitpoint", {"token": words[3] if len(words) > 3 else last, "output": None}),
        "error": ("list_errors", {"id": last}),
        "diagnose": ("diagnose_run", {"run": last}),
        "logs": ("search_logs", {"run": run}),
        "queues": ("list_queues", {}),
        "replay": ("replay_run", replayed),
        "report": ("get_report", {}),
        "resume_queue": ("control_queue", {"queue": last, "action": "resume"}),
        "schema": ("get_current_worker", {"task": task}),
        "start": ("dev_server", {"action": "start"}),
    }


def is_offered(call: Call, tool: str, arguments: Collection[str] = ()) -> bool:
    """Whether the model has a tool that takes these arguments: one that only reads may stand in for another."""
    from .catalogue import chosen
    from .connection import Connection

    found = chosen(call.settings, call.may, here=isinstance(call.connecting, Connection)).get(tool)
    return found is not None and set(arguments) <= {each.name for each in found.own}
