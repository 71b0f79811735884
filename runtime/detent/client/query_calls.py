"""Questions of clients in SQL, see `calls`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..model.query_views import QueryResult, QuerySchema
from .calls import Call

__all__ = ["ask", "schema"]


def ask(sql: str, parameters: Sequence[Any] | Mapping[str, Any], limit: int | None) -> Call[QueryResult]:
    values: dict[str, Any] = {"sql": sql}
    if parameters:
        values["parameters"] = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
    if limit is not None:
        values["limit"] = limit
    return Call("query", values, QueryResult.model_validate)


def schema() -> Call[QuerySchema]:
    return Call("query.schema", {}, QuerySchema.model_validate)
