"""What a scripted model hears from a client and what it says: the same for every API that a model is called by."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CALL_BY_NAME", "SEARCHES", "Called", "Heard", "Player", "Said", "Shown", "whole_json"]

#: By these clients show tools that they do not show from the start.
SEARCHES = ("ToolSearch", "tool_search")
#: By this a client lets the model call a tool that it looked up and is still not shown.
CALL_BY_NAME = "tool_call"


@dataclass(frozen=True, slots=True)
class Shown:
    """A tool as a client shows it to the model. `group`: the namespace it is in, where the API has those."""

    name: str
    description: str
    schema: dict[str, Any]
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Called:
    """The model calls a tool; `tool` is detent's name of it, or a client's own tool."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """The model says its last words."""

    text: str


@dataclass(slots=True)
class Heard:
    """One request to the model: what it is told, the tools it is shown, the results of all calls so far as text."""

    told: str
    tools: list[Shown]
    results: list[str]

    def named(self, tool: str) -> Shown | None:
        """The tool of detent with this name, whatever the client puts in front of it."""
        return next(
            (shown for shown in self.tools if shown.name == tool or shown.name.endswith((f"_{tool}", f"-{tool}"))), None
        )


#: What the model does next, from the results of its calls so far.
Player = Callable[[list[str]], Called | Said]


def whole_json(text: str) -> Any:
    """The JSON object in a result, whatever the client wrote around it. Errors: `ValueError` without one."""
    return json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
