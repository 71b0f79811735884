"""JSON with comments and trailing commas as a tree that knows where everything stands."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from .unreadable import Unreadable

__all__ = ["Member", "Node", "after_trivia", "parse"]

_SPACE = " \t\r\n\v\f\u00a0\ufeff"
_STRING = re.compile(r'"(?:[^"\\\r\n]|\\.)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
#: Deeper documents are no configuration.
_DEPTH = 200


@dataclass(slots=True)
class Node:
    """A value between `start` and `end`; of an object its members, of a list its items."""

    kind: str
    start: int
    end: int = 0
    value: Any = None
    members: list[Member] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    def plain(self) -> Any:
        """As Python's values. Of members with one name the last one counts, as for all who read such files."""
        if self.kind == "object":
            return {member.name: member.node.plain() for member in self.members}
        if self.kind == "array":
            return [item.plain() for item in self.items]
        return self.value

    def member(self, name: str) -> Member | None:
        """The member of that name that counts."""
        return next((member for member in reversed(self.members) if member.name == name), None)


@dataclass(slots=True)
class Member:
    """A member of an object: its name begins at `start`, the comma after it, if there is one, stands at `comma`."""

    name: str
    start: int
    node: Node
    comma: int | None = None


def after_trivia(text: str, at: int, *, same_line: bool = False) -> int:
    """Where the blanks and comments from `at` on end. `same_line`: before the end of the line, or of a comment that
    goes beyond it. Errors: `Unreadable` for a comment without an end."""
    while at < len(text):
        if text[at] in _SPACE:
            if same_line and text[at] in "\r\n":
                return at
            at += 1
        elif text.startswith("//", at):
            at = min((end for end in (text.find(sign, at) for sign in "\r\n") if end >= 0), default=len(text))
        elif text.startswith("/*", at):
            end = text.find("*/", at + 2)
            if end < 0:
                raise Unreadable("a comment that begins here has no end", text, at)
            if same_line and "\n" in text[at:end]:
                return at
            at = end + 2
        else:
            return at
    return at


def parse(text: str) -> Node | None:
    """The value that a document holds; None where it holds nothing. Errors: `Unreadable`."""
    at = after_trivia(text, 0)
    if at == len(text):
        return None
    node = _value(text, at, 0)
    rest = after_trivia(text, node.end)
    if rest != len(text):
        raise Unreadable(f"nothing was expected after the value, found {text[rest]!r}", text, rest)
    return node


def _value(text: str, at: int, depth: int) -> Node:
    if depth > _DEPTH:
        raise Unreadable("too many values within values", text, at)
    if at >= len(text):
        raise Unreadable("a value was expected, found the end of the file", text, at)
    sign = text[at]
    if sign == "{":
        return _object(text, at, depth)
    if sign == "[":
        return _array(text, at, depth)
    if sign == '"':
        value, end = _string(text, at)
        return Node("value", at, end, value)
    number = _NUMBER.match(text, at)
    if number is not None:
        return Node("value", at, number.end(), json.loads(number[0]))
    for word, meant in _WORDS.items():
        if text.startswith(word, at):
            return Node("value", at, at + len(word), meant)
    raise Unreadable(f"a value was expected, found {sign!r}", text, at)


def _string(text: str, at: int) -> tuple[str, int]:
    found = _STRING.match(text, at)
    if found is None:
        raise Unreadable("a text that begins here has no end in its line", text, at)
    try:
        return json.loads(found[0], strict=False), found.end()
    except ValueError as error:
        raise Unreadable(f"this text is none of JSON: {error}", text, at) from None


def _object(text: str, at: int, depth: int) -> Node:
    node = Node("object", at)
    at = after_trivia(text, at + 1)
    while True:
        if at >= len(text):
            raise Unreadable("this object has no end", text, node.start)
        if text[at] == "}":
            node.end = at + 1
            return node
        if node.members and node.members[-1].comma is None:
            raise Unreadable(f"a comma or }} was expected, found {text[at]!r}", text, at)
        if text[at] != '"':
            raise Unreadable(f"a name in quotes was expected, found {text[at]!r}", text, at)
        start = at
        name, at = _string(text, at)
        at = after_trivia(text, at)
        if at >= len(text) or text[at] != ":":
            raise Unreadable(f"a colon was expected after {name!r}", text, at)
        value = _value(text, after_trivia(text, at + 1), depth + 1)
        member = Member(name, start, value)
        node.members.append(member)
        at = after_trivia(text, value.end)
        if at < len(text) and text[at] == ",":
            member.comma = at
            at = after_trivia(text, at + 1)


def _array(text: str, at: int, depth: int) -> Node:
    node = Node("array", at)
    at = after_trivia(text, at + 1)
    expects_comma = False
    while True:
        if at >= len(text):
            raise Unreadable("this list has no end", text, node.start)
        if text[at] == "]":
            node.end = at + 1
            return node
        if expects_comma:
            raise Unreadable(f"a comma or ] was expected, found {text[at]!r}", text, at)
        value = _value(text, at, depth + 1)
        node.items.append(value)
        at = after_trivia(text, value.end)
        expects_comma = True
        if at < len(text) and text[at] == ",":
            expects_comma = False
            at = after_trivia(text, at + 1)
