"""The value of a step: written to the journal, and read from it, always in the same way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import DetentError, Unserializable
from .schema import Schema, return_annotation

__all__ = ["ANY_VALUE", "StepValue", "value_of"]


class StepValue:
    """Turns what a step returns into JSON text and back, by a type.

    What the code of the run gets is what was read back, also the first time: a replay then gives the same.
    """

    __slots__ = ("_schema",)

    def __init__(self, annotation: Any = Any) -> None:
        self._schema = Schema(annotation, "step")

    def dump(self, value: Any) -> str:
        """Errors: `Unserializable` for what is not JSON, or would come back as another type."""
        text = self._schema.dump_output(value)
        if _is_model(value) and not isinstance(self._schema.load_output(text), type(value)):
            name = type(value).__name__
            raise Unserializable(
                f"the step returned a {name}, which would come back as plain data after a crash; say "
                f"step(..., returns={name}), annotate the function's return type, or return plain data"
            )
        return text

    def load(self, text: str) -> Any:
        return self._schema.load_output(text)


ANY_VALUE = StepValue()

_known: WeakKeyDictionary[Any, StepValue] = WeakKeyDictionary()


def value_of(fn: Callable[..., Any], returns: Any) -> StepValue:
    """How the results of `fn` are kept: by `returns` where that is given, else by the annotation of the function."""
    if returns is not None:
        return StepValue(returns)
    plain = getattr(fn, "__func__", fn)
    try:
        known = _known.get(plain)
        if known is None:
            known = _known[plain] = StepValue(_annotation(plain))
    except TypeError:  # what cannot be referred to weakly
        return StepValue(_annotation(plain))
    return known


def _annotation(fn: Callable[..., Any]) -> Any:
    try:
        return return_annotation(fn)
    except (DetentError, TypeError, ValueError, AttributeError, NameError):
        return Any


def _is_model(value: Any) -> bool:
    if isinstance(value, type):
        return False
    return hasattr(value, "model_fields_set") or dataclasses.is_dataclass(value)
