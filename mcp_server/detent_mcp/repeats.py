"""Calls that come again because their client gave up the first one: they find what that one made.

A call is taken for a repetition of one with the same arguments when the earlier one was cancelled, had no answer, or
took so long that the client may have given it up. Two such calls that are both answered at once are meant.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .call import Call
from .results import encode

__all__ = ["Made", "forget", "once"]

#: A call that was answered after so many seconds may have been given up by the client before it; so may one that takes
#: longer. The same call is then a repetition for so long.
_SLOW_S, _REPEATED_S = 5.0, 600.0
_MOST_KEPT = 500


@dataclass(slots=True)
class Made:
    """What a call makes: its `id`, chosen before. `repeated`: an earlier call has chosen it."""

    id: str
    began: float
    repeated: bool = False
    delivered: bool | None = None


_made: dict[str, Made] = {}


@contextmanager
def once(call: Call, prefix: str, *values: Any) -> Iterator[Made]:
    """Within the block the request that makes something is sent, with the id that it is to have.

    Parameters:
      prefix: of the id. `values`: what tells this call from others of the same tool.
    """
    from detent.model.ids import new_id

    place = _place(call, values)
    earlier = _earlier(place)
    made = Made(new_id(prefix) if earlier is None else earlier.id, time.monotonic(), earlier is not None)
    _made[place] = made
    try:
        yield made
    except BaseException:
        # Without an answer it is not known whether it was made: the next such call asks for the same.
        made.delivered = False
        raise
    made.delivered = made.repeated or time.monotonic() - made.began < _SLOW_S
    if made.repeated:
        call.notes.append("the same call before had no answer in time: this is what it made. For another, call again")


def forget() -> None:
    """Forget earlier calls."""
    _made.clear()


def _place(call: Call, values: tuple[Any, ...]) -> str:
    told = encode([call.who, call.tool.name, call.link.url, *call.where, *values])
    return hashlib.sha256(told.encode()).hexdigest()


def _earlier(place: str) -> Made | None:
    now = time.monotonic()
    for old in [key for key, made in _made.items() if now - made.began > _REPEATED_S]:
        del _made[old]
    while len(_made) >= _MOST_KEPT:
        del _made[next(iter(_made))]
    made = _made.get(place)
    if made is None or made.delivered:
        return None
    if made.delivered is None and now - made.began < _SLOW_S:
        return None
    return made
