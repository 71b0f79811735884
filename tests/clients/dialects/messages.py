"""Anthropic's Messages API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.clients.script import SEARCHES, Called, Heard, Said, Shown

__all__ = ["PATH", "answer", "events", "read"]

PATH = "/v1/messages"
_USED = {"input_tokens": 10, "output_tokens": 5}


def read(body: dict[str, Any]) -> Heard:
    """What a request says."""
    tools = [
        Shown(tool["name"], tool.get("description", ""), tool["input_schema"])
        for tool in body.get("tools", [])
        if "input_schema" in tool
    ]
    results = [
        _text(part.get("content", ""))
        for message in body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "tool_result" and not part["tool_use_id"].startswith(SEARCHES)
    ]
    said = [_text(message["content"]) for message in body["messages"] if message["role"] != "assistant"]
    return Heard("\n".join([_text(body.get("system", "")), *said]), tools, results)


def events(heard: Heard, turn: Called | Said, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The answer as a stream, by event name."""
    message = answer(heard, turn, number)
    [block] = message["content"]
    yield "message_start", {"type": "message_start", "message": message | {"content": [], "stop_reason": None}}
    if block["type"] == "text":
        begin, delta = block | {"text": ""}, {"type": "text_delta", "text": block["text"]}
    else:
        begin = block | {"input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": begin}
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": _USED}
    yield "message_stop", {"type": "message_stop"}


def answer(heard: Heard, turn: Called | Said, number: int) -> dict[str, Any]:
    """The answer as one object."""
    block: dict[str, Any]
    if isinstance(turn, Said):
        block, why = {"type": "text", "text": turn.text}, "end_turn"
    else:
        shown = heard.named(turn.tool)
        name = turn.tool if shown is None else shown.name
        block = {"type": "tool_use", "id": f"{turn.tool}_{number}", "name": name, "input": turn.arguments}
        why = "tool_use"
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [block],
        "stop_reason": why,
        "stop_sequence": None,
        "usage": _USED,
    }


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", json.dumps(part)) for part in content)
