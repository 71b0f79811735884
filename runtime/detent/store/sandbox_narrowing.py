"""What a query in SQLite's SQL leaves out of a view for certain, as conditions that PostgreSQL can decide.

Only what is understood narrows: a comparison of a column with something that no row changes. Whatever else a query says
is left to SQLite, which gets more rows then than it needs, and never fewer. Values are bound; no text of the query
becomes part of a statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import sqlglot
from sqlglot import exp

from ..errors import DetentError
from .sandbox import SandboxView
from .sandbox_moments import Bound, moment_bounds
from .sandbox_text import names_and_signs, with_named_parameters

__all__ = ["Codes", "Narrowing", "Value", "narrowings"]

#: Constants of one query that are looked into; longest list of an IN.
_MOST_VALUES, _LONGEST_IN = 20, 500
#: Characters of a query that is taken apart, and brackets within brackets: sqlglot takes twice as long for each
#: function within another.
_MOST_CHARS, _DEEPEST = 8_000, 7
#: Rows beyond which a LIMIT is left to SQLite.
_MOST_ROWS = 100_000

_PLAIN = re.compile(r"\w+\.(\w+)")
_MOMENT = re.compile(r"strftime\('%Y-%m-%d %H:%M:%f', \w+\.(\w+) / 1000\.0, 'unixepoch'\)")
_SOURCE = re.compile(r"@store\.(\w+) \w+")
_COMPARISONS = {exp.EQ: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
#: What may stand in a list of results without making one row of many.
_OF_ONE_ROW: tuple[type[exp.Expr], ...] = (
    exp.Column,
    exp.Identifier,
    exp.Star,
    exp.Alias,
    exp.Literal,
    exp.Placeholder,
    exp.Binary,
    exp.Paren,
)
_OF_ONE_ROW += (exp.Case, exp.If, exp.Lower, exp.Upper, exp.Length, exp.Coalesce, exp.Round, exp.Substring, exp.Null)

#: Worth of an expression without columns, by its text and the query's parameters.
Value = Callable[[str, Mapping[str, Any]], Any]
#: Of a column that shows a name for what is kept: the column that is kept, and what is kept for each name.
Codes = Mapping[str, tuple[str, Mapping[str, Any]]]


@dataclass(slots=True)
class Narrowing:
    """Which rows of a relation a query can need: those that fit all conditions of one of `alternatives`, and of these,
    in `order`, the first `most`."""

    alternatives: list[list[Bound]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    most: int | None = None

    def as_sql(self) -> tuple[str, str, dict[str, Any]]:
        """What follows a WHERE, with AND in front, what follows it, and the values of both."""
        values: dict[str, Any] = {}
        parts = []
        for bounds in self.alternatives:
            conditions = []
            for bound in bounds:
                name = f"v{len(values)}"
                values[name] = bound.value
                place = f"ANY(%({name})s)" if isinstance(bound.value, list) else f"%({name})s"
                conditions.append(f'x."{bound.column}" {bound.sign} {place}')
            parts.append(f"({' AND '.join(conditions)})" if conditions else "")
        where = f" AND ({' OR '.join(parts)})" if parts and all(parts) else ""
        ordered = f" ORDER BY {', '.join(self.order)}" if self.order else ""
        if self.most is not None:
            values["most"] = self.most
            ordered += " LIMIT %(most)s"
        return where, ordered, values


def narrowings(
    sql: str,
    parameters: Sequence[Any] | Mapping[str, Any],
    views: Sequence[SandboxView],
    *,
    columns: Mapping[str, Mapping[str, str]],
    codes: Mapping[str, Codes],
    value: Value,
    most_rows: int,
) -> dict[str, Narrowing]:
    """How far each relation can be narrowed, by its name; those that cannot be are left out.

    Parameters:
      sql, parameters: a query that SQLite has accepted. `columns`: of each relation, with SQLite's types.
      codes: of each relation. `most_rows`: how many rows of the answer are looked at.
    """
    named = with_named_parameters(sql, parameters)
    if named is None:
        return {}
    text, values = named
    tokens = names_and_signs(text)
    if len(text) > _MOST_CHARS or _depth(tokens) > _DEEPEST:
        return {}
    try:
        query = sqlglot.parse_one(text, read="sqlite")
        reading = _Reading(query, tokens, values, value)
        found = {}
        for view in views:
            source = _SOURCE.fullmatch(view.source)
            if source is not None:
                shape = _Shape(view, columns[source[1]], codes.get(source[1], {}))
                narrowing = reading.narrowing(shape, most_rows)
                if narrowing is not None:
                    found[source[1]] = narrowing
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError, AttributeError, TypeError, KeyError):
        # It is SQLite's judgement that counts, and it has accepted the query.
        return {}
    return found


class _Shape:
    """What is known of the columns of a view: those that show a column of the relation as it is, or as a moment."""

    def __init__(self, view: SandboxView, columns: Mapping[str, str], codes: Codes) -> None:
        self.name = view.name
        self.names = frozenset(view.columns)
        self.codes = codes
        self.moments: dict[str, str] = {}
        self.plain: dict[str, tuple[str, str]] = {}
        self.has_seq = "seq" in columns
        for name, expression in view.columns.items():
            if found := _MOMENT.fullmatch(expression):
                self.moments[name] = found[1]
            elif found := _PLAIN.fullmatch(expression):
                self.plain[name] = (found[1], columns[found[1]])

    def bounds(self, name: str, sign: str, value: Any) -> tuple[list[Bound], bool] | None:
        """What `name sign value` asks of the relation, and whether it asks for no less; None where that is unknown."""
        if name in self.moments:
            return moment_bounds(self.moments[name], sign, value)
        if name in self.codes and sign == "=":
            column, kept = self.codes[name]
            if value not in kept:
                return None
            return [Bound(column, "=", kept[value])], list(kept.values()).count(kept[value]) == 1
        if name in self.plain:
            column, kind = self.plain[name]
            if kind == "TEXT" and sign == "=" and _is_text(value):
                return [Bound(column, "=", value)], True
            if kind == "INTEGER" and type(value) is int and abs(value) < 2**62:
                return [Bound(column, sign, value)], True
        return None

    def ordered(self, name: str) -> str | None:
        """The column of the relation that has the order of `name`."""
        if name in self.moments:
            return self.moments[name]
        return self.plain[name][0] if name in self.plain else None


class _Reading:
    """A query, taken apart."""

    def __init__(self, query: exp.Expr, tokens: list[str], values: Mapping[str, Any], value: Value) -> None:
        self._query = query
        self._tokens = tokens
        self._values = values
        self._value = value
        self._asked = 0
        self._defined = {cte.alias.lower() for cte in query.find_all(exp.CTE)}

    def narrowing(self, shape: _Shape, most_rows: int) -> Narrowing | None:
        """For one view, or None."""
        tables = [table for table in self._query.find_all(exp.Table) if table.name.lower() == shape.name]
        qualified = [column for column in self._query.find_all(exp.Column) if column.table.lower() == shape.name]
        # Each mention must be understood; a name may be a table's in more places than one would think.
        mentions = self._tokens.count(shape.name)
        if not tables or shape.name in self._defined or mentions != len(tables) + len(qualified):
            return None
        narrowing = Narrowing()
        exact = True
        for table in tables:
            select = table.parent.parent if isinstance(table.parent, exp.From | exp.Join) else None
            if not isinstance(select, exp.Select):
                return None
            bounds, is_exact = self._bounds(table, select, shape)
            narrowing.alternatives.append(bounds)
            exact = exact and is_exact
        if not all(narrowing.alternatives):
            narrowing.alternatives = []
        if len(tables) == 1 and exact:
            self._cut(narrowing, tables[0], shape, most_rows)
        return narrowing if narrowing.alternatives or narrowing.most is not None else None

    def _bounds(self, table: exp.Table, select: exp.Select, shape: _Shape) -> tuple[list[Bound], bool]:
        """What the WHERE, and the ON of its own join, ask of one mention; whether that is all the WHERE asks."""
        joins = list(select.args.get("joins") or ())
        bounds: list[Bound] = []
        exact = True
        where = select.args.get("where")
        for condition in _conditions(where.this if where is not None else None):
            found = self._bound(condition, table, shape, is_alone=not joins)
            bounds += found[0] if found is not None else []
            exact = exact and found is not None and found[1]
        join = table.parent
        sides = {str(one.args.get("side") or "").upper() for one in joins}
        if isinstance(join, exp.Join) and sides <= {"", "LEFT"}:
            for condition in _conditions(join.args.get("on")):
                found = self._bound(condition, table, shape, is_alone=False)
                bounds += found[0] if found is not None else []
        return bounds, exact

    def _bound(
        self, condition: exp.Expr, table: exp.Table, shape: _Shape, *, is_alone: bool
    ) -> tuple[list[Bound], bool] | None:
        """What a condition asks of the rows of `table`; each such condition is false for NULL."""
        condition = condition.unnest()
        if isinstance(condition, exp.Between):
            name = self._column(condition.this, table, shape, is_alone=is_alone)
            if name is None or condition.args.get("symmetric"):
                return None
            low = self._compared(name, ">=", condition.args["low"], shape)
            high = self._compared(name, "<=", condition.args["high"], shape)
            return None if low is None or high is None else (low[0] + high[0], low[1] and high[1])
        if isinstance(condition, exp.In):
            return self._among(condition, table, shape, is_alone=is_alone)
        if not isinstance(condition, exp.Binary) or type(condition) not in _COMPARISONS:
            return None
        sign = _COMPARISONS[type(condition)]
        for one, other, direction in (
            (condition.left, condition.right, sign),
            (condition.right, condition.left, _TURNED[sign]),
        ):
            name = self._column(one, table, shape, is_alone=is_alone)
            if name is not None:
                return self._compared(name, direction, other, shape)
        return None

    def _among(
        self, condition: exp.In, table: exp.Table, shape: _Shape, *, is_alone: bool
    ) -> tuple[list[Bound], bool] | None:
        name = self._column(condition.this, table, shape, is_alone=is_alone)
        is_list = not any(part for name, part in condition.args.items() if name not in {"this", "expressions"})
        if name is None or name in shape.moments or not is_list:
            return None
        if not 0 < len(condition.expressions) <= _LONGEST_IN:
            return None
        parts = [self._compared(name, "=", part, shape) for part in condition.expressions]
        bounds = [part for part in parts if part is not None]
        if len(bounds) < len(parts):
            return None
        kept = [bound.value for part in bounds for bound in part[0]]
        return [Bound(bounds[0][0][0].column, "=", kept)], all(is_exact for _, is_exact in bounds)

    def _compared(self, name: str, sign: str, other: exp.Expr, shape: _Shape) -> tuple[list[Bound], bool] | None:
        try:
            value = self._constant(other)
        except _NoConstant:
            return None
        return shape.bounds(name, sign, value)

    def _column(self, node: exp.Expr, table: exp.Table, shape: _Shape, *, is_alone: bool) -> str | None:
        """The name of a column of `table`, where `node` is one for certain."""
        node = node.unnest()
        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier) or node.args.get("db"):
            return None
        name = node.name.lower()
        is_its = node.table.lower() == table.alias_or_name.lower() if node.table else is_alone
        return name if is_its and name in shape.names else None

    def _constant(self, node: exp.Expr) -> Any:
        """What `node` is worth, which no row may change. Errors: `_NoConstant`."""
        if isinstance(node, exp.Literal):
            return node.this if node.is_string else _number(node.this)
        if isinstance(node, exp.Placeholder):
            if node.name not in self._values:
                raise _NoConstant
            return self._values[node.name]
        self._asked += 1
        if node.find(exp.Column, exp.Select, exp.Table, exp.Identifier) is not None or self._asked > _MOST_VALUES:
            raise _NoConstant
        text = node.sql("sqlite")
        # It is asked of SQLite as it was written, or not at all.
        if not _contains(self._tokens, names_and_signs(text)):
            raise _NoConstant
        try:
            return self._value(text, self._values)
        except DetentError:
            raise _NoConstant from None

    def _cut(self, narrowing: Narrowing, table: exp.Table, shape: _Shape, most_rows: int) -> None:
        """Set how many rows are enough, where each row of the answer is one of `table`."""
        select = self._query
        known = {"kind", "expressions", "from", "from_", "where", "order", "limit", "offset"}
        is_plain = isinstance(select, exp.Select) and all(
            not part or name in known for name, part in select.args.items()
        )
        if not is_plain or table.parent is None or table.parent.parent is not select or "nulls" in self._tokens:
            return
        if not all(isinstance(node, _OF_ONE_ROW) for result in select.expressions for node in result.walk()):
            return
        rows = self._rows(select, most_rows)
        order = self._order(select, table, shape)
        if rows is not None and order is not None:
            narrowing.order = [*order, *(['x."seq"'] if shape.has_seq else [])]
            narrowing.most = rows

    def _rows(self, select: exp.Expr, most_rows: int) -> int | None:
        rows = 0
        for name in ("limit", "offset"):
            node = select.args.get(name)
            try:
                number = (most_rows + 1 if name == "limit" else 0) if node is None else self._constant(node.expression)
            except _NoConstant:
                return None
            if type(number) is not int or not 0 <= number <= _MOST_ROWS:
                return None
            rows += number
        return rows

    def _order(self, select: exp.Expr, table: exp.Table, shape: _Shape) -> list[str] | None:
        order = select.args.get("order")
        if order is None:
            return []
        # A name that a result was given comes before that of a column.
        given = {result.alias.lower() for result in select.expressions if isinstance(result, exp.Alias)}
        terms: list[str] = []
        for term in order.expressions:
            name = self._column(term.this, table, shape, is_alone=True)
            column = None if name is None or name in given else shape.ordered(name)
            if column is None:
                return None
            terms.append(f'x."{column}" {"DESC NULLS LAST" if term.args.get("desc") else "ASC NULLS FIRST"}')
        return terms


class _NoConstant(Exception):  # says what was not found
    """An expression whose worth is not known beforehand."""


def _conditions(node: exp.Expr | None) -> Iterator[exp.Expr]:
    if node is None:
        return
    node = node.unnest()
    if isinstance(node, exp.And):
        yield from _conditions(node.left)
        yield from _conditions(node.right)
    else:
        yield node


def _depth(tokens: Sequence[str]) -> int:
    signs = {"(": 1, ")": -1}
    return max(accumulate(signs.get(token, 0) for token in tokens), default=0)


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() else float(text)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value and value.isprintable()


def _contains(whole: Sequence[str], part: Sequence[str]) -> bool:
    return any(list(whole[at : at + len(part)]) == list(part) for at in range(len(whole) - len(part) + 1))
