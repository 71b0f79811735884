"""The patterns of `.gitignore`, read as git reads them, so that neither git nor a repository is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Pattern", "Rules", "read_patterns"]

_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": r"\x21-\x7e", "lower": "a-z", "print": r"\x20-\x7e", "punct": r"!-/:-@\[-`{-~", "space": r"\s",
    "upper": "A-Z", "xdigit": "0-9a-fA-F",
}  # fmt: skip
_NEVER = "(?!)"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file. `text`: as it was written; `by_name`: it is compared with the last part alone."""

    text: str
    line: int
    negated: bool
    only_folders: bool
    by_name: bool
    form: re.Pattern[str]

    def matches(self, name: str, is_folder: bool) -> bool:
        """Whether it names this very file or folder; `name` is from the folder of the ignore file."""
        if self.only_folders and not is_folder:
            return False
        return self.form.fullmatch(name.rpartition("/")[2] if self.by_name else name) is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """The patterns of one file, for what lies below `base`: a folder with ``/`` between its parts, "" for the top."""

    base: str
    patterns: Sequence[Pattern]
    source: str = ""

    def verdict(self, name: str, is_folder: bool) -> bool | None:
        """True: ignored; False: brought back by a ``!``; None: not named. `name` is from the top."""
        below = name[len(self.base) + 1 :] if self.base else name
        for pattern in reversed(self.patterns):
            if pattern.matches(below, is_folder):
                return not pattern.negated
        return None


def read_patterns(lines: Iterable[str]) -> list[Pattern]:
    """The patterns of an ignore file, in their order; blank lines and comments are left out."""
    found = []
    for number, line in enumerate(lines, 1):
        text = line.removeprefix("\ufeff") if number == 1 else line
        text = _without_spaces(text.removesuffix("\n").removesuffix("\r"))
        if not text or text.startswith("#"):
            continue
        body = text.removeprefix("!")
        only_folders = body.endswith("/")
        body = body.removesuffix("/")
        by_name = "/" not in body
        body = body.removeprefix("/")
        if body:
            form = re.compile(_translated(body), re.DOTALL)
            found.append(Pattern(text, number, text.startswith("!"), only_folders, by_name, form))
    return found


def _without_spaces(text: str) -> str:
    """Without the spaces at its end, unless a backslash keeps them."""
    kept = text.rstrip(" ")
    if len(kept) == len(text):
        return text
    slashes = len(kept) - len(kept.rstrip("\\"))
    return f"{kept} " if slashes % 2 else kept


def _translated(glob: str) -> str:
    """The regular expression that a pattern without its outer slashes stands for."""
    parts: list[str] = []
    at = 0
    while at < len(glob):
        char = glob[at]
        if char == "*":
            end = at
            while end < len(glob) and glob[end] == "*":
                end += 1
            opens, closes = at == 0 or glob[at - 1] == "/", end == len(glob) or glob[end] == "/"
            if end - at >= 2 and opens and closes:
                parts.append(".*" if end == len(glob) else "(?:.*/)?")
                end += end < len(glob)
            else:
                parts.append("[^/]*")
            at = end
        elif char == "?":
            parts.append("[^/]")
            at += 1
        elif char == "[":
            members, at = _members(glob, at + 1)
            parts.append(members)
        elif char == "\\":
            if at + 1 == len(glob):
                return _NEVER
            parts.append(re.escape(glob[at + 1]))
            at += 2
        else:
            parts.append(re.escape(char))
            at += 1
    return "".join(parts)


def _members(glob: str, at: int) -> tuple[str, int]:
    """The set of characters that begins at `at`, behind its bracket, and where the pattern goes on."""
    negated = glob[at : at + 1] in ("!", "^")
    at += negated
    inner, first, before = [], True, ""
    while first or glob[at : at + 1] != "]":
        first = False
        if at >= len(glob):
            return _NEVER, len(glob)
        if glob.startswith("[:", at) and (end := glob.find(":]", at)) > 0:
            if glob[at + 2 : end] not in _CLASSES:
                return _NEVER, len(glob)
            inner.append(_CLASSES[glob[at + 2 : end]])
            at, before = end + 2, ""
            continue
        if glob[at] == "-" and before and at + 1 < len(glob) and glob[at + 1] != "]":
            last, at = _member(glob, at + 1)
            if before <= last:
                inner.append(f"{re.escape(before)}-{re.escape(last)}")
            before = ""
            continue
        before, at = _member(glob, at)
        inner.append(re.escape(before))
    if not inner:
        return ("[^/]" if negated else _NEVER), at + 1
    return f"(?!/)[{'^' if negated else ''}{''.join(inner)}]", at + 1


def _member(glob: str, at: int) -> tuple[str, int]:
    """One character of a set, and where the set goes on."""
    if glob[at] == "\\" and at + 1 < len(glob):
        return glob[at + 1], at + 2
    return glob[at], at + 1
