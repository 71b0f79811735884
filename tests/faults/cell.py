"""One cell of the table of fail points: a project, its processes, one of which dies, and what must hold then."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import TimeoutError as StillAlive
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from signal import SIGKILL

import psutil
from tests.databases import Database, Reading, migrated
from tests.oracle import Report, check, check_ended
from tests.servers.postgresql import fresh_database

from detent.embedded import RunningServer, running_server
from detent.engine.failpoints import VARIABLE
from detent.model.ids import new_id
from detent.server.socket_place import socket_place
from detent.worker.exit_cause import cause_of
from detent.worker.fork_server import Forked, ForkServer
from detent.worker.run import tell_end

from .effects import repeated
from .forks import CommandForks, ForkedCommand
from .project import wait_for
from .workload import OUTPUTS, PATIENCE_S, Workload

__all__ = ["Place", "Victim"]

Victim = ForkedCommand | Forked

#: How long a beat may take to come, in seconds: the longest that a point is waited for while nothing happens.
LATEST_S = 7.0
#: How long the gate stays closed for a point that is not reached before it opens, in seconds.
GATE_S = 1.5


class Place:
    """A project's folder in which one cell after another is played; what starts its processes stays.

    `postgresql`: each is played in a database of its own there, instead of a file.
    """

    def __init__(
        self, root: Path, tasks: str, commands: CommandForks, env: dict[str, str], *, postgresql: bool = False
    ) -> None:
        self.root = root
        self.database: Database = root / ".detent" / "detent.db"
        self._postgresql = postgresql
        self.effects = root / "effects.log"
        self._commands = commands
        self._env = env
        (root / "tasks").mkdir(parents=True)
        (root / "detent.toml").write_text('project = "cell"\ndirs = ["tasks"]\n')
        (root / "tasks" / "work.py").write_text(tasks)
        self._socket = str(socket_place(root))
        self._workers = ForkServer(root, self._socket)
        self.server: ForkedCommand | None = None
        self.worker: Forked | None = None
        self._workers_env: Mapping[str, str] = {}
        self._all: list[Victim] = []
        #: Over all cells: leases that were lost, and things that were done again after one.
        self.lost_leases = self.done_again = 0

    def close(self) -> None:
        self._workers.close()

    @contextmanager
    def cell(self, env: Mapping[str, str]) -> Iterator[Workload]:
        """An empty project, whose workers have the variables `env`; nothing of it runs any more at the end."""
        self._workers_env = env
        shutil.rmtree(self.root / ".detent", ignore_errors=True)
        shutil.rmtree(self.root / "gates", ignore_errors=True)
        self.effects.unlink(missing_ok=True)
        self.log.unlink(missing_ok=True)
        (self.root / "gates").mkdir()
        self.server = self.worker = None
        with fresh_database(migrated) if self._postgresql else nullcontext() as url:
            if url is not None:
                self.database = url
                self._env["DETENT_DATABASE_URL"] = url
            workload = Workload(self.root, self.database)
            try:
                yield workload
            except BaseException:
                print(self.story())
                print(self.log.read_text()[-6000:] if self.log.exists() else "no server began")
                raise
            finally:
                self.kill_all()
                workload.stop()

    def story(self) -> str:
        """The runs and workers as they are, for whoever looks into a failure."""
        if not self._has_database():
            return "no store"
        with Reading(self.database) as db:
            runs = db.ask("SELECT id, task, state, epoch, attempt, worker_id, crashes, paused, error FROM runs")
            workers = db.ask("SELECT id, pid, state FROM workers")
            events = db.ask(
                "SELECT r.task, e.at, e.kind, e.state, e.epoch, e.worker_id FROM events e "
                "JOIN runs r ON r.id = e.run_id WHERE r.finished_at IS NULL ORDER BY e.seq"
            )
            return "\n".join(str(tuple(row)) for row in [*runs, *workers, *events])

    def _has_database(self) -> bool:
        return not isinstance(self.database, Path) or self.database.exists()

    @property
    def log(self) -> Path:
        return self.root / "server.log"

    # Processes.

    def serve(self, failpoint: str = "") -> ForkedCommand:
        """Start a server, and wait until it is there."""
        server = self.run("server", "--port", "0", "--json", failpoint=failpoint)
        self.server = server
        wait_for("the server", lambda: (there := self._running()) and there.pid == server.pid)
        self._lead_to_socket()
        return server

    def _lead_to_socket(self) -> None:
        """Servers of a database each have a socket of their own; the workers here know of one."""
        there = self._running()
        if there is not None and there.socket != self._socket:
            link = Path(self._socket)
            fresh = link.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(there.socket)
            fresh.replace(link)

    def run(self, *args: str, failpoint: str = "") -> ForkedCommand:
        """Start a `detent` command."""
        command = self._commands.run(args, self.root, self._env | {VARIABLE: failpoint}, self.log)
        self._all.append(command)
        return command

    def work(self, failpoint: str = "", **env: str) -> Forked:
        """Start a worker."""
        self.worker = self._workers.fork(new_id("worker"), env={**self._workers_env, VARIABLE: failpoint, **env})
        self._all.append(self.worker)
        return self.worker

    def replace_worker(self, failpoint: str = "") -> Forked:
        """Kill the worker, tell of its end as its parent would, and start another."""
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait(PATIENCE_S)
        self.is_worker_away()
        return self.work(failpoint)

    def is_worker_away(self) -> bool:
        """Whether the worker has ended; the server hears of it, as from the worker's parent."""
        assert self.worker is not None
        try:
            code = self.worker.wait(0)
        except StillAlive:
            return False
        tell_end(self._socket, self.worker.worker_id, cause_of(code), False)
        return True

    def _running(self) -> RunningServer | None:
        return running_server(self.root / ".detent")

    def kill_all(self) -> None:
        for process in self._all:
            process.kill()
        for process in self._all:
            process.wait(PATIENCE_S)
        self._all.clear()

    # What must be.

    @staticmethod
    def await_work(victim: Victim, workload: Workload) -> None:
        """Work is under way, or the victim has died already, on the way there."""
        while not workload.under_way.is_set():
            with suppress(StillAlive):
                victim.wait(0.02)
                return

    def await_death(self, victim: Victim, point: str, workload: Workload) -> None:
        """The victim dies at its fail point; it is an error when the work is over and it has not."""
        finished_at: float | None = None
        while True:
            try:
                code = victim.wait(0.02)
            except StillAlive:
                assert workload.failure is None, workload.failure
                if not workload.finished.is_set():
                    continue
                finished_at = finished_at or time.monotonic()
                waited_s = time.monotonic() - finished_at
                if waited_s > GATE_S:
                    workload.open_gate()
                late = waited_s > LATEST_S and self._is_at_rest(workload)
                assert not late, f"the workload does not reach {point}: do something in it that does"
            else:
                assert code == -SIGKILL, f"it ended with {code} before it reached {point}"
                return

    @staticmethod
    def kill_workers_of(parent: ForkedCommand) -> None:
        """SIGKILL to the worker processes of a `detent worker`, once they are there."""
        wait_for("a worker", lambda: psutil.Process(parent.pid).children())
        for child in psutil.Process(parent.pid).children():
            child.kill()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """There is always a worker, as under a supervisor."""
        keeping = threading.Event()
        keeping.set()
        keeper = threading.Thread(target=self._keep_worker, args=(keeping,), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            keeping.clear()
            keeper.join()

    def await_rest(self, workload: Workload) -> None:
        """Everything that was asked for ends."""
        workload.end()
        wait_for("the end of all runs", lambda: self._is_at_rest(workload), PATIENCE_S)

    def _keep_worker(self, keeping: threading.Event) -> None:
        while keeping.is_set():
            if self.worker is None or self.is_worker_away():
                self.work()
            time.sleep(0.01)

    def _is_at_rest(self, workload: Workload) -> bool:
        if not self._has_database():
            return False
        report = self.report()
        return report.runs >= workload.completed + workload.canceled and not report.unfinished and not self._duties()

    def _duties(self) -> int:
        """Hooks that are still to run."""
        with Reading(self.database) as db:
            return int(db.ask("SELECT count(*) FROM duties")[0][0])

    def report(self) -> Report:
        return check(self.database)

    def judge(self, workload: Workload) -> None:
        """The common oracle, after everything has come to rest and every process is gone."""
        report = check_ended(self.database)
        assert report.states == {"COMPLETED": workload.completed, "CANCELED": workload.canceled}
        again, wrong = repeated(self.effects, self.database)
        assert not wrong, "\n".join(wrong)
        self.lost_leases += report.lost_leases
        self.done_again += again

    def outputs(self, workload: Workload) -> None:
        """Every run gave what it gives when nothing goes wrong."""
        for name in workload.runs.keys() & OUTPUTS.keys():
            run = workload.run(name)
            assert run.output == OUTPUTS[name][0], (name, run)
