"""What holds for all tests."""

from __future__ import annotations

import gc

import pytest


def pytest_configure() -> None:
    """Thousands of tests and what they import are a large heap of things that stay, which is looked through less often:
    an eighth of all processor time went into that."""
    gc.set_threshold(50_000, 20, 100)


def pytest_collection_finish(session: pytest.Session) -> None:  # pytest gives it by name
    gc.collect()
    gc.freeze()
