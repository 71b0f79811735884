"""The functions that a query may call, some of them in a form that takes no longer than its texts are long."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

__all__ = ["FUNCTIONS", "LENGTH", "TABLE_FUNCTIONS", "put_bounded_functions"]

#: Not among them: ``printf`` and ``format``, which count up to any width, and whatever reads or makes more than values.
_NAMES = """
abs avg ceil ceiling char coalesce concat concat_ws count cume_dist date datetime dense_rank exp first_value floor glob
group_concat hex ifnull iif instr json json_array json_array_length json_error_position json_extract json_group_array
json_group_object json_object json_quote json_type json_valid julianday lag last_value lead length like ln log log10
log2 lower ltrim max min mod nth_value ntile nullif octet_length percent_rank pow power quote rank replace round
row_number rtrim sign sqrt strftime string_agg substr substring sum time timediff total trim trunc typeof unicode
unixepoch upper -> ->>
"""
FUNCTIONS = frozenset(_NAMES.split())
#: Tables that are functions.
TABLE_FUNCTIONS = ("json_each", "json_tree")

#: Characters of a text that a query may make.
LENGTH = 500_000
#: Characters that a `trim` may look for: it compares each with each.
_TRIMMED = 100

_Value = str | bytes | int | float | None


def put_bounded_functions(db: sqlite3.Connection) -> None:
    """Replace those of SQLite that compare every place of one text with all of another."""
    db.create_function("instr", 2, _instr, deterministic=True)
    db.create_function("replace", 3, _replace, deterministic=True)
    for name in ("trim", "ltrim", "rtrim"):
        db.create_function(name, 1, _trimmer(name), deterministic=True)
        db.create_function(name, 2, _trimmer(name), deterministic=True)


def _instr(text: _Value, part: _Value) -> int | None:
    if text is None or part is None:
        return None
    return _text(text).find(_text(part)) + 1


def _replace(text: _Value, old: _Value, new: _Value) -> str | None:
    if text is None or old is None or new is None:
        return None
    whole, part, other = _text(text), _text(old), _text(new)
    if not part:
        return whole
    if len(whole) + whole.count(part) * (len(other) - len(part)) > LENGTH:
        raise ValueError("the result is too large")
    return whole.replace(part, other)


def _trimmer(name: str) -> Callable[..., str | None]:
    strip = {"trim": str.strip, "ltrim": str.lstrip, "rtrim": str.rstrip}[name]

    def trim(text: _Value, characters: _Value = " ") -> str | None:
        if text is None or characters is None:
            return None
        wanted = _text(characters)
        if len(wanted) > _TRIMMED:
            raise ValueError(f"{name} takes at most {_TRIMMED} characters to look for")
        return strip(_text(text), wanted) if wanted else _text(text)

    return trim


def _text(value: _Value) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
