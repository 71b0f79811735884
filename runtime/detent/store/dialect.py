"""What PostgreSQL's driver wants differently of a statement: its parameters, and whose tables are meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

from .statements import migrations

__all__ = ["SCHEMA", "for_postgresql", "postgresql_tables"]

#: The schema of a database that all tables are in, so that an application's own may have the same names.
SCHEMA = "detent"

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_STRING = re.compile(r"('(?:[^']|'')*')")


@cache
def postgresql_tables() -> frozenset[str]:
    """The names of all tables, as the migrations make them."""
    pattern = re.compile(rf"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?{SCHEMA}\.(\w+)", re.IGNORECASE)
    return frozenset(name for script in migrations("postgresql") for name in pattern.findall(script))


@lru_cache(maxsize=512)
def for_postgresql(sql: str, tables: Iterable[str] | None = None) -> str:
    """`sql` with ``:name`` as ``%(name)s``, and with the schema before each table that follows FROM, JOIN, INTO or
    UPDATE: nothing is left to the settings of a session, which a pooler gives to others."""
    place = _place(frozenset(postgresql_tables() if tables is None else tables))
    parts = _STRING.split(sql.replace("%", "%%"))
    # What stands between quotes are values.
    parts[::2] = [_PARAMETER.sub(r"%(\1)s", place.sub(rf"\1{SCHEMA}.\2", part)) for part in parts[::2]]
    return "".join(parts)


@cache
def _place(tables: frozenset[str]) -> re.Pattern[str]:
    names = "|".join(sorted(tables, key=len, reverse=True)) or r"(?!)"
    return re.compile(rf"(\b(?:FROM|JOIN|INTO|UPDATE)\s+(?:ONLY\s+)?)({names})\b", re.IGNORECASE)
