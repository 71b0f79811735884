"""Any Python value as JSON text and back, when no schema says what it should be.

JSON has no NaN and no infinities, and its text is Unicode: values with either are refused with their place
rather than changed silently. A model that sets ``ser_json_inf_nan`` has decided for its own fields.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, NoReturn

from detent.errors import Unserializable

__all__ = ["decode", "encode", "refuse", "refuse_non_finite"]

_PLAIN = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_DEEPEST = 200


def encode(value: Any, root: str) -> str:
    """Compact JSON text of `value`.

    Parameters:
      value: plain values, and whatever Pydantic can write: models, dataclasses, dates, UUID, Decimal, Enum,
        sets, UTF-8 bytes.
      root: what the value is ("payload", "output"); places in errors begin with it.

    Raises Unserializable with the place and the type.
    """
    try:
        text = _PLAIN.encode(value)
        if not text.isascii():
            text.encode()  # refuses lone surrogates, which are not Unicode text
        return text
    except (TypeError, ValueError, RecursionError):
        return _encode_rich(value, root)


def _encode_rich(value: Any, root: str) -> str:
    from pydantic_core import PydanticSerializationError, to_json

    if place := _find(value, root, _is_iterator):  # it could be read only once, and by whoever comes first
        _refuse_at(*place)
    try:
        text = to_json(value, inf_nan_mode="null").decode()
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        refuse(value, root, error)
    refuse_non_finite(value, text, root)
    return text


def decode(text: str | bytes) -> Any:
    """The value of JSON text. Raises ValueError for anything that is not JSON, NaN and Infinity included."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def refuse_non_finite(value: Any, text: str, root: str) -> None:
    """Raise Unserializable when a NaN or infinity in `value` was written as ``null`` in its JSON `text`."""
    if "null" in text and (place := _find(value, root, _may_hide_nan)):
        _refuse_at(*place)


def refuse(value: Any, root: str, error: Exception) -> NoReturn:
    """Raise Unserializable that names the type and place of the first part of `value` that is not JSON."""
    place = _find(value, root, _is_not_json)
    if place is None:
        raise Unserializable(f"{root} cannot be written as JSON: {error}") from None
    _refuse_at(*place)


def _refuse_at(path: str, part: Any) -> NoReturn:
    raise Unserializable(f"{path} cannot be written as JSON: {_reason(part)}") from None


def _reason(part: Any) -> str:
    name = _type_name(part)
    match part:
        case float():
            return f"it is {part}, which JSON does not have; use None or text in its place"
        case str():
            return "its text has a lone surrogate, which is not Unicode; clean it with .encode(errors='replace')"
        case bytes() | bytearray() | memoryview():
            return f"it is {name} but not UTF-8; encode it with base64, or store it and give its key"
        case dict() | list() | tuple() | set() | frozenset():
            return f"the {name} contains itself, or is nested more than {_DEEPEST} deep"
    if hasattr(part, "__await__"):
        return f"it is a {name} that was not awaited; put `await` before the call"
    if _is_iterator(part):
        return f"it is a {name}, which can be read only once; make it a list with list(...)"
    if hasattr(part, "tolist"):
        return f"its type is {name}; use .tolist() for plain numbers"
    return f"its type is {name}; use a Pydantic model, a dataclass, a dict, a list or plain values"


def _type_name(part: Any) -> str:
    kind = type(part)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _is_non_finite(part: Any) -> bool:
    return isinstance(part, float) and not math.isfinite(part)


def _may_hide_nan(part: Any) -> bool:
    return _is_non_finite(part) or _is_iterator(part)  # what an iterator gave cannot be looked at again


def _is_iterator(part: Any) -> bool:
    return hasattr(part, "__next__") or hasattr(part, "__anext__")


def _is_not_json(part: Any) -> bool:
    from pydantic_core import to_json

    if _is_non_finite(part):
        return True
    try:
        to_json(part)
    except Exception:  # whatever a custom serializer raises
        return True
    return False


def _find(value: Any, path: str, wrong: Callable[[Any], bool], around: tuple[int, ...] = ()) -> tuple[str, Any] | None:
    """The first part, depth first, that is `wrong`, with its path; so is a container without end."""
    inner = _parts(value)
    if inner is None:
        return (path, value) if wrong(value) else None
    if id(value) in around or len(around) >= _DEEPEST:
        return path, value
    for step, part in inner:
        if place := _find(part, path + step, wrong, (*around, id(value))):
            return place
    return None


def _parts(part: Any) -> Iterator[tuple[str, Any]] | None:
    """The parts of a container, each with its step; None for a value that has none."""
    if isinstance(part, dict):
        return ((f".{key}" if str(key).isidentifier() else f"[{key!r}]", item) for key, item in part.items())
    if isinstance(part, list | tuple | set | frozenset):
        return ((f"[{index}]", item) for index, item in enumerate(part))
    if isinstance(part, type):
        return None
    if is_dataclass(part):
        return ((f".{f.name}", getattr(part, f.name, None)) for f in fields(part))
    config = getattr(part, "model_config", None)
    if isinstance(config, dict) and hasattr(part, "model_fields_set"):
        shown = {} if "ser_json_inf_nan" in config else {**vars(part), **(part.model_extra or {})}
        return ((f".{key}", item) for key, item in shown.items())
    return None
