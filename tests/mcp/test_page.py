from __future__ import annotations

from tests.mcp.tools_table import PAGE, page_with_table


def test_the_table_of_tools_is_that_of_the_server() -> None:
    """`python -m tests.mcp.tools_table` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page_with_table()
