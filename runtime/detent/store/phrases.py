"""What the dialects say differently in SELECTs that are put together of parts."""

from __future__ import annotations

__all__ = ["Phrases", "phrases"]


class Phrases:
    """The phrases of SQLite. Texts are compared by their bytes, and only ASCII letters have a lower case."""

    def is_any_of(self, parameter: str) -> str:
        """What follows a column that equals one of a JSON list."""
        return f"IN (SELECT value FROM json_each(:{parameter}))"  # noqa: S608  # fixed parts only

    def is_in(self, select: str) -> str:
        """What follows a column that equals one of the few values that `select` brings."""
        return f"IN ({select})"

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

    def newest(self, key: str) -> str:
        """The order of lists, by a `key` that grows with time."""
        return f"{key} DESC"

    def tagged(self, tags: str, rows: str, within: str) -> str:
        """What follows FROM to read rows by their tags, in the order of lists. `rows`: a table and its alias, which is
        the table's last word; `within`: which of the `tags`, table t."""
        return f"{tags} t CROSS JOIN {rows} ON {rows.rsplit(maxsplit=1)[-1]}.seq = t.seq WHERE {within}"

    def part(self, select: str, order: str, limit: str) -> str:  # noqa: ARG002  # for those that need it
        """A part of a UNION of which no more than `limit` rows, in this order, are wanted."""
        return select


class _Postgresql(Phrases):
    """The phrases of PostgreSQL."""

    def is_any_of(self, parameter: str) -> str:
        return f"= ANY (ARRAY(SELECT value FROM json_array_elements_text(CAST(:{parameter} AS json))))"  # noqa: S608  # fixed parts only

    def is_in(self, select: str) -> str:
        return f"= ANY (ARRAY({select}))"

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

    def newest(self, key: str) -> str:
        return f"{key} DESC NULLS LAST"

    def tagged(self, tags: str, rows: str, within: str) -> str:
        # OFFSET keeps it a part of its own, which is read in its order.
        first = f"SELECT t.seq FROM {tags} t WHERE {within} ORDER BY {self.newest('t.seq')} OFFSET 0"  # noqa: S608  # fixed parts only
        return f"({first}) AS t JOIN {rows} ON {rows.rsplit(maxsplit=1)[-1]}.seq = t.seq WHERE true"

    def part(self, select: str, order: str, limit: str) -> str:
        return f"SELECT * FROM ({select} ORDER BY {order} LIMIT {limit}) AS part"  # noqa: S608  # fixed parts only


def _json(column: str) -> str:
    r"""A column as JSON. A NUL, ``\u0000``, is left out: no text of PostgreSQL can hold one."""
    return f"CAST(replace({column}, '\\u0000', '') AS json)"


_PHRASES = {"sqlite": Phrases(), "postgresql": _Postgresql()}


def phrases(dialect: str) -> Phrases:
    """The phrases of a dialect; see `Store.dialect`."""
    return _PHRASES[dialect]
