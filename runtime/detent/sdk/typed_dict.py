"""Python 3.11: Pydantic takes only typing_extensions' TypedDict; typing's own is turned into that one."""

from __future__ import annotations

import functools
import operator
import sys
import types
import typing
from typing import Annotated, Any, Literal, Union

__all__ = ["portable"]


def portable(annotation: Any) -> Any:
    """`annotation` with every `typing.TypedDict` in it made fit for Pydantic."""
    return annotation if sys.version_info >= (3, 12) else _portable(annotation, frozenset())


def _portable(annotation: Any, around: frozenset[Any]) -> Any:
    if typing.is_typeddict(annotation) and type(annotation).__module__ == "typing":
        return annotation if annotation in around else _twin(annotation, around | {annotation})
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None or origin is Literal:
        return annotation
    if origin is Annotated:
        return Annotated[(_portable(arguments[0], around), *annotation.__metadata__)]
    changed = tuple(_portable(argument, around) for argument in arguments)
    if all(new is old for new, old in zip(changed, arguments, strict=True)):
        return annotation
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, changed)
    return origin[changed]


def _twin(kind: Any, around: frozenset[Any]) -> Any:
    import typing_extensions

    hints = typing.get_type_hints(kind, include_extras=True)
    members = {name: _member(hint, name in kind.__optional_keys__, around) for name, hint in hints.items()}
    make: Any = typing_extensions.TypedDict
    twin = make(kind.__name__, members)
    twin.__module__, twin.__doc__ = kind.__module__, kind.__doc__
    if hasattr(kind, "__pydantic_config__"):
        twin.__pydantic_config__ = kind.__pydantic_config__
    return twin


def _member(hint: Any, optional: bool, around: frozenset[Any]) -> Any:
    import typing_extensions

    qualifier = typing.get_origin(hint)
    if qualifier in (typing.Required, typing.NotRequired):
        # Where annotations are text, `__optional_keys__` does not know of these.
        optional = qualifier is typing.NotRequired
        hint = typing.get_args(hint)[0]
    hint = _portable(hint, around)
    return typing_extensions.NotRequired[hint] if optional else hint
