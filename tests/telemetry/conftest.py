from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.engine.conftest import DIALECTS
from tests.servers.databases import migrated
from tests.servers.postgresql import fresh_database

from detent.telemetry import Telemetry, open_telemetry

#: Opens the same place, each time anew.
MakeStore = Callable[[], Telemetry]


@pytest.fixture(params=DIALECTS)
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStore]:
    """Where lines and spans are kept: in turn beside either kind of store."""
    with ExitStack() as places:
        url = places.enter_context(fresh_database(migrated)) if request.param == "postgresql" else "sqlite:///x"

        def make() -> Telemetry:
            store = open_telemetry(url, tmp_path / ".detent" / "telemetry.db")
            places.callback(store.close)
            return store

        yield make
