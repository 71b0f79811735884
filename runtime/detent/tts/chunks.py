"""A long text in pieces that a speech API accepts.

The rule: every chunk is a slice of the text, the chunks stand in the order of the text, and what lies before,
between and after them is white space and nothing else. So nothing is lost, nothing is said twice, and no
chunk begins or ends with a pause that belongs to the seam.

A chunk is filled as far as the limit allows and ends, in this order of preference, at a paragraph, a
sentence, a clause or line, a word, a grapheme. A place is taken only where it leaves the chunk at least half
full (a heading of three words is not worth a call of its own), unless a word would be cut otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

import regex

__all__ = ["split_text"]

_SPACE = r"[\s\x1c-\x1f]"
_GRAPHEME = regex.compile(r"\X")
_SPACES = regex.compile(rf"{_SPACE}+")
_PARAGRAPH = regex.compile(rf"(?:\r\n|\n|\r|\x85|\u2028){_SPACE}*?(?:\r\n|\n|\r|\x85|\u2028)|\u2029")
# Full stops of scripts that write no space after them end a sentence wherever they stand; Latin ones only
# before a space, or "3.14", "example.org" and "a?b=c" would be cut.
_SENTENCE = regex.compile(
    rf"(?:[\p{{SB=STerm}}--[!?]]|\uff0e|\uff61)+[\p{{SB=Close}}]*|[.!?\u2026]+[\p{{SB=Close}}]*(?={_SPACE})",
    regex.V1,
)
_CLAUSE = regex.compile(
    rf"[,;:\u2013\u2014\u060c\u061b][\p{{SB=Close}}]*(?={_SPACE})|[\u3001\uff0c\uff1b\uff1a\u104a\u200b]|[\r\n]+",
    regex.V1,
)
_ABBREVIATED = regex.compile(
    r"(?<![\p{L}\p{N}])(?:\p{L}|\p{L}\.\p{L}|\d{1,2}|Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Rev|Hon|Gen|Col|Capt|Lt|Sgt|No|Nos|Art|Sec|Fig"
    r"|Vol|pp|vs|etc|cf|al|ca|approx|Inc|Ltd|Co|Corp|bzw|usw|Nr|Abs|Str|Sra?|Mme|Mlle)\.$",
    regex.IGNORECASE,
)
_SLICE = 256
_REACH_BACK = 12  # characters before a full stop that can hold an abbreviation


def split_text(text: str, limit: int = 4000) -> list[str]:
    """`text` in chunks of at most `limit` characters, cut where a speaker would pause.

    Parameters:
      text: the whole text, in any script.
      limit: most characters (code points) of a chunk, at least 1.

    Returns the chunks in order; a text of white space only gives none. No grapheme is cut, save one that is
    longer than `limit` by itself, which is cut between code points.

    Raises `ValueError` for a limit below 1. Takes time linear in the text.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}: a chunk holds at least 1 character")
    return list(_chunks(text, limit))


def _chunks(text: str, limit: int) -> Iterator[str]:
    start = _after_spaces(text, 0)
    while start < len(text):
        end = _end_of_chunk(text, start, limit)
        stop = _before_spaces(text, start, end)
        if stop > start:
            yield text[start:stop]
        start = _after_spaces(text, end)


def _end_of_chunk(text: str, start: int, limit: int) -> int:
    last = start + limit
    if len(text) <= last:
        return len(text)
    bounds = _boundaries(text, start, last)
    if not bounds:
        return last
    allowed = set(bounds)
    half = start + limit // 2
    for ends in (_paragraph_ends, _sentence_ends, _clause_ends, _word_ends):
        best = max((end for end in ends(text, start, last) if end in allowed and end > half), default=0)
        if best:
            return best
    # Only early places are left: a word that fits in a chunk is not cut for the sake of a fuller one.
    best = max((end for end in _word_ends(text, start, last) if end in allowed), default=0)
    return best or bounds[-1]


def _boundaries(text: str, start: int, last: int) -> list[int]:
    """Ends of the graphemes from `start` on, up to `last` included.

    Whether two characters belong together is decided by them and what stands before them, so a grapheme that
    ends inside a slice is whole. Slices are short because a row of flags costs the square of its length.
    """
    bounds: list[int] = []
    size = _SLICE
    while start < last:
        piece = text[start : min(start + size, last + 1)]
        ends = [match.end() for match in _GRAPHEME.finditer(piece) if match.end() < len(piece)]
        if ends:
            bounds.extend(start + end for end in ends)
            start += ends[-1]
            size = _SLICE
        elif start + size > last:
            break
        else:
            size *= 2
    return bounds


def _paragraph_ends(text: str, start: int, last: int) -> Iterator[int]:
    for match in _PARAGRAPH.finditer(text, start, last + 1):
        yield match.start()


def _sentence_ends(text: str, start: int, last: int) -> Iterator[int]:
    for match in _SENTENCE.finditer(text, start, last + 1):
        end = match.end()
        if match.group() == ".":
            before = text[max(start, end - _REACH_BACK) : end]
            following = text[end : end + 2].strip()
            if _ABBREVIATED.search(before) or following[:1].islower():
                continue
        yield end


def _clause_ends(text: str, start: int, last: int) -> Iterator[int]:
    for match in _CLAUSE.finditer(text, start, last + 1):
        yield match.end()


def _word_ends(text: str, start: int, last: int) -> Iterator[int]:
    for match in _SPACES.finditer(text, start, last + 1):
        if match.start() > start:
            yield match.start()


def _after_spaces(text: str, start: int) -> int:
    found = _SPACES.match(text, start)
    if found is None:
        return start
    end: int = found.end()
    # A mark may sit on the last space; the two are one grapheme and stay together.
    if end < len(text) and _first_grapheme(text[end - 1 : end + 1]) > 1:
        return end - 1
    return end


def _before_spaces(text: str, start: int, end: int) -> int:
    trimmed = start + len(text[start:end].rstrip())
    if trimmed in (start, end):
        return trimmed
    # Some signs (the Arabic number sign, for one) take the space after them into their grapheme.
    return trimmed if _first_grapheme(text[trimmed - 1 : trimmed + 1]) == 1 else trimmed + 1


def _first_grapheme(text: str) -> int:
    """Characters of the first grapheme of `text`."""
    found = _GRAPHEME.match(text)
    return 0 if found is None else int(found.end())
