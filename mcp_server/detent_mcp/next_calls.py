"""The next call, as a model makes it: of a tool that it has, in the environment that this call was about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .results import encode

if TYPE_CHECKING:
    from .call import Call

__all__ = ["next_call", "steps_of"]


def next_call(call: Call, tool: str, **arguments: Any) -> str:
    """``tool(name=value)``. It names the environment where this call did."""
    if call.named is not None:
        arguments["env"] = call.named
    return f"{tool}({', '.join(f'{name}={encode(value)}' for name, value in arguments.items())})"


def steps_of(call: Call, found: Mapping[str, Any]) -> list[str]:
    """What a diagnosis advises, as calls; as commands for a person where no tool does it here."""
    return [f"{_call_of(call, found, step) or step['command']}: {step['why']}" for step in found["next"]]


def _call_of(call: Call, found: Mapping[str, Any], step: Mapping[str, Any]) -> str | None:
    made = _calls(found, step).get(step["action"])
    if made is None or not _is_offered(call, made[0]):
        return None
    return next_call(call, made[0], **made[1])


def _calls(found: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    run, task = found["id"], found["task"]
    words = step["command"].split()
    last = words[-1].strip("'\"") if words else ""
    replayed: dict[str, Any] = {"run": run}
    options = (step.get("body") or {}).get("options")
    if options:
        replayed["options"] = options
    elif "--payload" in words:
        replayed["payload"] = "..."
    return {
        "cancel": ("cancel_run", {"run": run}),
        "complete_token": ("complete_waitpoint", {"token": words[3] if len(words) > 3 else last, "output": None}),
        "diagnose": ("diagnose_run", {"run": last}),
        "logs": ("search_logs", {"run": run}),
        "queues": ("list_queues", {}),
        "replay": ("replay_run", replayed),
        "report": ("get_report", {}),
        "resume_queue": ("control_queue", {"queue": last, "action": "resume"}),
        "schema": ("get_current_worker", {"task": task}),
        "start": ("dev_server", {"action": "start"}),
    }


def _is_offered(call: Call, tool: str) -> bool:
    from .catalogue import chosen

    return tool in chosen(call.settings)
