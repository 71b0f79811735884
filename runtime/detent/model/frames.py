"""The frames of a traceback, told apart: the user's own code, and the libraries around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["TracedFrame", "frames_of"]

_FRAME = re.compile(r'File "(?P<file>[^"\n]{1,4096})", line (?P<line>\d{1,9})(?:, in (?P<function>.{1,500}))?$')
_HEADER = re.compile(r"^(?:[+ |]*)(?:Exception Group )?Traceback \(most recent call last\):$")
#: What stands before each line within an exception group.
_MARGIN = re.compile(r"^( *)[|+][-+]* ?")
#: Code that no user of detent wrote: installed packages, Python's library, generated code, detent itself. A path of
#: another machine is read as well as one of this.
_LIBRARY = re.compile(
    r"(?:^|[/\\])(?:site-packages|dist-packages)[/\\]"
    r"|[/\\][Ll]ib[/\\]python3(?:\.\d+)?t?[/\\]"
    r"|^[A-Za-z]:\\(?:.*\\)?Python3\d+\\Lib\\"
    r"|^<"
    r"|[/\\]runtime[/\\]detent[/\\]"
)


class TracedFrame(NamedTuple):
    """A place in code. `block` counts the tracebacks of a chain (causes come first), `nested` ones lie within an
    exception group; `is_own` tells the user's code from that of libraries."""

    file: str
    line: int
    function: str
    code: str
    block: int
    nested: bool
    is_own: bool


def frames_of(traceback: str) -> list[TracedFrame]:
    """All frames of a traceback as Python writes it, outermost first; a text that is none has no frames."""
    return list(_frames(traceback.splitlines()))


def _frames(lines: list[str]) -> Iterator[TracedFrame]:
    block = 0
    inside = True  # a long traceback is cut at its beginning, and then has no first line
    nested = False
    for number, whole in enumerate(lines):
        if _HEADER.match(whole):
            block += 1
            inside = True
            nested = len(whole) - len(whole.lstrip(" |+-")) > 4
            continue
        line = _without_margin(whole)
        if line and not line.startswith(" "):
            # The name of the error, and all of its message, which may look like anything.
            inside = line.startswith("…") and inside
            continue
        found = _FRAME.match(line.strip()) if inside else None
        if found is None:
            continue
        following = _without_margin(lines[number + 1]).strip() if number + 1 < len(lines) else ""
        code = "" if following.startswith(('File "', "Traceback (")) else following
        file = found["file"]
        yield TracedFrame(
            file,
            int(found["line"]),
            found["function"] or "",
            code,
            block,
            nested,
            _LIBRARY.search(file) is None,
        )


def _without_margin(line: str) -> str:
    margin = _MARGIN.match(line)
    return line if margin is None else line[margin.end() :]
