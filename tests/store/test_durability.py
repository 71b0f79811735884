"""What is acknowledged is on the disk, also where the lock of the database was let go before it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.databases import Reading, migrated
from tests.servers.pooler import Pooler
from tests.servers.postgresql import Postgresql

from detent.errors import StoreError
from detent.store.postgresql import PostgresStore


def commit_unflushed(store: PostgresStore, name: str) -> Callable[[], None]:
    """As the leader of a busy group does: others see it; waits for the disk when it is called."""
    session = store._session
    tx = session.begin()
    tx.run("put_queue", env="dev", name=name, limit_n=1, limit_per_key=None)
    settle = session.commit(busy=True).settle
    assert settle is not None
    return settle


def queues(url: str) -> list[str]:
    with Reading(url) as db:
        return [name for (name,) in db.ask("SELECT name FROM queues ORDER BY name")]


@pytest.mark.parametrize("pooled", [pytest.param(False, marks=pytest.mark.soak), True], ids=["direct", "pooled"])
def test_a_commit_that_a_crash_took_is_not_acknowledged_by_a_flush_after_it(pooled: bool) -> None:
    with Postgresql(settings={"synchronous_commit": "on"}) as server, Pooler(server.port) as pooler:
        migrated(server.url)
        url = server.url.replace(f":{server.port}/", f":{pooler.port}/") if pooled else server.url
        store = PostgresStore(url)
        try:
            commit_unflushed(store, "kept")()
            # As after an earlier outage: the next flush connects anew.
            assert store._session._flusher is not None
            store._session._flusher.close()
            # So that only what is waited for gets to the disk.
            server.process("walwriter").suspend()
            settle = commit_unflushed(store, "lost")
            assert queues(server.url) == ["kept", "lost"]
            server.kill()
            server.start()
            assert queues(server.url) == ["kept"]
            with pytest.raises(StoreError):
                settle()
            commit_unflushed(store, "later")()
            assert queues(server.url) == ["kept", "later"]
        finally:
            store.close()
