"""The format of ``.env`` files: ``NAME=VALUE`` lines, quotes, comments; nothing is executed or looked up."""

from __future__ import annotations

import re

from ..errors import InvalidOptions

__all__ = ["parse_dotenv"]

_LINE = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_COMMENT = re.compile(r"[ \t]#")


def parse_dotenv(text: str) -> dict[str, str]:
    """The variables of `text`, in its order; of a name that comes twice, the last.

    A value in double quotes may have several lines and escapes (``\\n``, ``\\"``); one in single quotes is taken as
    it stands; one without quotes ends at the line's end or before `` #``.

    Errors: `InvalidOptions` with the line, without the value.
    """
    found: dict[str, str] = {}
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    at, number = 0, 0
    while at < len(text):
        number += 1
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].strip()
        if not line or line.startswith("#"):
            at = end + 1
            continue
        start = at + len(text[at:end]) - len(text[at:end].lstrip())
        head = _LINE.match(text, start, end)
        if head is None:
            raise InvalidOptions(f"line {number} of the variables is not NAME=VALUE; correct it, or put a # before it")
        quote = text[head.end() : head.end() + 1] if head.end() < end else ""
        if quote in ('"', "'") and quote:
            closing = _closing(text, head.end() + 1, quote)
            if closing < 0:
                raise InvalidOptions(f"the value that begins in line {number} has no closing {quote}")
            value = text[head.end() + 1 : closing]
            number += value.count("\n")
            end = text.find("\n", closing)
            end = len(text) if end < 0 else end
            rest = text[closing + 1 : end].strip()
            if rest and not rest.startswith("#"):
                raise InvalidOptions(f"line {number} of the variables goes on after its closing {quote}; remove that")
            found[head[1]] = _unescaped(value) if quote == '"' else value
        else:
            value = text[head.end() : end]
            comment = _COMMENT.search(value)
            found[head[1]] = (value[: comment.start()] if comment else value).strip()
        at = end + 1
    return found


def _closing(text: str, start: int, quote: str) -> int:
    at = start
    while (at := text.find(quote, at)) >= 0:
        backslashes = len(text[start:at]) - len(text[start:at].rstrip("\\"))
        if quote == "'" or backslashes % 2 == 0:
            return at
        at += 1
    return -1


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[0]), value)
