"""A store that real runs of every kind have filled; one of them executed when its worker was lost."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from detent import Detent
from detent.config import load_config
from detent.dev import LocalService
from detent.model.manifest import Manifest, TaskSpec
from detent.model.protocol import Claim, Claimed, Hello, NewRun
from detent.server.host import Host

__all__ = ["EXECUTING", "copy_of_filled", "rows_of"]

TASKS = """\
from detent import Retry, logger, metadata, queue, step, streams, tags, task, wait

narrow = queue("move-narrow", concurrency_limit=2)


@task(id="move-leaf", queue=narrow)
async def leaf(n: int) -> int:
    logger.info("leaf", n=n)
    return n + await step("one", one)


async def one() -> int:
    return 1


@task(id="move-root")
async def root(n: int) -> int:
    metadata.set("n", n)
    tags.add("moved", "tag-of-root")
    await streams.append("words", "hello")
    return sum((await leaf.batch_trigger_and_wait(list(range(n)))).unwrap())


@task(id="move-fail", retry=Retry(max_attempts=1))
def fail(text: str) -> None:
    raise ValueError(text)


@task(id="move-token")
async def for_token(token: str) -> object:
    return (await wait.for_token(id=token, timeout="2d")).output


@task(id="move-sleep")
async def sleep(_: int) -> None:
    await wait.for_(days=1)
"""
#: The run that executed when its worker was lost.
EXECUTING = "run_00000000000000000000000000000001"


@cache
def _filled() -> Path:
    root = Path(mkdtemp(prefix="detent-move-"))
    (root / "tasks").mkdir()
    (root / "tasks" / "moving.py").write_text(TASKS)
    (root / "detent.toml").write_text('project = "moving"\nport = 0\n')
    config = load_config(root, {})
    with LocalService(config) as service:
        client = Detent(service.transport)
        done = [client.tasks.trigger("move-root", n, tags=["t", f"n-{n}"]).id for n in (2, 5)]
        bad = client.tasks.trigger("move-fail", "odd \u2603 text").id
        token = client.tokens.create(tags=["of-token"], timeout="3d").id
        client.tasks.trigger("move-token", token, idempotency_key="once")
        client.tasks.trigger("move-sleep", 1)
        client.tasks.trigger("move-leaf", 7, delay="2d", priority=2.5, metadata={"a": None})
        client.tasks.trigger("move-leaf", 8, debounce={"key": "k", "delay": "1d"})
        client.schedules.create(task="move-leaf", cron="0 8 * * *", deduplication_key="daily")
        client.queues.override_limit("move-narrow", 1)
        client.envvars.create("MOVED_SECRET", "kept under the key")
        client.keys.create("for the move")
        client.alerts.create(events="run.failed", webhook="https://example.com/hook", name="told")
        client.projects.create("second")
        for run in done:
            assert client.runs.poll(run, "30s").ok
        client.runs.poll(bad, "30s")
        client.runs.replay(done[0])
        client.runs.bulk.cancel(tag="n-2")
    host = Host(config, port=0)
    host.start()
    hello = Hello("worker_lost", Manifest([TaskSpec("move-held", "q")]), pid=1, pid_started=1.0, host="elsewhere")
    session, _ = host.engine.connect(hello, lambda _push: None)
    host.engine.trigger([NewRun(EXECUTING, "move-held")])
    [claimed] = host.engine.handle(session, [Claim(async_=1)])
    assert isinstance(claimed, Claimed)
    assert claimed.grants[0].run_id == EXECUTING
    host.stop()
    return root


def copy_of_filled(root: Path) -> Path:
    """A project in `root` with that store."""
    return Path(shutil.copytree(_filled(), root))


def rows_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of a file, by table, in the order of their first columns."""
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}
