from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _lost_workers_are_gone() -> Iterator[None]:
    """What workers that were lost on purpose leave in memory is collected here, not beside some other test.

    A coroutine whose loop is gone cannot end in order, and Python says so.
    """
    yield
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        gc.collect()
    finally:
        sys.unraisablehook = hook
