"""docs/api.md tells of every route."""

from __future__ import annotations

from tests.docs.api_table import PAGE, page_with_table


def test_the_table_of_routes_is_that_of_the_server() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_with_table(), "write it with: python -m tests.docs.api_table"
