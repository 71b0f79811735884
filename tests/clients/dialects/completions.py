"""OpenAI's Chat Completions API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.clients.script import SEARCHES, Called, Heard, Said, Shown

__all__ = ["PATH", "answer", "events", "read"]

PATH = "/v1/chat/completions"


def read(body: dict[str, Any]) -> Heard:
    """What a request says."""
    tools = [
        Shown(function["name"], function.get("description", ""), function.get("parameters", {}))
        for function in (tool["function"] for tool in body.get("tools") or [])
    ]
    told = "\n".join(_text(message["content"]) for message in body["messages"] if message["role"] in ("system", "user"))
    results = [
        _text(message["content"])
        for message in body["messages"]
        if message["role"] == "tool" and not message["tool_call_id"].startswith(SEARCHES)
    ]
    return Heard(told, tools, results)


def events(heard: Heard, turn: Called | Said, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The answer as a stream; its events have no names."""
    whole = answer(heard, turn, number)
    [choice] = whole["choices"]
    chunk = {"id": whole["id"], "object": "chat.completion.chunk", "created": 0, "model": whole["model"]}
    delta = choice["message"]
    if "tool_calls" in delta:
        delta = delta | {"tool_calls": [{"index": 0, **delta["tool_calls"][0]}]}
    yield "", chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    ended = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    yield "", chunk | {"choices": [ended], "usage": whole["usage"]}


def answer(heard: Heard, turn: Called | Said, number: int) -> dict[str, Any]:
    """The answer as one object."""
    message: dict[str, Any]
    if isinstance(turn, Said):
        message, why = {"role": "assistant", "content": turn.text}, "stop"
    else:
        shown = heard.named(turn.tool)
        function = {"name": turn.tool if shown is None else shown.name, "arguments": json.dumps(turn.arguments)}
        call = {"id": f"{turn.tool}_{number}", "type": "function", "function": function}
        message, why = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": why}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content or ""
