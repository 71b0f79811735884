from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.engine.bench import Bench
from tests.servers.databases import emptied

DIALECTS = ("sqlite", "postgresql")


@pytest.fixture(params=DIALECTS)
def make_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches, each on a store of its own, in turn of both kinds."""
    with ExitStack() as places:

        def make(**limits: Any) -> Bench:
            url = emptied() if request.param == "postgresql" else ""
            bench = Bench(tmp_path, url, **limits)
            places.callback(bench.close)
            return bench

        yield make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
