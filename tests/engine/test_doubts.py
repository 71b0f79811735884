"""A commit whose answer is lost may have granted what no worker knows of."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.databases import migrated
from tests.engine.bench import Bench
from tests.servers.postgresql import fresh_database, shared_postgresql
from tests.servers.proxy import Proxy

from detent.errors import StoreError


def test_what_was_granted_by_a_commit_whose_answer_was_lost_goes_on_once_the_worker_says_what_it_holds(
    tmp_path: Path,
) -> None:
    """Given a run that is queued, when the answer of the commit that grants it is lost, then the worker is told to say
    hello again, and is granted the run anew."""
    port = shared_postgresql().port
    with fresh_database(migrated) as url, Proxy(port) as proxy:
        bench = Bench(tmp_path, url.replace(f":{port}/", f":{proxy.port}/"))
        try:
            worker = bench.worker()
            run_id = bench.trigger()
            proxy.lose_answers(once=True)
            with pytest.raises(StoreError):
                worker.claim()
            proxy.heal()
            worker.hello(again=True, holds=[])
            grant = worker.take()
            assert grant.run_id == run_id
            worker.finish(grant)
            assert bench.result(run_id).status == "COMPLETED"
        finally:
            bench.close()
