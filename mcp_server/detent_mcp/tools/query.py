"""Questions in SQL."""

from __future__ import annotations

from typing import Annotated, Any

from ..call import Call
from ..next_calls import next_call
from ..refusals import Refusal, no_such
from ..results import encode, estimate, row
from ..tool import tool
from ..untrusted import mark_present, shown

__all__ = ["get_query_schema", "query"]

_MOST, _CELL, _TOKENS = 500, 400, 6_000


@tool(
    "query",
    "Answer a question over many runs by one read-only SELECT over the views runs, attempts, spans and logs "
    "(get_query_schema shows columns). Use for counts, rates, percentiles.",
    title="Query",
    needs="query:read",
    toolset="query",
)
async def query(
    call: Call,
    *,
    sql: str,
    parameters: Annotated[list[Any] | None, "for each ?"] = None,
    limit: Annotated[int, "rows, 1-500, default 100"] = 100,
) -> dict[str, Any]:
    if not 1 <= limit <= _MOST:
        raise Refusal(
            f"limit must be 1 to {_MOST} rows, got {limit}; let the SELECT aggregate", code="invalid_arguments"
        )
    found = await call.ask("query", sql=sql, parameters=parameters or [], limit=limit)
    rows = [[shown(cell, _CELL) for cell in cells] for cells in found["rows"]]
    kept = len(rows)
    while kept > 1 and estimate(encode(rows[:kept])) > _TOKENS:
        kept //= 2
    told = {"environment": call.where.environment, "columns": found["columns"], "rows": rows[:kept]}
    if kept < len(rows):
        told["cut"] = f"{kept} of {len(rows)} rows are shown; select fewer columns, aggregate, or use LIMIT and OFFSET"
    elif found["is_cut"]:
        told["cut"] = f"there are more than {limit} rows; aggregate, raise limit, or use LIMIT and OFFSET"
    return mark_present(told, "rows")


@tool(
    "get_query_schema",
    "The views that query can name, or with view its columns.",
    title="Query schema",
    needs="query:read",
    toolset="query",
)
async def get_query_schema(call: Call, *, view: str | None = None) -> dict[str, Any]:
    views = {each["name"]: each for each in (await call.ask("query.schema"))["views"]}
    if view is None:
        about = {name: each["description"] for name, each in views.items()}
        columns = {name: " ".join(column["name"] for column in each["columns"]) for name, each in views.items()}
        return {"views": about, "columns": columns, "next": next_call(call, "get_query_schema", view=next(iter(views)))}
    if view not in views:
        raise no_such("view", view, sorted(views))
    found = views[view]
    columns = {each["name"]: f"{each['type']} {each['description']}".strip() for each in found["columns"]}
    example = next_call(call, "query", sql=f"SELECT count(*) FROM {view}")  # noqa: S608  # an example
    return row(view=view, about=found["description"], columns=columns, next=example)
