"""The table of routes in docs/api.md, made of the routes themselves: ``python -m tests.docs.api_table`` writes it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.docs.blocks import ROOT

PAGE = ROOT / "docs" / "api.md"
BEGIN, END = "<!-- routes: begin -->\n", "<!-- routes: end -->\n"


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    from detent.engine import Engine
    from detent.engine.operations import Operations
    from detent.server.openapi import openapi_document
    from detent.store import SqliteStore

    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "detent.db", "OFF")
        try:
            return openapi_document(Operations(Engine(store)).methods)
        finally:
            store.close()


def table() -> str:
    """The routes by resource."""
    by_resource: dict[str, list[str]] = {}
    for path, methods in document()["paths"].items():
        for method, about in methods.items():
            row = f"| `{method.upper()} {path}` | {about['summary'].replace('|', '&#124;')} | `{about['x-scope']}` |"
            by_resource.setdefault(about["operationId"].partition(".")[0], []).append(row)
    parts = [
        f"### {resource}\n\n| Route | What | Scope |\n|---|---|---|\n" + "\n".join(rows) + "\n"
        for resource, rows in sorted(by_resource.items())
    ]
    return "\n" + "\n".join(parts) + "\n"


def page_with_table() -> str:
    """The page as it is to be."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page_with_table(), encoding="utf-8")
