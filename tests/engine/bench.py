"""A test bench: an engine on a file, a virtual clock, and workers that do what a test tells them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.databases import Database

from detent.engine import Engine, Session
from detent.model.ids import new_id
from detent.model.manifest import Manifest, QueueSpec, TaskSpec
from detent.model.protocol import (
    Answer,
    Beat,
    Claim,
    Claimed,
    Done,
    Finish,
    Grant,
    Handle,
    Hello,
    NewRun,
    Park,
    Push,
    Release,
    RingPush,
    RunResult,
    Trigger,
    Triggered,
)
from detent.store import Store, open_database
from detent.testing.empty_database import put_empty_database

MORNING = 1_800_000_000_000


class VirtualClock:
    """Stands still until it is told to go on. Milliseconds since 1970."""

    def __init__(self) -> None:
        self.time = MORNING

    def now(self) -> int:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += round(seconds * 1000)


class Worker:
    """A connected worker process that claims, and ends runs, when a test says so."""

    def __init__(self, bench: Bench, manifest: Manifest, worker_id: str) -> None:
        self.bench = bench
        self.manifest = manifest
        self.id = worker_id
        self.pushes: list[Push] = []
        self.session: Session
        self.hello()

    def hello(self, **values: Any) -> Answer:
        hello = Hello(self.id, self.manifest, pid=1, pid_started=1.0, host="host", **values)
        self.session, answer = self.bench.engine.connect(hello, self.pushes.append)
        return answer

    def say(self, *requests: Any) -> list[Any]:
        return self.bench.engine.handle(self.session, requests)

    def claim(self, n: int = 1, *, sync: int = 0) -> list[Grant]:
        [answer] = self.say(Claim(sync=sync, async_=n))
        assert isinstance(answer, Claimed), answer
        return answer.grants

    def take(self) -> Grant:
        [grant] = self.claim()
        return grant

    def finish(self, grant: Grant, status: str = "COMPLETED", **values: Any) -> Any:
        [answer] = self.say(Finish(grant.run_id, grant.epoch, status, **values))
        return answer

    def work_off(self, n: int = 50) -> list[str]:
        """Claim and complete until nothing comes any more; the ids in the order of the claims."""
        ids: list[str] = []
        while grants := self.claim(n):
            ids += [grant.run_id for grant in grants]
            for grant in grants:
                assert self.finish(grant) == Done()
        return ids

    def trigger(self, grant: Grant, key: str, *tasks: str | NewRun, wait: bool = False, park: bool = False) -> Any:
        runs = [new(task) if isinstance(task, str) else task for task in tasks]
        [answer] = self.say(Trigger(grant.run_id, grant.epoch, key, runs, wait=wait or park, park=park))
        return answer

    def fan_out(self, grant: Grant, key: str, *tasks: str | NewRun) -> list[str]:
        """Trigger `tasks`, park, and give the children's ids."""
        answer = self.trigger(grant, key, *tasks, park=True)
        assert isinstance(answer, Triggered), answer
        assert answer.parked
        return [handle.id for handle in answer.handles]

    def park(self, grant: Grant, *keys: str) -> Any:
        [answer] = self.say(Park(grant.run_id, grant.epoch, list(keys)))
        return answer

    def beat(self) -> Answer:
        [answer] = self.say(Beat())
        return answer  # type: ignore[no-any-return]  # `say` gives whatever answers come

    def release(self, *grants: Grant) -> None:
        assert self.say(Release([(grant.run_id, grant.epoch) for grant in grants])) == [Done()]

    def heard(self, kind: type[Any]) -> list[Any]:
        """The pushes of `kind` since the last look."""
        found = [push for push in self.pushes if isinstance(push, kind)]
        self.pushes[:] = [push for push in self.pushes if not isinstance(push, kind)]
        return found

    def rung(self) -> bool:
        return bool(self.heard(RingPush))


class Bench:
    """An engine on a file in `folder`, or on the database at `url`, without loops of its own: time passes when a test
    says so. `limits`: more parameters of the engine."""

    def __init__(self, folder: Path, url: str = "", **limits: Any) -> None:
        self.clock = VirtualClock()
        self.path = folder / "detent.db"
        self.url = url
        if not url and not self.path.exists():
            put_empty_database(self.path)
        self.store = self._open()
        self.limits = limits
        self.engine = Engine(self.store, self.clock, **limits)

    @property
    def database(self) -> Database:
        return self.url or self.path

    def close(self) -> None:
        self.store.close()

    def restart(self) -> None:
        """The engine stops, and another one starts on the same file."""
        self.store.close()
        self.store = self._open()
        self.engine = Engine(self.store, self.clock, **self.limits)

    def _open(self) -> Store:
        return open_database(self.url, None if self.url else self.path, "OFF")

    def worker(
        self,
        *tasks: str,
        queues: Sequence[QueueSpec] = (),
        sync: Sequence[str] = (),
        name: str | None = None,
        hooks: Sequence[str] = (),
    ) -> Worker:
        """A connected worker. A task written ``a@q`` runs on queue q, another on its own; all have the same `hooks`."""
        specs = [TaskSpec(*_task(task), sync=task in sync, hooks=list(hooks)) for task in (tasks or ("work",))]
        specs += [TaskSpec(*_task(task), sync=True, hooks=list(hooks)) for task in sync if task not in tasks]
        return Worker(self, Manifest(specs, list(queues)), name or new_id("worker"))

    def trigger(self, task: str = "work", **options: Any) -> str:
        """Trigger one run; its id."""
        return self.trigger_all([new(task, **options)])[0].id

    def trigger_all(self, runs: Sequence[NewRun]) -> list[Handle]:
        return self.engine.trigger(runs)

    def result(self, run_id: str) -> RunResult:
        result = self.engine.result(run_id)
        assert result is not None
        return result

    def state(self, run_id: str) -> str:
        return self.result(run_id).status

    def row(self, run_id: str) -> Any:
        [row] = self.store.read("find_run", id=run_id)
        return row

    def history(self, run_id: str) -> list[str]:
        """Kind and state of each event, such as ``claim:EXECUTING``."""
        return [f"{row['kind']}:{row['state']}" for row in self.store.read("list_events", run_id=run_id)]

    def error(self, run_id: str) -> dict[str, Any]:
        text = self.result(run_id).error
        assert text is not None
        error: dict[str, Any] = json.loads(text)
        return error

    def count(self, sql: str) -> int:
        [(n,)] = self.store.read_sql(sql, {})
        return int(n)

    def pass_time(self, seconds: float) -> None:
        """Let time go by and do what is due, as the loops would."""
        self.clock.forward(seconds)
        self.engine.sweep()

    def watch_leases(self, seconds: float, *beating: Worker) -> list[str]:
        """Let time go by in the steps of the lease loop, while only some workers beat; who was given up."""
        lost: list[str] = []
        for _ in range(round(seconds / 5)):
            self.clock.forward(5)
            for worker in beating:
                assert worker.beat() == Done()
            lost += self.engine.check_leases()
        return lost

    def set_limit(self, queue: str, limit: int | None = None, per_key: int | None = None) -> None:
        self.engine.write(
            lambda scene: scene.tx.run("put_queue", env="dev", name=queue, limit_n=limit, limit_per_key=per_key)
        )


def new(task: str = "work", **options: Any) -> NewRun:
    return NewRun(new_id("run"), task, options.pop("payload", "{}"), **options)


def _task(text: str) -> tuple[str, str]:
    task, _, queue = text.partition("@")
    return task, queue or f"task/{task}"


__all__ = ["MORNING", "Bench", "VirtualClock", "Worker", "new"]
