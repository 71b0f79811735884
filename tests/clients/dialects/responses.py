"""OpenAI's Responses API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.clients.script import Called, Heard, Said, Shown

__all__ = ["PATH", "answer", "events", "read"]

PATH = "/v1/responses"
_USED = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def read(body: dict[str, Any]) -> Heard:
    """What a request says."""
    results = [_text(item["output"]) for item in body["input"] if item.get("type") == "function_call_output"]
    groups = [tool.get("description", "") for tool in body.get("tools", []) if tool["type"] == "namespace"]
    said = [_text(item["content"]) for item in body["input"] if item.get("role") in ("developer", "system", "user")]
    told = "\n".join([body.get("instructions") or "", *groups, *said])
    return Heard(told, list(_tools(body.get("tools", []), None)), results)


def events(heard: Heard, turn: Called | Said, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The answer as a stream, by event name."""
    response = answer(heard, turn, number)
    [item] = response["output"]
    yield "response.created", {"type": "response.created", "response": response | {"output": []}}
    yield "response.output_item.done", {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield "response.completed", {"type": "response.completed", "response": response}


def answer(heard: Heard, turn: Called | Said, number: int) -> dict[str, Any]:
    """The answer as one object."""
    item: dict[str, Any]
    if isinstance(turn, Said):
        item = {
            "type": "message",
            "id": f"msg_{number}",
            "role": "assistant",
            "content": [{"type": "output_text", "text": turn.text, "annotations": []}],
        }
    else:
        shown = heard.named(turn.tool)
        item = {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": f"call_{number}",
            "name": turn.tool if shown is None else shown.name,
            "arguments": json.dumps(turn.arguments),
        }
        if shown is not None and shown.group is not None:
            item["namespace"] = shown.group
    return {"id": f"resp_{number}", "object": "response", "status": "completed", "output": [item], "usage": _USED}


def _tools(told: list[dict[str, Any]], group: str | None) -> Iterator[Shown]:
    for tool in told:
        if tool["type"] == "namespace":
            yield from _tools(tool["tools"], tool["name"])
        elif tool["type"] == "function":
            yield Shown(tool["name"], tool.get("description", ""), tool["parameters"], group)


def _text(output: Any) -> str:
    return output if isinstance(output, str) else "\n".join(part.get("text", "") for part in output)
