"""Moments as texts, and the milliseconds that have the same order."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

__all__ = ["Bound", "moment_bounds"]

#: What a moment is shown as, or the beginning of it, or more than it.
_TEXT = re.compile(r"(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d)(?::(\d\d)(?:\.(\d+))?)?)?")
#: Characters of a moment that is shown.
_WHOLE = 23


class Bound(NamedTuple):
    """What is asked of a column of a relation; of a list, that it is one of those."""

    column: str
    sign: str
    value: Any


def moment_bounds(column: str, sign: str, value: Any) -> tuple[list[Bound], bool] | None:
    """What a comparison of a moment's text, such as ``2026-11-22 09:00:00.000``, asks of its milliseconds; and True,
    that it is just that. None for what is no beginning of such a text.

    Texts are compared character by character: a beginning comes before all that begin with it.
    """
    ms = _ms(value)
    if ms is None:
        return None
    # One that is shown is never equal to a shorter one, nor to a longer one.
    is_shorter, is_longer = len(value) < _WHOLE, len(value) > _WHOLE
    from_here, after = Bound(column, ">=", ms), Bound(column, ">", ms)
    before, to_here = Bound(column, "<", ms), Bound(column, "<=", ms)
    if sign == ">":
        return [from_here if is_shorter else after], True
    if sign == ">=":
        return [after if is_longer else from_here], True
    if sign == "<":
        return [to_here if is_longer else before], True
    if sign == "<=":
        return [before if is_shorter else to_here], True
    return ([Bound(column, "=", ms)], True) if len(value) == _WHOLE else None


def _ms(value: Any) -> int | None:
    """The first moment whose text does not come before `value`, or, of a longer one, before its first characters."""
    found = _TEXT.fullmatch(value) if isinstance(value, str) and value.isascii() else None
    if found is None:
        return None
    day, minute, second, part = found.groups()
    text = f"{day} {minute or '00:00'}:{second or '00'}"
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1000 + int((part or "")[:3].ljust(3, "0"))
