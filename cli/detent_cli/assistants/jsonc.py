"""JSON documents, with comments or without, edited in place: what is not edited keeps every byte."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from .jsonc_tree import Member, Node, after_trivia, parse
from .unreadable import Unreadable

__all__ = ["get", "put", "remove"]

_LEAD = re.compile(r"[ \t]*")
_UNIT = "  "


def get(text: str, path: Sequence[str]) -> Any:
    """The value at `path`, a name for each object on the way; None where there is none. Errors: `Unreadable`."""
    node = parse(text)
    for name in path:
        member = node.member(name) if node is not None and node.kind == "object" else None
        if member is None:
            return None
        node = member.node
    return None if node is None else node.plain()


def put(text: str, path: Sequence[str], value: Any) -> str:
    """The document with `value` at `path`; objects on the way are made where they are missing.

    Errors: `Unreadable`, also where something else than an object is on the way.
    """
    root = parse(text)
    if root is None:
        lead, eol = text, _eol(text)
        gap = "" if not lead or lead.endswith("\n") else eol
        return f"{lead}{gap}{_written(_nested(path, value), _UNIT, '', eol)}{eol}"
    node, done = root, 0
    for done, name in enumerate(path):  # how far it went is looked at below
        if node.kind != "object":
            where = " > ".join(path[:done]) or "the document"
            raise Unreadable(f"{where} is no object, so nothing can be put into it", text, node.start)
        member = node.member(name)
        if member is None:
            return _inserted(text, root, node, name, _nested(path[done + 1 :], value))
        node = member.node
    if node.plain() == value and json.dumps(node.plain()) == json.dumps(value):
        return text
    written = _written(value, _unit(text, root), _indent_at(text, node.start), _eol(text))
    return text[: node.start] + written + text[node.end :]


def remove(text: str, path: Sequence[str]) -> str:
    """The document without what is at `path`: all members of that name. Errors: `Unreadable`."""
    while True:
        node = parse(text)
        for name in path[:-1]:
            member = node.member(name) if node is not None and node.kind == "object" else None
            if member is None:
                return text
            node = member.node
        member = node.member(path[-1]) if node is not None and node.kind == "object" else None
        if node is None or member is None:
            return text
        text = _without(text, node, member)


def _nested(path: Sequence[str], value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value


def _inserted(text: str, root: Node, node: Node, name: str, value: Any) -> str:
    eol, unit = _eol(text), _unit(text, root)
    if not node.members:
        base = _indent_at(text, node.start)
        lead = base + unit
        return _filled(text, node, f"{eol}{lead}{_member(name, value, unit, lead, eol)}", f"{eol}{base}")
    last = node.members[-1]
    at = last.node.end if last.comma is None else last.comma + 1
    comma = "," if last.comma is None else ""
    end = after_trivia(text, at, same_line=True)
    if _begins_line(text, last.start) or "\n" in text[last.node.end : node.end]:
        lead = _lead_of(text, last.start) if _begins_line(text, last.start) else _indent_at(text, node.start) + unit
        member = f"{eol}{lead}{_member(name, value, unit, lead, eol)}"
        # A brace on the line of the last member goes to a line of its own.
        tail = "" if "\n" in text[end : node.end] else f"{eol}{_indent_at(text, node.start)}"
        rest = text[end:] if not tail else text[end:].lstrip(" \t")
        return f"{text[:at]}{comma}{text[at:end].rstrip(' ') if tail else text[at:end]}{member}{tail}{rest}"
    # All on one line: so is what is added.
    gap = " " if at == end or text[at:end].strip() else ""
    middle = text[at:end].rstrip(" \t")
    after = text[at:end][len(middle) :]
    return f"{text[:at]}{comma}{middle}{gap or ' '}{json.dumps(name)}: {_compact(value)}{after}{text[end:]}"


def _filled(text: str, node: Node, member: str, end: str) -> str:
    """With `member` in an object that had none; `end` is what goes before its brace, where no line ended there."""
    inner = text[node.start + 1 : node.end - 1]
    kept = inner.rstrip()
    rest = inner[len(kept) :]
    return f"{text[: node.start + 1]}{kept}{member}{rest if chr(10) in rest else end}{text[node.end - 1 :]}"


def _without(text: str, node: Node, member: Member) -> str:
    place = next(place for place, each in enumerate(node.members) if each is member)
    before = node.members[place - 1] if place else None
    is_last = place == len(node.members) - 1
    end = member.node.end if member.comma is None else member.comma + 1
    start = _start_of(text, member.start)
    if len(node.members) == 1 and not (text[node.start + 1 : start] + text[end : node.end - 1]).strip():
        return f"{text[: node.start]}{{}}{text[node.end :]}"
    if not is_last or before is None or before.comma is None:
        rest = text[end:]
        # On a line of its own the line goes; among others on one line, the blank before the next.
        if start == member.start and not is_last:
            rest = rest.lstrip(" \t")
        return text[:start] + rest
    if member.comma is not None:
        return text[:start] + text[end:]
    # The comma before it goes with it.
    return text[: before.comma] + text[before.comma + 1 : start] + text[end:]


def _start_of(text: str, start: int) -> int:
    """Where that which goes with a member begins: the end of the line before, or the blanks before it."""
    lead = start
    while lead and text[lead - 1] in " \t":
        lead -= 1
    if lead and text[lead - 1] == "\n":
        lead -= 1
        return lead - 1 if lead and text[lead - 1] == "\r" else lead
    return lead if lead and text[lead - 1] == "," else start


def _member(name: str, value: Any, unit: str, lead: str, eol: str) -> str:
    return f"{json.dumps(name, ensure_ascii=False)}: {_written(value, unit, lead, eol)}"


def _written(value: Any, unit: str, lead: str, eol: str) -> str:
    lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
    return f"{eol}{lead}".join(lines)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _eol(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _begins_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip(" \t") and "\n" in text[:at]


def _lead_of(text: str, at: int) -> str:
    return text[text.rfind("\n", 0, at) + 1 : at]


def _indent_at(text: str, at: int) -> str:
    """The blanks that the line begins with in which `at` is."""
    found = _LEAD.match(text, text.rfind("\n", 0, at) + 1)
    return "" if found is None else found[0]


def _unit(text: str, root: Node) -> str:
    """What one level is indented by: as the first member is that begins a line."""
    base = _indent_at(text, root.start)
    for member in root.members:
        if _begins_line(text, member.start):
            lead = _lead_of(text, member.start)
            if len(lead) > len(base):
                return lead[len(base) :]
    return _UNIT
