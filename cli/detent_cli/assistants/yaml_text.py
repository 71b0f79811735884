"""YAML documents, edited in place: comments, order and layout stay (ruamel.yaml), or nothing is edited."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from .unreadable import Unreadable

__all__ = ["get", "put", "remove"]

#: Lists of a file may be indented or not; one of these writes a file as it is.
_LAYOUTS = [
    (mapping, sequence, offset)
    for mapping in (2, 4, 3, 8)
    for sequence, offset in ((2, 0), (mapping + 2, mapping), (4, 2), (mapping, 0))
]


def get(text: str, path: Sequence[str]) -> Any:
    """The value at `path`; None where there is none. Errors: `Unreadable`."""
    found = _load(YAML(typ="safe", pure=True), text)
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def put(text: str, path: Sequence[str], value: Any) -> str:
    """The document with `value` at `path`. Errors: `Unreadable`, also for a file whose layout cannot be kept."""
    if get(text, path) == value:
        return text
    eol = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n")
    yaml = _fitting(lines)
    document = _load(yaml, lines)
    if document is None:
        gap = "" if not lines or lines.endswith("\n") else "\n"
        made = lines + gap + _dump(yaml, _nested(path, value))
        return made.replace("\n", eol)
    found = document
    for name in path[:-1]:
        if not isinstance(found, dict):
            raise Unreadable("there is no mapping where one was expected")
        if found.get(name) is None:
            found[name] = {}
        found = found[name]
    if not isinstance(found, dict):
        raise Unreadable(f"{path[-2]} is no mapping, so nothing can be put into it")
    found[path[-1]] = value
    made = _dump(yaml, document)
    if not lines.endswith("\n"):
        made = made.removesuffix("\n")
    return made.replace("\n", eol)


def remove(text: str, path: Sequence[str]) -> str:
    """The document without what is at `path`. Errors: `Unreadable`."""
    if get(text, path) is None:
        return text
    eol = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n")
    yaml = _fitting(lines)
    document: Any = _load(yaml, lines)
    found = document
    for name in path[:-1]:
        found = found[name]
    del found[path[-1]]
    return _dump(yaml, document).replace("\n", eol)


def _nested(path: Sequence[str], value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value


def _fitting(text: str) -> YAML:
    """A writer that writes `text` as it is. Errors: `Unreadable`."""
    for mapping, sequence, offset in _LAYOUTS:
        yaml = YAML(pure=True)
        yaml.preserve_quotes = True
        yaml.width = 1_000_000
        yaml.indent(mapping=mapping, sequence=sequence, offset=offset)
        document = _load(yaml, text)
        if document is None or _dump(yaml, document).rstrip("\n") == text.rstrip("\n"):
            return yaml
    raise Unreadable("its layout would not be kept as it is")


def _load(yaml: YAML, text: str) -> Any:
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        problem = Unreadable(str(error.problem or "it is not YAML"))
        mark = error.problem_mark
        if mark is not None:
            problem.line, problem.column = mark.line + 1, mark.column + 1
            problem.args = (f"line {problem.line}, column {problem.column}: {problem.reason}",)
        raise problem from None
    except YAMLError as error:
        raise Unreadable(str(error)) from None


def _dump(yaml: YAML, document: Any) -> str:
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()
