"""What the dialects say differently in SELECTs that are put together of parts."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Phrases", "phrases"]

#: Columns of an index, each with the parameter that it equals.
Equals = Sequence[tuple[str, str]]


class Phrases:
    """The phrases of SQLite. Texts are compared by their bytes, and only ASCII letters have a lower case."""

    #: A join that reads its left side first.
    join = "CROSS JOIN"

    def is_any_of(self, parameter: str) -> str:
        """What follows a column that equals one of a JSON list."""
        return f"IN (SELECT value FROM json_each(:{parameter}))"  # noqa: S608  # fixed parts only

    def holds_any_of(self, column: str, parameter: str) -> str:
        """Whether one of the texts of a JSON list, a column, is one of another."""
        return f"EXISTS (SELECT 1 FROM json_each({column}) x WHERE x.value {self.is_any_of(parameter)})"  # noqa: S608  # fixed parts only

    def contains(self, text: str, sought: str) -> str:
        """Whether a text holds another."""
        return f"instr({text}, {sought}) > 0"

    def lower(self, text: str) -> str:
        """A text with small letters."""
        return f"lower({text})"

    def field(self, column: str, name: str) -> str:
        """The text of a field of a JSON object, a column."""
        return f"json_extract({column}, '$.{name}')"

    def json_list(self, column: str, select: str) -> str:
        """A JSON list of what `select` brings in its `column`, in the order of `select`."""
        return f"(SELECT json_group_array({column}) FROM ({select}) AS listed)"  # noqa: S608  # fixed parts only

    def aside(self, column: str) -> str:
        """A column whose condition is checked on the rows that another one brings."""
        return f"+{column}"

    def within(self, equals: Equals, key: str) -> str:
        """The range of an index, of the columns of `equals` and then of `key`, between ``:low`` and ``:high``."""
        return " AND ".join([*(f"{column} = :{value}" for column, value in equals), f"{key} > :low", f"{key} < :high"])

    def newest(self, equals: Equals, key: str) -> str:  # noqa: ARG002  # for those that need it
        """The order in which such a range is read, from its end."""
        return f"{key} DESC"

    def part(self, select: str, order: str, limit: str) -> str:  # noqa: ARG002  # for those that need it
        """A part of a UNION of which no more than `limit` rows, in this order, are wanted."""
        return select


class _Postgresql(Phrases):
    """The phrases of PostgreSQL.

    A range of an index is written as one of rows of its columns, and is ordered by all of them. That says which index
    it is, whatever the planner knows of the values.
    """

    join = "JOIN"

    def is_any_of(self, parameter: str) -> str:
        return f"= ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:{parameter} AS json))))"  # noqa: S608  # fixed parts only

    def holds_any_of(self, column: str, parameter: str) -> str:
        elements = f"json_array_elements_text({_json(column)}) AS x (value)"
        return f"EXISTS (SELECT 1 FROM {elements} WHERE x.value {self.is_any_of(parameter)})"  # noqa: S608  # fixed parts only

    def contains(self, text: str, sought: str) -> str:
        return f"strpos({text}, {sought}) > 0"

    def lower(self, text: str) -> str:
        return f'lower(({text}) COLLATE "C")'

    def field(self, column: str, name: str) -> str:
        return f"({_json(column)} ->> '{name}')"

    def json_list(self, column: str, select: str) -> str:
        return f"(SELECT CAST(coalesce(json_agg({column}), '[]') AS TEXT) FROM ({select}) AS listed)"  # noqa: S608  # fixed parts only

    def aside(self, column: str) -> str:
        return column

    def within(self, equals: Equals, key: str) -> str:
        if not equals:
            return super().within(equals, key)
        columns = ", ".join([*(column for column, _ in equals), key])
        values = ", ".join(f":{value}" for _, value in equals)
        last = equals[-1][0]
        # The last but for `key` is what a partial index leaves NULL out of.
        return f"{last} IS NOT NULL AND ({columns}) > ({values}, :low) AND ({columns}) < ({values}, :high)"

    def newest(self, equals: Equals, key: str) -> str:
        return ", ".join(f"{column} DESC" for column in [*(column for column, _ in equals), key])

    def part(self, select: str, order: str, limit: str) -> str:
        return f"SELECT * FROM ({select} ORDER BY {order} LIMIT {limit}) AS part"  # noqa: S608  # fixed parts only


def _json(column: str) -> str:
    r"""A column as JSON. A NUL, ``\u0000``, is left out: no text of PostgreSQL can hold one."""
    return f"CAST(replace({column}, '\\u0000', '') AS json)"


_PHRASES = {"sqlite": Phrases(), "postgresql": _Postgresql()}


def phrases(dialect: str) -> Phrases:
    """The phrases of a dialect; see `Store.dialect`."""
    return _PHRASES[dialect]
