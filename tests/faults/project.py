"""A project in a folder of its own, and real processes that serve it: `detent dev`, `server`, `worker`."""

from __future__ import annotations

import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import psutil
from tests.oracle import Report, check

from detent import Detent
from detent.config import load_config
from detent.embedded import ProjectTransport, running_server

__all__ = ["Project", "Service", "is_gone", "wait_for"]

T = TypeVar("T")

#: How long anything may take here before it counts as stuck, in seconds. Nothing waits for it to pass.
PATIENCE_S = 45.0

TASKS = """
from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from detent import Context, queue, task
from detent import Retry

EFFECTS = Path(__file__).parent.parent / "effects.log"
GATES = Path(__file__).parent.parent / "gates"
narrow = queue("narrow", concurrency_limit=5)


def effect(*words: object) -> None:
    with EFFECTS.open("a") as log:
        log.write(" ".join(map(str, words)) + "\\n")


@task(id="child")
async def child(n: int, ctx: Context) -> int:
    effect("child", ctx.run.id, n)
    return n * 2


@task(id="parent")
async def parent(n: int, ctx: Context) -> int:
    results = await child.batch_trigger_and_wait(list(range(n)))
    effect("parent", ctx.run.id, *[run.id for run in results.runs])
    return sum(run.unwrap() for run in results.runs)


@task(id="gated")
async def gated(name: str, ctx: Context) -> str:
    effect("began", ctx.run.id, ctx.attempt.number, os.getpid())
    while not (GATES / name).exists():
        await asyncio.sleep(0.01)
    effect("ended", ctx.run.id, ctx.attempt.number, os.getpid())
    return name


@task(id="gated-plain")
def gated_plain(name: str, ctx: Context) -> str:
    effect("began", ctx.run.id, ctx.attempt.number, os.getpid())
    while not (GATES / name).exists():
        time.sleep(0.01)
    effect("ended", ctx.run.id, ctx.attempt.number, os.getpid())
    return name


@task(id="parked")
async def parked(name: str, ctx: Context) -> str:
    effect("top", ctx.run.id, os.getpid())
    said = await gated.trigger_and_wait(name)
    effect("resumed", ctx.run.id, os.getpid())
    return said.unwrap()


@task(id="poison", retry=Retry(max_attempts=5))
def poison(how: str, ctx: Context) -> None:
    effect("poison", ctx.run.id)
    if how == "exit":
        os._exit(139)
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(30)


@task(id="flaky", retry=Retry(max_attempts=3, min_timeout=0.05, max_timeout=0.1))
async def flaky(n: int, ctx: Context) -> int:
    if ctx.attempt.number < 2:
        raise ValueError("not yet")
    effect("flaky", ctx.run.id)
    return n


@task(id="slot", queue=narrow)
def slot(ms: int) -> None:
    time.sleep(ms / 1000)


@task(id="spawner")
def spawner(name: str, ctx: Context) -> None:
    import subprocess

    helper = subprocess.Popen(["sleep", "300"])
    effect("helper", helper.pid)
    while not (GATES / name).exists():
        time.sleep(0.01)
"""


def wait_for(what: str, fact: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Look until `fact` is true, and return it. Fails with `what` was waited for."""
    ends = time.monotonic() + patience_s
    while True:
        found = fact()
        if found:
            return found
        assert time.monotonic() < ends, f"{what} did not come about within {patience_s:g} s"
        time.sleep(0.01)


class Service:
    """A `detent` command in a process group of its own, and what it says."""

    def __init__(self, root: Path, command: list[str], env: dict[str, str]) -> None:
        self._errors = (root / f"stderr-{time.monotonic_ns()}.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "detent_cli", *command],
            cwd=root,
            env=env,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.said: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(b'{"event"'):
                self._lines.put(json.loads(line))
        self._lines.put(None)

    def hear(self, event: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The next `event` that fits."""
        ends = time.monotonic() + PATIENCE_S
        while True:
            line = self._lines.get(timeout=max(0.01, ends - time.monotonic()))
            assert line is not None, f"the process ended before it said {event}: {self.errors()}"
            self.said.append(line)
            if line["event"] == event and fits(line):
                return line

    def errors(self) -> str:
        self._errors.flush()
        return Path(self._errors.name).read_text()[-4000:]

    @property
    def pid(self) -> int:
        return self.process.pid

    def workers(self) -> list[psutil.Process]:
        """The worker processes that it keeps."""
        try:
            children = psutil.Process(self.pid).children()
        except psutil.NoSuchProcess:
            return []
        return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]

    def everything(self) -> list[psutil.Process]:
        """The process and all its descendants."""
        process = psutil.Process(self.pid)
        return [process, *process.children(recursive=True)]

    def kill_everything(self) -> None:
        for process in self.everything():
            _kill(process)
        self.process.wait(PATIENCE_S)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill_everything()
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()


class Project:
    """A folder with `detent.toml` and tasks. Use as a context: nothing of it is left running at the end."""

    def __init__(self, root: Path, tasks: str = TASKS, settings: str = "") -> None:
        self.root = root
        (root / "tasks").mkdir(parents=True)
        (root / "gates").mkdir()
        (root / "detent.toml").write_text(f'project = "faults"\ndirs = ["tasks"]\n{settings}')
        (root / "tasks" / "work.py").write_text(tasks)
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("DETENT_", "PYTEST"))} | {
            "PYTHONWARNINGS": "ignore"
        }
        self._services: list[Service] = []
        self._transports: list[ProjectTransport] = []

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for service in self._services:
            service.close()
        for transport in self._transports:
            transport.close()
        for process in self.processes():
            _kill(process)
        if error is not None:
            for service in self._services:
                print(f"--- {service.process.args}\n{Path(service._errors.name).read_text()[-3000:]}")

    # Processes.

    def run(self, *command: str, ready: bool = True, **env: str) -> Service:
        service = Service(self.root, list(command), self.env | env)
        self._services.append(service)
        if ready:
            service.hear("ready")
        return service

    def dev(self, *options: str, workers: int = 1, **env: str) -> Service:
        """`detent dev`, with so many workers ready to take runs."""
        service = self.run("dev", "--port", "0", "--json", "--workers", str(workers), *options, **env)
        self.await_workers(service, workers)
        return service

    @staticmethod
    def await_workers(service: Service, count: int) -> None:
        for _ in range(count):
            service.hear("worker")

    def processes(self) -> list[psutil.Process]:
        """Every process of this project that lives, whoever started it."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "status"]):
            info = process.info
            here = str(self.root) in " ".join(info["cmdline"] or []) or info["cwd"] == str(self.root)
            if here and info["status"] != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                found.append(process)
        return found

    # Clients.

    def client(self) -> Detent:
        """A client as a script of the project has it."""
        transport = ProjectTransport(load_config(self.root, {}))
        self._transports.append(transport)
        return Detent(transport)

    def script(self, code: str, **env: str) -> subprocess.Popen[str]:
        """A Python process in the project's folder."""
        return subprocess.Popen(
            [sys.executable, "-c", code], cwd=self.root, env=self.env | env, stdout=subprocess.PIPE, text=True
        )

    @property
    def server_pid(self) -> int | None:
        server = running_server(self.root / ".detent")
        return None if server is None else server.pid

    # Facts.

    def open_gate(self, name: str) -> None:
        (self.root / "gates" / name).touch()

    def effects(self, kind: str) -> list[list[str]]:
        """The lines of the effects log that begin with `kind`, as words."""
        path = self.root / "effects.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split()[1:] for line in lines if line.split(" ", 1)[0] == kind]

    def worker_states(self, pid: int) -> list[str]:
        """What the store says of the worker with this process number: alive, draining or dead."""
        place = (self.root / ".detent" / "detent.db").absolute().as_uri()
        with closing(sqlite3.connect(f"{place}?mode=ro", uri=True)) as db:
            return [state for (state,) in db.execute("SELECT state FROM workers WHERE pid = ?", (pid,))]

    def beats(self, pid: int) -> int:
        """When the worker with this process number last said that it lives, by the store."""
        place = (self.root / ".detent" / "detent.db").absolute().as_uri()
        with closing(sqlite3.connect(f"{place}?mode=ro", uri=True)) as db:
            return max(at for (at,) in db.execute("SELECT beat_at FROM workers WHERE pid = ?", (pid,)))

    def check(self) -> Report:
        report = check(self.root / ".detent" / "detent.db")
        report.raise_if_wrong()
        return report

    def finished(self, total: int, patience_s: float = PATIENCE_S) -> Report:
        """Wait until so many runs are there and all are final; the history, which must be right."""

        def done() -> Report | None:
            report = check(self.root / ".detent" / "detent.db")
            return report if report.runs >= total and not report.unfinished else None

        report = wait_for(f"the end of {total} runs", done, patience_s)
        report.raise_if_wrong()
        assert report.runs == total
        return report


def is_gone(pid: int) -> bool:
    """Whether a process has ended, though it may not have been reaped yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def doubled(lines: Iterable[list[str]]) -> dict[str, int]:
    """The run ids that come more than once, and how often."""
    return {run_id: n for run_id, n in Counter(line[0] for line in lines).items() if n > 1}


@contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    """The process stands still meanwhile."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        pass
