"""Answers to questions in SQL."""

from __future__ import annotations

from typing import Any

from .views import View

__all__ = ["QueryColumn", "QueryResult", "QuerySchema", "QueryView"]


class QueryResult(View):
    """Rows of a query, each with a value for every column. `is_cut`: there were more, or they were too large."""

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool = False
    took_ms: float = 0

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dictionaries, by the names of the columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class QueryColumn(View):
    """A column of a view."""

    name: str
    type: str
    description: str = ""


class QueryView(View):
    """A view that queries can name."""

    name: str
    description: str = ""
    columns: list[QueryColumn]


class QuerySchema(View):
    """All that queries can name."""

    views: list[QueryView]
