"""Hooks of runs that ended without their code, while their workers are killed and their server goes away."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from detent import Detent

from .project import TASKS, Project, wait_for

HOOKED = (
    TASKS
    + """

@task(id="hooked")
def hooked(name: str) -> None:
    raise AssertionError("it is cancelled before it begins")


@hooked.on_cancel
def slowly(payload: str, reason: str, ctx: Context) -> None:
    effect("began", ctx.run.id, 1, os.getpid())
    child.sync.trigger(1)
    while not (GATES / payload).exists():
        time.sleep(0.01)
    effect("hooked", ctx.run.id, reason)


@task(id="hooked-async")
async def hooked_async(name: str) -> None:
    raise AssertionError("it is cancelled before it begins")


@hooked_async.on_cancel
async def slowly_async(payload: str, reason: str, ctx: Context) -> None:
    effect("began", ctx.run.id, 1, os.getpid())
    await child.trigger(1)
    while not (GATES / payload).exists():
        await asyncio.sleep(0.01)
    effect("hooked", ctx.run.id, reason)
"""
)


def cancel_delayed(client: Detent, task: str) -> str:
    run = client.tasks.trigger(task, "door", delay="1h")
    client.runs.cancel(run.id, "why")
    return run.id


def duties(project: Project) -> int:
    place = (project.root / ".detent" / "detent.db").absolute().as_uri()
    with closing(sqlite3.connect(f"{place}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM duties").fetchone()[0])


def test_hooks_whose_worker_is_killed_run_again_on_another_and_start_their_runs_once(tmp_path: Path) -> None:
    with Project(tmp_path / "p", HOOKED) as project:
        project.dev(workers=2)
        runs = {cancel_delayed(project.client(), task) for task in ("hooked", "hooked-async")}
        began = wait_for("both begin", lambda: b if len(b := project.effects("began")) == 2 else None)
        wait_for("both have triggered", lambda: len(project.effects("child")) == 2)
        victims = {int(words[2]) for words in began}
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        wait_for("both begin again", lambda: len(project.effects("began")) == 4)
        project.open_gate("door")
        wait_for("both are done", lambda: len(project.effects("hooked")) == 2 and duties(project) == 0)

        report = project.finished(4)

        assert {words[0] for words in project.effects("hooked")} == runs
        assert {words[1] for words in project.effects("hooked")} == {"why"}
        assert report.states == {"CANCELED": 2, "COMPLETED": 2}


def test_a_worker_keeps_its_hooks_while_the_server_is_away(tmp_path: Path) -> None:
    with Project(tmp_path / "p", HOOKED) as project:
        server = project.run("server", "--port", "0", "--json")
        project.run("worker", ready=False)
        server.hear("worker")
        client = project.client()
        for task in ("hooked", "hooked-async"):
            cancel_delayed(client, task)
        wait_for("both begin", lambda: len(project.effects("began")) == 2)
        wait_for("both have triggered", lambda: len(project.effects("child")) == 2)

        server.kill_everything()
        again = project.run("server", "--port", "0", "--json")
        again.hear("worker")
        project.open_gate("door")
        wait_for("both are done", lambda: len(project.effects("hooked")) == 2 and duties(project) == 0)

        assert len(project.effects("began")) == 2
        assert project.finished(4).states == {"CANCELED": 2, "COMPLETED": 2}
