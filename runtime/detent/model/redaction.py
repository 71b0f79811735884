"""Secrets taken out of what people will read: by the name they stand under, by their value, by their form.

What a task is given is never touched; this is for logs, spans, errors and the views of payloads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any
from urllib.parse import quote

__all__ = ["LEAST_CHARS", "REDACTED", "SECRET_NAMES", "Redactor", "is_secret_name"]

REDACTED = "[redacted]"

#: A value is looked for in texts from this many characters on: shorter ones are found in innocent words.
LEAST_CHARS = 8

#: A name is a secret's when its last words are one of these: ``openai_api_key``, ``X-Api-Key``, ``clientSecret``.
SECRET_NAMES = (
    "access_key", "access_keys", "api_key", "api_keys", "apikey", "auth", "authorization", "client_secret",
    "connection_string", "cookie", "cookies", "credential", "credentials", "database_url", "dsn", "encryption_key",
    "passphrase", "passwd", "password", "passwords", "private_key", "pwd", "secret", "secret_key", "secrets",
    "signing_key", "token",
)  # fmt: skip

#: What shows by its form that it is a secret; each with a text that is there whenever it is, and what it becomes.
_FORMS = (
    ("dt_", re.compile(r"\bdt_[a-z]{2,8}_[A-Za-z0-9_]{8,}"), REDACTED),
    ("earer ", re.compile(r"(?<=[Bb]earer )[A-Za-z0-9._~+/=-]{8,}"), REDACTED),
    ("eyJ", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}"), REDACTED),
    ("sk-", re.compile(r"\bsk-[A-Za-z0-9_-]{16,}"), REDACTED),
    ("AKIA", re.compile(r"\bAKIA[0-9A-Z]{16}\b"), REDACTED),
    ("AIza", re.compile(r"\bAIza[0-9A-Za-z_-]{35}"), REDACTED),
    ("gh", re.compile(r"\bgh[opsur]_[A-Za-z0-9]{36,}"), REDACTED),
    ("github_pat_", re.compile(r"\bgithub_pat_[A-Za-z0-9_]{22,}"), REDACTED),
    ("glpat-", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"), REDACTED),
    ("xox", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"), REDACTED),
    ("k_live_", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{16,}"), REDACTED),
    ("hf_", re.compile(r"\bhf_[A-Za-z0-9]{30,}"), REDACTED),
    ("PRIVATE KEY-----", re.compile(
        r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY-----[^-]{0,16384}(?:-----END [A-Z0-9 ]{0,32}PRIVATE KEY-----)?"
    ), REDACTED),
    ("whsec_", re.compile(r"\bwhsec_[A-Za-z0-9+/=]{16,}"), REDACTED),
    ("://", re.compile(r"://[^\s/:@\"']{0,256}:[^\s/@\"']{1,256}@"), f"://{REDACTED}@"),
)  # fmt: skip
#: A name and its value in JSON that may be cut off.
_PAIR = re.compile(r'"([^"\\]{1,128})"\s*:\s*("(?:[^"\\]|\\.)*(?:"|$)|-?[0-9][0-9.eE+-]*|[\[{])', re.DOTALL)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")
#: Names that are remembered with the verdict on them.
_REMEMBERED = 4_096
#: Containers within containers that are looked into; nothing deeper is shown.
_DEEPEST = 200
_LEAST_LINE_CHARS = 16
#: Types whose values hold no text.
_INNOCENT = frozenset({int, float, bool, type(None)})


class Redactor:
    """Takes secrets out of texts and of JSON values. May be used from several threads.

    Parameters:
      values: secrets by their value; those of fewer than `LEAST_CHARS` characters are passed over.
      names: what stands under them is secret, besides `SECRET_NAMES`; one with a ``!`` in front is taken off those.
    """

    def __init__(self, values: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        self._needles = _needles(values)
        self._names = _names(names)
        self._known: dict[str, tuple[bool, str]] = {}

    def with_values(self, values: Iterable[str]) -> Redactor:
        """One that knows further values."""
        other = copy(self)
        other._needles = tuple(sorted({*self._needles, *_needles(values)}, key=len, reverse=True))
        other._known = {}
        return other

    def secrets_in(self, value: Any, most: int) -> set[str]:
        """The texts that stand under names of secrets in a JSON value, at most so many."""
        found: set[str] = set()
        open_parts: list[tuple[Any, bool]] = [(value, False)]
        while open_parts and len(found) < most:
            part, secret = open_parts.pop()
            if isinstance(part, dict):
                open_parts += [(inner, secret or self.is_secret(name)) for name, inner in part.items()]
            elif isinstance(part, list):
                open_parts += [(inner, secret) for inner in part if secret or isinstance(inner, dict | list)]
            elif secret and isinstance(part, str) and len(part) >= LEAST_CHARS:
                found.add(part)
        return found

    def text(self, text: str) -> str:
        """`text` without the known values, and without what has the form of a key."""
        if len(text) < LEAST_CHARS:
            return text
        for needle in self._needles:
            if needle in text:
                text = text.replace(needle, REDACTED)
        for sign, form, shown in _FORMS:
            if sign in text:
                text = form.sub(shown, text)
        return text

    def data(self, value: Any) -> Any:
        """A JSON value without what stands under a secret's name, and its texts as by `text`.

        It is copied only where something was taken out.
        """
        return self._data(value, 0)

    def json_text(self, text: str) -> str:
        """JSON text, perhaps cut at its end, as by `data`."""
        try:
            value = json.loads(text)
        except ValueError:
            return self.text(self._cut(text))
        shown = self.data(value)
        return text if shown is value else json.dumps(shown, ensure_ascii=False, separators=(",", ":"))

    def _cut(self, text: str) -> str:
        """JSON whose end is missing; what a container under a secret's name holds goes on to an unknown place."""
        shown, at = [], 0
        for found in _PAIR.finditer(text):
            if self.is_secret(found[1]):
                shown += [text[at : found.start(2)], f'"{REDACTED}"']
                at = found.end()
                if found[2] in "[{":
                    return "".join((*shown, "…"))
        return "".join((*shown, text[at:]))

    def is_secret(self, name: str) -> bool:
        """Whether what stands under `name` is a secret."""
        return self._named(name)[0]

    def _named(self, name: str) -> tuple[bool, str]:
        """Whether `name` is a secret's, and how it is shown itself."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[name] = (is_secret_name(name, self._names), self.text(name))
        return known

    def _data(self, value: Any, depth: int) -> Any:
        if type(value) in _INNOCENT:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            if depth >= _DEEPEST:
                return REDACTED
            return self._mapping(value, depth + 1)
        if isinstance(value, list | tuple):
            if depth >= _DEEPEST:
                return REDACTED
            parts = [self._data(part, depth + 1) for part in value]
            return value if all(map(_same, parts, value)) else parts
        return value

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Any:
        changed: dict[Any, tuple[Any, Any]] = {}
        for name, part in value.items():
            secret, shown_name = self._named(name) if isinstance(name, str) else (False, name)
            if secret:
                shown = part if part is None or isinstance(part, bool) or part == "" else REDACTED
            else:
                shown = part if type(part) in _INNOCENT else self._data(part, depth)
            if shown is not part or shown_name is not name:
                changed[name] = (shown_name, shown)
        return dict(changed.get(pair[0], pair) for pair in value.items()) if changed else value


def is_secret_name(name: str, words: frozenset[str] = frozenset(SECRET_NAMES)) -> bool:
    """Whether the last words of `name` are one of `words`, however they are joined: snake, kebab, camel."""
    parts = [part for part in _OTHER.split(_HUMP.sub("_", name).lower()) if part]
    return any("_".join(parts[first:]) in words for first in range(max(0, len(parts) - 4), len(parts)))


def _same(one: Any, other: Any) -> bool:
    return one is other


def _names(names: Iterable[str]) -> frozenset[str]:
    known = set(SECRET_NAMES)
    for name in names:
        plain = "_".join(part for part in _OTHER.split(_HUMP.sub("_", name).lower()) if part)
        if name.startswith("!"):
            known.discard(plain)
        else:
            known.add(plain)
    return frozenset(known)


def _needles(values: Iterable[str]) -> tuple[str, ...]:
    """Each value as it may stand in a text: plain, in JSON, in a repr, in an address; and the lines of one.

    The longest come first, so that a value which holds another is taken out whole.
    """
    found: set[str] = set()
    for value in values:
        plain = value.strip()
        forms = {plain, json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1], repr(plain)[1:-1]}
        forms |= {quote(plain, safe="", errors="replace"), quote(plain, errors="replace")}
        lines = plain.splitlines()
        if len(lines) > 1:
            # A log keeps its lines apart. The first and the last of a key in PEM are no secret.
            forms |= {line.strip() for line in lines if len(line) >= _LEAST_LINE_CHARS and not line.startswith("-----")}
        found |= {form for form in forms if len(form) >= LEAST_CHARS}
    return tuple(sorted(found, key=len, reverse=True))
