"""The schema of a payload or an output: a type annotation that checks values and writes and reads them as
JSON.

Pydantic does the work. It is imported at the first value that needs it, since `import detent` must stay fast.
"""

from __future__ import annotations

import inspect
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from detent.errors import DiscoveryError, InvalidPayload
from detent.model import json_text
from detent.sdk.signature import Parameters, defining_locals, payload_annotation, return_annotation
from detent.sdk.typed_dict import portable

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

__all__ = ["Parameters", "Schema", "defining_locals", "payload_annotation", "return_annotation"]

_MOST_PROBLEMS = 10
_ANYTHING = (Any, object, inspect.Parameter.empty)
_PLAIN = frozenset({str, int, float, bool, dict, list, type(None)})


class Schema:
    """A type annotation at work.

    Parameters:
      annotation: any type that Pydantic takes: models, dataclasses, TypedDict, unions, builtins, Annotated
        ...; ``Any`` (also: nothing) means any JSON value.
      where: what it belongs to, for errors, for example ``task 'summarize'``.

    Building the validator is put off to the first value that needs it. A type that Pydantic does not take
    raises DiscoveryError then.
    """

    def __init__(self, annotation: Any = Any, where: str = "task") -> None:
        self.annotation = type(None) if annotation is None else annotation
        self.where = where
        self._anything = any(self.annotation is kind for kind in _ANYTHING)
        self._plain = self._anything or any(self.annotation is kind for kind in _PLAIN)

    def dump(self, value: Any) -> str:
        """The payload `value`, checked, as compact JSON text that `load` reads back.

        Raises InvalidPayload when it does not fit, one line for each problem; Unserializable when it fits
        but is not JSON.
        """
        if self._plain and (self._anything or type(value) is self.annotation):
            return json_text.encode(value, "payload")
        from pydantic import ValidationError

        try:
            return self._write(self._adapter.validator.validate_python(value, by_alias=True, by_name=True))
        except ValidationError as error:
            raise self._invalid(error) from None

    def load(self, text: str | bytes) -> Any:
        """The typed value of a payload's JSON text.

        Raises InvalidPayload when the text is not JSON or the value does not fit.
        """
        try:
            text = text if isinstance(text, str) else text.decode()
            # Pydantic would read NaN and Infinity, which are not JSON, as floats.
            if self._plain or "NaN" in text or "Infinity" in text:
                value = json_text.decode(text)
                if self._anything or type(value) is self.annotation:
                    return value
        except ValueError as error:
            raise InvalidPayload(f"the payload of {self.where} is not JSON: {error}") from None
        from pydantic import ValidationError

        try:
            return self._adapter.validator.validate_json(text, by_alias=True, by_name=True)
        except ValidationError as error:
            raise self._invalid(error) from None

    def dump_output(self, value: Any) -> str:
        """The return value as compact JSON text: by the annotation where it fits, otherwise as what it is.

        A task that has done its work is not failed for returning another type than it announced. Raises
        Unserializable, with the place and the type, when it is not JSON.
        """
        if self._plain and (self._anything or type(value) is self.annotation):
            return json_text.encode(value, "output")
        from pydantic_core import PydanticSerializationError

        try:
            adapter = self._adapter
            raw = adapter.serializer.to_json(value, by_alias=self._by_alias, warnings="error")
        except (PydanticSerializationError, DiscoveryError):
            return json_text.encode(value, "output")
        text = raw.decode()
        json_text.refuse_non_finite(value, text, "output")
        return text

    def load_output(self, text: str | bytes) -> Any:
        """The value of an output's JSON text: typed when it fits the annotation, else plain."""
        try:
            return self.load(text)
        except (InvalidPayload, DiscoveryError):
            return json_text.decode(text)

    def json_schema(self, mode: Literal["validation", "serialization"] = "validation") -> dict[str, Any] | None:
        """The JSON Schema of payloads, or by "serialization" of outputs; None when any value goes."""
        if self._anything:
            return None
        from pydantic.errors import PydanticInvalidForJsonSchema

        try:
            return self._adapter.json_schema(mode=mode, by_alias=self._by_alias)
        except PydanticInvalidForJsonSchema:
            return None

    def describe(self) -> str:
        """The type in a few words, for errors and lists: "Document", "list[Document]", "any JSON value"."""
        if self._anything:
            return "any JSON value"
        plain_class = isinstance(self.annotation, type) and not hasattr(self.annotation, "__args__")
        text = self.annotation.__name__ if plain_class else repr(self.annotation)
        text = re.sub(r"<class '([^']*)'>", r"\1", text)
        text = re.sub(r"(?<![\w'\"])(?:\w+\.|<locals>\.)+(?=\w)", "", text).replace("NoneType", "None")
        return text if len(text) <= 100 else f"{text[:99]}…"

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter

        try:
            adapter: TypeAdapter[Any] = TypeAdapter(portable(self.annotation))
            if not adapter.pydantic_complete:
                adapter.rebuild(raise_errors=True)
        except (PydanticUserError, PydanticUndefinedAnnotation) as error:
            reason = str(error).split("\n", 1)[0].split(". ", 1)[0].rstrip(".")
            raise DiscoveryError(
                f"{self.where}: {self.describe()} cannot be used as a schema: {reason}; "
                "use a Pydantic model, a dataclass, a TypedDict or builtin types, all defined at module level"
            ) from error
        return adapter

    @cached_property
    def _by_alias(self) -> bool:
        """JSON carries the aliases, unless a field is written under another alias than it is read by."""
        return not _aliases_differ(self._adapter.core_schema)

    def _write(self, value: Any) -> str:
        from pydantic_core import PydanticSerializationError

        adapter, by_alias = self._adapter, self._by_alias
        write = adapter.serializer.to_json
        try:
            raw = write(value, by_alias=by_alias, round_trip=True, warnings="error")
        except PydanticSerializationError as first:
            # Validation takes an instance as it is; that it was changed after it was made shows only here.
            plain = adapter.serializer.to_python(value, by_alias=by_alias, round_trip=True, warnings="none")
            value = adapter.validator.validate_python(plain, by_alias=True, by_name=True)
            try:
                raw = write(value, by_alias=by_alias, round_trip=True, warnings="none")
            except PydanticSerializationError:
                json_text.refuse(value, "payload", first)
        text = raw.decode()
        json_text.refuse_non_finite(value, text, "payload")
        return text

    def _invalid(self, error: ValidationError) -> InvalidPayload:
        problems = error.errors(include_url=False, include_context=False)
        if problems[0]["type"] == "json_invalid":
            return InvalidPayload(f"the payload of {self.where} is not JSON: {problems[0]['msg']}")
        lines = [_problem(problem) for problem in problems[:_MOST_PROBLEMS]]
        if len(problems) > _MOST_PROBLEMS:
            lines.append(f"and {len(problems) - _MOST_PROBLEMS} more")
        listed = "".join(f"\n  {line}" for line in lines)
        return InvalidPayload(f"the payload does not fit {self.where}, which takes {self.describe()}:{listed}")


_EXPECTED = {
    "float": "number",
    "int": "whole number",
    "string": "text",
    "bool": "true or false",
    "dict": "object",
    "model": "object",
    "dataclass": "object",
    "mapping": "object",
    "list": "list",
    "tuple": "list",
    "set": "list without repeats",
    "uuid": "UUID",
    "decimal": "decimal number",
    "none": "null",
}


def _problem(problem: Any) -> str:
    """One problem as one line: the field, what was expected, what came."""
    kind, place = problem["type"], ".".join(str(step) for step in problem["loc"])
    field = f"field {place!r}" if place else "payload"
    if kind == "missing":
        return f"{field}: missing, and it has no default"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{field}: not expected here"
    family, _, cause = kind.partition("_")
    if family in _EXPECTED and cause in (
        "type",
        "parsing",
        "from_float",
        "attributes_type",
        "exact_type",
        "required",
    ):
        expected = f"expected {_EXPECTED[family]}"
    else:
        expected = re.sub(r"^Input should be (a valid )?", "expected ", problem["msg"])
    return f"{field}: {expected}, got {_shown(problem['input'])}"


def _shown(value: Any) -> str:
    text = repr(value)
    text = text if len(text) <= 60 else f"{text[:59]}…"
    return text if value is None else f"{text} ({type(value).__name__})"


def _aliases_differ(core: Any) -> bool:
    if isinstance(core, list | tuple):
        return any(_aliases_differ(item) for item in core)
    if not isinstance(core, dict):
        return False
    written, read = core.get("serialization_alias"), core.get("validation_alias")
    if isinstance(written, str) and written != read and [written] not in (read if isinstance(read, list) else ()):
        return True
    return any(_aliases_differ(item) for key, item in core.items() if key not in ("default", "metadata"))
