"""What the text of a query tells before SQLite compiles it, which nothing could interrupt."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from ..errors import InvalidOptions, LimitExceeded

__all__ = ["check_text", "names_and_signs", "with_named_parameters"]

#: Characters of a query; copies of what its WITH names, which SQLite makes one for each use of a name, in each copy.
SQL_CHARS, COPIES = 20_000, 64

#: As SQLite reads it: to it every character beyond ASCII is a letter, also a blank.
_TOKEN = re.compile(
    r"(?P<blank>[ \t\n\f\r]+|--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<text>'(?:[^']|'')*(?:'|\Z))"
    r"|(?P<quoted>\"(?:[^\"]|\"\")*(?:\"|\Z)|\[[^\]]*(?:\]|\Z)|`(?:[^`]|``)*(?:`|\Z))"
    r"|(?P<name>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*)"
    r"|(?P<other>\d[A-Za-z0-9_.]*|.)",
    re.DOTALL,
)
_NOT_A_QUESTION = "a query is one SELECT, which may begin with WITH; nothing else is run"


def check_text(sql: str) -> None:
    """Errors: `InvalidOptions` for what is no SELECT; `LimitExceeded` for what is too long or too entangled."""
    if len(sql) > SQL_CHARS:
        raise LimitExceeded(f"the query is {len(sql):,} characters long; the limit is {SQL_CHARS:,}")
    tokens = [] if "\0" in sql else names_and_signs(sql)
    if not tokens or tokens[0] not in {"select", "with"}:
        raise InvalidOptions(_NOT_A_QUESTION)
    counts = Counter(tokens)
    # Each definition takes one of the uses of its name.
    copies = prod(max(1, counts[name] - times) for name, times in Counter(_defined(tokens)).items())
    if copies > COPIES:
        raise LimitExceeded(
            f"what the query's WITH defines is used {copies:,} times in all, over one another; the limit is {COPIES}. "
            "Use each definition once or twice"
        )


def names_and_signs(sql: str) -> list[str]:
    """The words and signs of a query, names in lower case and without their quotes."""
    tokens: list[str] = []
    for found in _TOKEN.finditer(sql):
        whole = found[0]
        if found["name"] is not None:
            tokens.append(whole.lower())
        elif found["quoted"] is not None or found["text"] is not None:
            # A text too: SQLite takes it for a name where only a name can stand.
            tokens.append(whole[1:-1].replace(whole[0] * 2, whole[0]).lower())
        elif found["other"] is not None:
            tokens.append(whole)
    return tokens


def with_named_parameters(
    sql: str, parameters: Sequence[Any] | Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]] | None:
    """`sql` with ``:p_1`` for its first ``?``, and so on, and the parameters by name; None where the two are mixed, or
    numbered."""
    if isinstance(parameters, Mapping):
        return sql, parameters
    parts: list[str] = []
    count = 0
    for found in _TOKEN.finditer(sql):
        part = found[0]
        if found["other"] is not None and part in {"?", ":", "@", "$"}:
            if part != "?" or sql[found.end() : found.end() + 1].isdigit():
                return None
            count += 1
            part = f":p_{count}"
        parts.append(part)
    return (
        ("".join(parts), {f"p_{n}": value for n, value in enumerate(parameters, 1)})
        if count == len(parameters)
        else None
    )


def _defined(tokens: list[str]) -> list[str]:
    """The names that stand before ``AS (`` or ``AS MATERIALIZED (``, with or without a list of columns."""
    names: list[str] = []
    for place, token in enumerate(tokens):
        if token != "as" or not _opens(tokens, place + 1) or place == 0:  # noqa: S105  # a word of SQL
            continue
        before = place - 1
        if tokens[before] == ")":
            while before > 0 and tokens[before] != "(":
                before -= 1
            before -= 1
        if before >= 0:
            names.append(tokens[before])
    return names


def _opens(tokens: list[str], place: int) -> bool:
    while place < len(tokens) and tokens[place] in {"not", "materialized"}:
        place += 1
    return place < len(tokens) and tokens[place] == "("
