"""TOML documents, edited in place: comments, order and layout stay (tomlkit)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import AbstractTable

from .unreadable import Unreadable

__all__ = ["get", "put", "remove"]


def get(text: str, path: Sequence[str]) -> Any:
    """The value at `path`; None where there is none. Errors: `Unreadable`."""
    found: Any = _parse(text).unwrap()
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def put(text: str, path: Sequence[str], value: Any) -> str:
    """The document with the table `value` at `path`. Errors: `Unreadable`."""
    if get(text, path) == value:
        return text
    document = _parse(text)
    *parents, last = path
    table: Any = document
    for name in parents:
        if name not in table:
            if table is document:
                # A table of its own at the end of the document moves nothing.
                return _appended(text, path, value)
            table[name] = tomlkit.table(is_super_table=True)
        table = table[name]
        if not isinstance(table, AbstractTable | dict):
            raise Unreadable(f"{name} is no table, so nothing can be put into it")
    if last not in table:
        return _appended(text, path, value)
    # Where it is, with the comments that are in it.
    present: Any = table[last]
    for name in [name for name in present if name not in value]:
        del present[name]
    for name, each in value.items():
        if name not in present or present[name] != each:
            present[name] = each
    return tomlkit.dumps(document)


def remove(text: str, path: Sequence[str]) -> str:
    """The document without the table at `path`. Errors: `Unreadable`."""
    document = _parse(text)
    table: Any = document
    for name in path[:-1]:
        if name not in table or not isinstance(table[name], AbstractTable | dict):
            return text
        table = table[name]
    if path[-1] not in table:
        return text
    del table[path[-1]]
    eol = "\r\n" if "\r\n" in text else "\n"
    left = tomlkit.dumps(document)
    # The empty line before it goes with it.
    return left.removesuffix(eol) if left.endswith(eol * 2) else left


def _appended(text: str, path: Sequence[str], value: Any) -> str:
    """`text` and, after it, the table with its own header; checked to say what was meant."""
    eol = "\r\n" if "\r\n" in text else "\n"
    addition = tomlkit.document()
    inner: Any = addition
    for name in path[:-1]:
        inner[name] = tomlkit.table(is_super_table=True)
        inner = inner[name]
    inner[path[-1]] = tomlkit.item(value)
    gap = "" if not text.strip() else eol if text.endswith("\n") else eol * 2
    made = text + gap + tomlkit.dumps(addition).replace("\n", eol)
    try:
        fits = get(made, path) == value
    except Unreadable:
        fits = False
    if not fits:
        raise Unreadable(f"{'.'.join(path[:-1])} is written in a way that nothing can be added to")
    return made


def _parse(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except ParseError as error:
        problem = Unreadable(str(error).partition(" at line ")[0])
        problem.line, problem.column = error.line, error.col
        problem.args = (f"line {error.line}, column {error.col}: {problem.reason}",)
        raise problem from None
    except TOMLKitError as error:
        raise Unreadable(str(error)) from None
