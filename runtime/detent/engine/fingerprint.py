"""Which errors are the same: a short name of an error that ignores all that differs from run to run.

Ids, numbers, moments, addresses, paths and quoted texts of the message do not count, nor do line numbers and the
folder that code lies in; the type, the words of the message and the user's functions that led to it do. The task does
not count: one broken helper is one problem, whichever tasks meet it.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import PurePosixPath

import msgspec

from ..model.frames import frames_of
from ..model.task_error import TaskError

__all__ = ["fingerprint", "fingerprint_of_text", "normal_message"]

#: Characters of a message that count, and characters of it that are read at all.
MESSAGE_CHARS, READ_CHARS = 300, 2_000
#: The user's frames that count, from the innermost outwards.
FRAMES = 5

_NOISE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s'\"<>]+", re.IGNORECASE), "<url>"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "<email>"),
    (re.compile(r"(?<!\w)'(?:[^'\\\n]|\\.)*'(?!\w)|\"(?:[^\"\\\n]|\\.)*\"|`[^`\n]*`"), "<text>"),
    (re.compile(r"\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"(?<![\w/])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][\w.@%+=-]+){2,}[/\\]?"), "<path>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<moment>"),
    # A word of letters and digits mixed, long enough to be made by a machine: run_01h…, req-8f3a…, a digest.
    (re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{12,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"[-+]?\d+(?:[.,:_]\d+)*(?:e[-+]?\d+)?", re.IGNORECASE), "<n>"),
)
_BLANKS = re.compile(r"\s+")
#: Lists of likewise values shrink to one, so that their length does not count.
_REPEATED = re.compile(r"(<[a-z]+>)(?:[\s,;]+\1)+")


def fingerprint(error: TaskError) -> str:
    """A name of 16 hexadecimal digits that errors share when they are the same problem."""
    own = [frame for frame in frames_of(error.traceback) if frame.is_own]
    top = [frame for frame in own if not frame.nested] or own
    last = [frame for frame in top if frame.block == top[-1].block] if top else []
    places: list[str] = []
    for frame in reversed(last):
        place = f"{PurePosixPath(frame.file.replace(chr(92), '/')).name}:{frame.function}"
        # A recursion is one place, however deep it went.
        if place not in places:
            places.append(place)
    parts = [error.code, error.type, normal_message(error.message), *places[:FRAMES]]
    return sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def fingerprint_of_text(text: str) -> str:
    """The fingerprint of an error as it is stored, JSON of a `TaskError`."""
    return fingerprint(msgspec.json.decode(text, type=TaskError))


def normal_message(message: str) -> str:
    """`message` in one line, with what differs from run to run replaced: ``user <n> has no <text>``."""
    text = message[:READ_CHARS]
    for pattern, name in _NOISE:
        text = pattern.sub(name, text)
    return _REPEATED.sub(r"\1", _BLANKS.sub(" ", text).strip())[:MESSAGE_CHARS]
