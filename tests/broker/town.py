"""Two engines on one PostgreSQL: callers at one, workers at the other. In one process, over real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.engine.bench import new
from tests.servers.databases import migrated
from tests.servers.postgresql import fresh_database
from tests.servers.process import until

from detent.config import load_config
from detent.engine import Engine
from detent.model.manifest import Manifest
from detent.neighbourhood import Neighbourhood
from detent.sdk.task import Task
from detent.store.postgresql import PostgresStore
from detent.worker.link import DirectLink
from detent.worker.manifest import make_manifest
from detent.worker.worker import Worker, WorkerOptions


class Town:
    """`front`, where runs are triggered, and `back`, where two workers are connected.

    Parameters:
      poll_s: how often workers ask for work by themselves; None for never.
    """

    def __init__(self, url: str, broker_url: str | None, folder: Path, tasks: list[Any], poll_s: float | None) -> None:
        self._closing = ExitStack()
        env = {"DETENT_DATABASE_URL": url} | ({} if broker_url is None else {"DETENT_BROKER_URL": broker_url})
        self._config = load_config(folder, env)
        self.front, self.back = self._engine(url), self._engine(url)
        manifest, usable = make_manifest(tasks)
        assert not manifest.problems
        self.workers = [self._worker(manifest, usable, poll_s) for _ in range(2)]

    def close(self) -> None:
        self._closing.close()

    def trigger(self, task: str, payload: Any = None) -> str:
        run = new(task, payload=json.dumps(payload))
        return self.front.trigger([run])[0].id

    def ended(self, run_id: str) -> str:
        """The state in which a run has ended, when it has."""
        self.front.wait(run_id, 60.0)
        result = self.front.result(run_id)
        assert result is not None
        return result.status

    def state(self) -> str:
        """How the way between the engines is, seen from where runs are triggered."""
        assert self.front.neighbours is not None
        return self.front.neighbours.state().state

    def know_each_other(self) -> None:
        """Until the front knows whom tickets would wake."""
        assert self.front.neighbours is not None
        crews = self.front.neighbours._crews
        task = next(iter(self.workers[0]._tasks))
        until("the crews", lambda: bool(crews.queues_for("dev", task)))

    def _engine(self, url: str) -> Engine:
        store = PostgresStore(url)
        self._closing.callback(store.close)
        neighbourhood = Neighbourhood(self._config, store)
        self._closing.callback(neighbourhood.leave)
        engine = Engine(store, **neighbourhood.of_engine)
        neighbourhood.join(engine)
        return engine

    def _worker(self, manifest: Manifest, tasks: list[Task[Any, Any]], poll_s: float | None) -> Worker:
        worker = Worker(
            DirectLink(self.back),
            tasks,
            manifest,
            WorkerOptions(threads=2, async_limit=10, poll_s=poll_s, broker_url=self._config.broker_url),
            put_object=lambda key, _text: key,
            get_object=lambda key: key,
            leave=lambda _code: None,
        )
        worker.start()
        self._closing.callback(worker.stop)
        return worker


@contextmanager
def town(broker_url: str | None, folder: Path, *tasks: Any, poll_s: float | None = 1.0) -> Iterator[Town]:
    with fresh_database(migrated) as url:
        place = Town(url, broker_url, folder, list(tasks), poll_s)
        try:
            yield place
        finally:
            place.close()
