"""One marked block in a file that belongs to others: with the version that wrote it, and a hash of what was written."""

from __future__ import annotations

import re

from detent.errors import ConfigError
from detent_cli.assistants.ledger import hash_of

__all__ = ["find_block", "put_block", "remove_block"]

_BEGIN = re.compile(r"<!-- BEGIN detent v(?P<version>\S+) sha256:(?P<hash>[0-9a-f]{16}) -->[ \t]*\r?\n")
_END = re.compile(r"<!-- END detent -->[ \t]*")
_LONE = re.compile(r"<!-- (?:BEGIN|END) detent\b")


def find_block(text: str, place: str) -> tuple[int, int, str, bool] | None:
    """Where the block is: its start, its end, its version, and whether a person has changed it. None where it is not.

    Errors: `ConfigError` for a beginning without an end, an end without a beginning, and more than one block.
    """
    begin = _BEGIN.search(text)
    marks = len(_LONE.findall(text))
    if begin is None and not marks:
        return None
    end = _END.search(text, begin.end()) if begin is not None else None
    if begin is None or end is None or marks != 2:
        raise ConfigError(
            f"{place} has marks of detent that are not one block (<!-- BEGIN detent … --> to <!-- END detent -->); "
            "take them out by hand, and try again"
        )
    body = text[begin.end() : end.start()]
    return begin.start(), end.end(), begin["version"], _short(body) != begin["hash"]


def put_block(text: str, body: str, version: str, place: str) -> str:
    """`text` with the block: in the place of the one that is there, else after all else."""
    eol = "\r\n" if "\r\n" in text else "\n"
    body = body.strip() + "\n"
    block = f"<!-- BEGIN detent v{version} sha256:{_short(body)} -->\n{body}<!-- END detent -->".replace("\n", eol)
    found = find_block(text, place)
    if found is not None:
        return text[: found[0]] + block + text[found[1] :]
    if not text.strip():
        return text + block + eol
    gap = eol if text.endswith("\n") else eol * 2
    return text + gap + block + (eol if text.endswith("\n") else "")


def remove_block(text: str, place: str) -> str:
    """`text` without the block, and without the empty line that came with it."""
    found = find_block(text, place)
    if found is None:
        return text
    start, end = found[:2]
    eol = "\r\n" if "\r\n" in text else "\n"
    before, after = text[:start], text[end:]
    if not after.strip():
        # It was put after all else: the empty line before it goes with it.
        closed = after.startswith(eol)
        return before.removesuffix(eol) if closed else before.removesuffix(eol * 2)
    return before + after.removeprefix(eol)


def _short(body: str) -> str:
    return hash_of(body.encode())[:16]
