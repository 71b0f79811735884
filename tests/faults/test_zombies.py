"""A host stands still past the lease of its workers and comes back: nothing that it then says counts (F3)."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil
import pytest
from tests.oracle import check_ended

from .effects import effects, repeated
from .figures import figures
from .fleet import HEAD
from .project import Project, wait_for

TASKS = """
GATES = Path(__file__).parent.parent / "gates"


def note(ctx: Context, name: str) -> int:
    effect(ctx, name)
    return os.getpid()


async def note_async(ctx: Context, name: str) -> int:
    return note(ctx, name)


@task(id="leaf")
async def leaf(n: int) -> int:
    return n


@task(id="chatty")
async def chatty(n: int, ctx: Context) -> int:
    begun = await step("begin", note_async, ctx, "begin")
    done(LOG, f"{ctx.run.id}/entered/{os.getpid()}", ctx.run.id, "entered")
    while not (GATES / "door").exists():
        await asyncio.sleep(0.005)
    await step("on", note_async, ctx, "on")
    await leaf.trigger(n)
    return os.getpid()


@task(id="chatty-plain")
def chatty_plain(n: int, ctx: Context) -> int:
    begun = step.sync("begin", note, ctx, "begin")
    done(LOG, f"{ctx.run.id}/entered/{os.getpid()}", ctx.run.id, "entered")
    while not (GATES / "door").exists():
        time.sleep(0.005)
    step.sync("on", note, ctx, "on")
    leaf.sync.trigger(n)
    return os.getpid()
"""


def test_workers_that_stood_still_past_their_lease_write_nothing_and_end(tmp_path: Path) -> None:
    stand_still(tmp_path, lease_s=1.5, runs=8)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_workers_that_stood_still_for_90_seconds_write_nothing_and_end(tmp_path: Path) -> None:
    stand_still(tmp_path, lease_s=45, runs=40, still_s=90, judged=True)


def stand_still(folder: Path, *, lease_s: float, runs: int, still_s: float = 0, judged: bool = False) -> None:
    with Project(folder / "p", HEAD + TASKS) as project:
        lease = str(round(lease_s * 1000))
        project.run("server", "--port", "0", "--json", DETENT_LEASE_MS=lease, DETENT_SQLITE_SYNC="NORMAL")
        log, database = project.root / "effects.log", project.root / ".detent" / "detent.db"
        client = project.client()
        first = project.run("worker", "--processes", "2", "--threads", "40", ready=False)
        for n in range(runs):
            client.tasks.trigger("chatty" if n % 2 else "chatty-plain", n)
        entered = lambda: [effect for effect in effects(log) if effect.name == "entered"]  # noqa: E731
        wait_for("all begin", lambda: len(entered()) == runs)
        zombies = {effect.pid for effect in entered()}

        host = first.everything()
        for process in host:
            process.send_signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        project.run("worker", "--processes", "1", "--threads", "40", ready=False)
        wait_for("all begin elsewhere", lambda: len(entered()) == 2 * runs, 2 * lease_s + 45)
        reclaimed_s = time.monotonic() - stopped_at
        wait_for("the time to stand still", lambda: time.monotonic() - stopped_at >= still_s, still_s + 1)

        project.open_gate("door")
        woken_at = time.monotonic()
        for process in host:
            process.send_signal(signal.SIGCONT)
        wait_for("the end of the zombies", lambda: not any(map(lives, zombies)))
        ended_s = time.monotonic() - woken_at
        project.finished(2 * runs)
        outputs = {client.runs.retrieve(effect.run_id).output for effect in entered()}
        survivors = {effect.pid for effect in entered()} - zombies

    report = check_ended(database)
    again, wrong = repeated(log, database)
    assert not wrong, "\n".join(wrong)
    assert report.states == {"COMPLETED": 2 * runs}
    assert report.lost_leases == runs
    assert outputs == survivors
    begun = [effect for effect in effects(log) if effect.name == "begin"]
    assert len(begun) == runs, "a finished step was done again"
    figures(
        "F3",
        f"{runs} runs, lease {lease_s:g} s",
        f"claimed again {reclaimed_s:.1f} s after the host stood still; woken, its workers ended after {ended_s:.2f} s "
        f"with {again} effects that were done again elsewhere, and 0 writes of theirs accepted",
    )
    if judged:
        assert reclaimed_s <= lease_s + 5 + 5
        assert ended_s <= 1


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
