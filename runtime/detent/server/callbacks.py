"""Callbacks of tokens: which requests are one, and what the body of one says."""

from __future__ import annotations

import re
from email.message import Message
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Scope

from ..errors import InvalidOptions, InvalidPayload
from ..model.http_api import TOKEN_CALLBACK
from .json_checks import check_json

__all__ = ["is_callback", "output_of"]

_PATH = re.compile(
    re.escape(TOKEN_CALLBACK)
    .replace(re.escape("{id}"), "waitpoint_[0-9a-f]{32}")
    .replace(re.escape("{digest}"), "[0-9a-f]{40}")
    .encode()
)
_FORM = "application/x-www-form-urlencoded"
_FIELDS = 1_000
#: Python knows many more, of which some are no charsets and some take their time.
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1", "windows-1252"})

_encode = msgspec.json.Encoder().encode


def is_callback(scope: Scope) -> bool:
    """Whether this request is a callback of a token, whose address is all the right that it needs.

    The path counts as it was sent, so that nothing that merely decodes to a callback's path passes for one.
    """
    return (
        scope["type"] == "http"
        and scope["method"] == "POST"
        and _PATH.fullmatch(scope.get("raw_path") or b"") is not None
        and scope["path"].encode() == scope["raw_path"]
    )


def output_of(content_type: str, body: bytes) -> str:
    """The output that a callback completes its token with, as JSON text.

    A body of JSON, or of no said type, is the output; a form is an object, its repeated fields are lists; any
    other text is a text; no body is null. Errors: `InvalidPayload`.
    """
    header = Message()
    header["content-type"] = content_type
    kind = header.get_content_type() if content_type else "application/json"
    if not body:
        return "null"
    text = _decoded(body, header.get_content_charset("utf-8"))
    if kind == "application/json" or kind.endswith("+json"):
        return _checked(text)
    return _encode(_form(text) if kind == _FORM else text).decode()


def _decoded(body: bytes, charset: str) -> str:
    if charset not in _CHARSETS:
        raise InvalidPayload(f"the charset {charset!r} of the body is not known here; send it as utf-8")
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"the body is not {charset} text: {error}") from None


def _checked(text: str) -> str:
    try:
        check_json(text.encode())
    except (InvalidOptions, UnicodeError) as error:
        raise InvalidPayload(f"{error}; send JSON, or say in Content-Type what it is (text/plain, {_FORM})") from None
    return text


def _form(text: str) -> dict[str, str | list[str]]:
    fields: dict[str, str | list[str]] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except (ValueError, UnicodeError) as error:
        raise InvalidPayload(f"the body is not a form that can be read: {error}") from None
    for name, value in pairs:
        known = fields.get(name)
        if known is None:
            fields[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            fields[name] = [known, value]
    return fields
