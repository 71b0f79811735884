"""JSON given on the command line: as text, as `@file`, or as `-` for standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import typer

__all__ = ["read_json_argument"]

_NEAR = 30


def read_json_argument(text: str, option: str) -> Any:
    """The value of `text`.

    Parameters:
      text: JSON, ``@FILE``, or ``-``.
      option: its name, for errors.

    Errors: `typer.BadParameter` with the line and the column.
    """
    source, content = _content(text, option)
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        line = error.doc.splitlines()[error.lineno - 1] if error.doc.strip() else ""
        near = line[max(0, error.colno - 1) :][:_NEAR]
        at = f"line {error.lineno}, column {error.colno}"
        problem = f"{source} is not JSON: {error.msg} at {at}"
        problem += f", near {near!r}" if near else ""
        raise typer.BadParameter(f"{problem}{_hint(content, option)}", param_hint=option) from None
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{source} is not JSON: {error}", param_hint=option) from None


def _content(text: str, option: str) -> tuple[str, str]:
    if text == "-":
        return "standard input", _decoded(sys.stdin.buffer.read(), "standard input", option)
    if not text.startswith("@"):
        return repr(text if len(text) <= 2 * _NEAR else f"{text[: 2 * _NEAR]}…"), text
    file = Path(text[1:]).expanduser()
    try:
        return str(file), _decoded(file.read_bytes(), str(file), option)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint=option) from None


def _decoded(content: bytes, source: str, option: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(
            f"{source} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}",
            param_hint=option,
        ) from None


def _hint(content: str, option: str) -> str:
    """What to do, for the slips that shells invite."""
    stripped = content.strip()
    if not stripped:
        return "; it is empty"
    if stripped[0] in "{[" and '"' not in stripped:
        return f"; put names and texts in double quotes, all of it in single ones: {option} '{{\"a\": 1}}'"
    if stripped.replace("_", "a").replace(" ", "a").isalnum():
        return f"; a text needs double quotes within single ones: {option} '\"{stripped[:_NEAR]}\"'"
    return ""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
