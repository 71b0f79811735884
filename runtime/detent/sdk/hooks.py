"""Hooks: functions of the user around runs. Each takes, by name, what it wants to know."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import DiscoveryError

__all__ = ["EVENTS", "Hooks"]

F = TypeVar("F", bound=Callable[..., Any])

#: Which names a hook may take as parameters, by event.
EVENTS: dict[str, frozenset[str]] = {
    "on_start": frozenset({"payload", "ctx"}),
    "on_success": frozenset({"payload", "output", "ctx"}),
    "on_failure": frozenset({"payload", "error", "ctx"}),
    "on_complete": frozenset({"payload", "result", "ctx"}),
    "on_cancel": frozenset({"payload", "reason", "ctx"}),
    "on_wait": frozenset({"payload", "wait", "ctx"}),
    "on_resume": frozenset({"payload", "wait", "ctx"}),
    "catch_error": frozenset({"payload", "error", "ctx"}),
    "middleware": frozenset({"payload", "ctx", "next"}),
}


class Hooks:
    """The hooks of one task, or of all tasks, by event, in the order of declaration."""

    def __init__(self) -> None:
        self._by_event: dict[str, list[Callable[..., Any]]] = {event: [] for event in EVENTS}

    def add(self, event: str, fn: F) -> F:
        """Register `fn` for `event`. Errors: `DiscoveryError` for parameters that the event does not have."""
        allowed = EVENTS[event]
        for parameter in inspect.signature(fn).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            if parameter.name not in allowed and parameter.default is parameter.empty:
                raise DiscoveryError(
                    f"the {event} hook {getattr(fn, '__qualname__', fn)!r} wants {parameter.name!r}; "
                    f"it may take, by name: {', '.join(sorted(allowed))}"
                )
        self._by_event[event].append(fn)
        return fn

    def of(self, event: str) -> list[Callable[..., Any]]:
        return self._by_event[event]

    def events(self) -> set[str]:
        """The events that have hooks."""
        return {event for event, hooks in self._by_event.items() if hooks}


def wanted(fn: Callable[..., Any], values: dict[str, Any]) -> dict[str, Any]:
    """Those of `values` that `fn` takes."""
    parameters = inspect.signature(fn).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return values
    return {name: value for name, value in values.items() if name in parameters}
