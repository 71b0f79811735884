"""docs/assistants.md says what is so."""

from __future__ import annotations

from tests.docs.client_table import PAGE, page_with_table


def test_the_table_of_assistants_is_that_of_the_installer() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page_with_table(text) == text, "write it with: python -m tests.docs.client_table"
