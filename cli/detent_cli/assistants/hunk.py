"""What an edit changed, so that it can be taken back after others have edited the file too."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

__all__ = ["Hunk"]

#: So many bytes around an edit tell its place.
_AROUND = 40


@dataclass(frozen=True, slots=True)
class Hunk:
    """Between `before` and `after` stood `removed`, and `added` stands there now."""

    before: str
    removed: str
    added: str
    after: str

    @classmethod
    def between(cls, old: bytes, new: bytes) -> Hunk:
        """What leads from `old` to `new`."""
        one, other = old.decode(), new.decode()
        start = _alike(one, other)
        end = _alike(one[start:][::-1], other[start:][::-1])
        return cls(
            one[max(0, start - _AROUND) : start],
            one[start : len(one) - end],
            other[start : len(other) - end],
            one[len(one) - end :][:_AROUND],
        )

    def taken_back(self, now: bytes) -> bytes | None:
        """`now` without the edit; None where its place is not there any more, or not just once."""
        try:
            text = now.decode()
        except UnicodeDecodeError:
            return None
        for around in (_AROUND, 12, 2):
            before, after = self.before[-around:], self.after[:around]
            sought = before + self.added + after
            if self.added and text.count(sought) == 1:
                return text.replace(sought, before + self.removed + after).encode()
        return None


def _alike(one: str, other: str) -> int:
    """How many characters the two begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
