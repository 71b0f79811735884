"""Google's Gemini API: `generateContent` and its stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.clients.script import Called, Heard, Said, Shown

__all__ = ["PATH", "answer", "events", "read"]

PATH = "/v1beta/models/"


def read(body: dict[str, Any]) -> Heard:
    """What a request says."""
    tools = [
        Shown(told["name"], told.get("description", ""), told.get("parametersJsonSchema") or told.get("parameters", {}))
        for group in body.get("tools", [])
        for told in group.get("functionDeclarations", [])
    ]
    results = [
        str(part["functionResponse"]["response"].get("output") or part["functionResponse"]["response"])
        for content in body["contents"]
        for part in content.get("parts", [])
        if "functionResponse" in part
    ]
    said = [body.get("systemInstruction", {}), *body["contents"]]
    told = "\n".join(part.get("text", "") for content in said for part in content.get("parts", []))
    return Heard(told, tools, results)


def events(heard: Heard, turn: Called | Said, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The answer as a stream; its events have no names."""
    yield "", answer(heard, turn, number)


def answer(heard: Heard, turn: Called | Said, _number: int) -> dict[str, Any]:
    """The answer as one object."""
    part: dict[str, Any]
    if isinstance(turn, Said):
        part = {"text": turn.text}
    else:
        shown = heard.named(turn.tool)
        part = {"functionCall": {"name": turn.tool if shown is None else shown.name, "args": turn.arguments}}
    return {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
    }
