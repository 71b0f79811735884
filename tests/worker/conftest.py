from __future__ import annotations

import os

import pytest
from tests.servers.databases import emptied


@pytest.fixture(autouse=True)
def store_of_harnesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``DETENT_TEST_STORE=postgresql`` each harness of a test finds an empty PostgreSQL database."""
    if os.environ.get("DETENT_TEST_STORE") == "postgresql":
        monkeypatch.setenv("DETENT_TEST_DATABASE_URL", emptied())
