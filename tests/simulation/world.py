"""The simulated world: one scheduler, one seed. Each turn one thing happens: a frame goes on, words arrive, time
passes, a client asks for something, or something breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.engine.bench import Bench
from tests.simulation.clients import Clients
from tests.simulation.frame import Frame
from tests.simulation.judge import Judge
from tests.simulation.programs import draw_tasks, manifest
from tests.simulation.workers import SimulatedWorker

from detent.model.protocol import Beat, Claim, Failure, Finish, Hello, Push

__all__ = ["Stuck", "World"]

WORKERS = 3
#: So often time may pass in a row without anything happening, once nothing breaks any more.
PATIENCE = 400


class Stuck(AssertionError):
    """Nothing breaks any more, and yet not everything ends."""


class World:
    """One simulation.

    Parameters:
      seed: decides everything.
      folder: where the store is.
      trace: told of each turn, in words.
    """

    def __init__(self, seed: int, folder: Path, trace: Callable[[str], None] = lambda _line: None) -> None:
        self.chance = Random(seed)
        self.trace = trace
        self.bench = Bench(folder, env_limit=self.chance.choice([None, 4]))
        self.judge = Judge(self.bench)
        self.tasks = draw_tasks(self.chance)
        self.manifest = manifest(self.tasks)
        self.turns = 0
        self.faults: Counter[str] = Counter()
        self.workers: list[SimulatedWorker] = []
        #: Processes that are dead; what they said may still be on its way.
        self.ghosts: list[SimulatedWorker] = []
        #: Dead processes of which nobody has told: only their lease tells.
        self.unreported: list[str] = []
        self._ids = 0
        self.clients = Clients(self.chance, self.bench, list(self.tasks), self._id)
        self._idle = 0
        self._quiet = False
        for _ in range(WORKERS):
            self._start_worker()

    def close(self) -> None:
        self.bench.close()

    def run(self, turns: int) -> None:
        """So many turns in which things break, and then as many as it takes for everything to end."""
        for _ in range(turns):
            self._turn()
        self._heal()
        while not self._is_over():
            if self._idle > PATIENCE:
                raise Stuck(self._what_is_left())
            self._quiet_turn()
        self.judge.end()

    # Turns.

    def _turn(self) -> None:
        kind = self.chance.choices(["work", "deliver", "claim", "time", "client", "break"], [34, 34, 8, 9, 6, 4])[0]
        {
            "work": self._work, "deliver": self._deliver_some, "claim": self._claim,
            "time": self._let_time_pass, "client": self.clients.ask, "break": self._break,
        }[kind]()  # fmt: skip
        self.turns += 1
        for worker in list(self.workers):
            if worker.away:
                worker.away -= 1
                if not worker.away:
                    self._is_back(worker)
            if worker.given_up:
                self._kill(worker, "it was given up")
        if self.turns % 4 == 0:
            self.judge.look()

    def _quiet_turn(self) -> None:
        """Nothing breaks, nobody asks for more; time passes only when nothing else can happen."""
        self.turns += 1
        for worker in self.workers:
            if worker.given_up:
                self._kill(worker, "it was given up")
                return
        if self._work() or self._deliver_some():
            self._idle = 0
            return
        before = self.bench.count("SELECT coalesce(max(seq), 0) FROM events")
        for worker in self.workers:
            if worker.can_claim():
                worker.claim()
                self._deliver(worker, len(worker.under_way))
        self._idle += 1
        if before != self.bench.count("SELECT coalesce(max(seq), 0) FROM events"):
            self._idle = 0
        else:
            self.clients.answer_everything()
            due = self.bench.engine.next_due()
            now = self.bench.clock.now()
            self._pass(min(5.0, (due - now) / 1000) if due is not None and due > now and not self.unreported else 5.0)
            if not self.unreported and due is not None and due - now > 600_000:
                self.bench.clock.time = due  # as a clock that jumps: the leases are not judged by it
                self.bench.engine.check_leases()

    def _work(self) -> bool:
        """A frame goes on by one turn of a branch, or gives up a wait; whether one could."""
        ready = [(worker, frame) for worker in self.workers for frame in worker.frames.values() if frame.ready()]
        tired = [(worker, frame) for worker in self.workers for frame in worker.frames.values() if frame.impatient()]
        if tired and self.chance.random() < 0.03:
            worker, frame = self.chance.choice(tired)
            branch = self.chance.choice(frame.impatient())
            self.trace(f"{worker.id}: {frame.run_id} gives up {branch.key}")
            frame.give_up(branch)
            return True
        if not ready:
            return False
        worker, frame = self.chance.choice(ready)
        branch = self.chance.choice(frame.ready())
        self.trace(f"{worker.id}: {frame.run_id}/{frame.epoch} goes on")
        frame.advance(branch)
        return True

    def _deliver_some(self) -> bool:
        """What a worker, or one that is dead, has said arrives."""
        speaking = [worker for worker in self.workers + self.ghosts if worker.under_way and not worker.away]
        if not speaking:
            return False
        worker = self.chance.choice(speaking)
        self._deliver(worker, self.chance.randint(1, 3))
        return True

    def _claim(self) -> None:
        claiming = [worker for worker in self.workers if worker.can_claim() and not worker.away]
        if claiming:
            self.chance.choice(claiming).claim()

    # Words on their way.

    def _deliver(self, worker: SimulatedWorker, n: int) -> None:
        said = worker.under_way[:n]
        fate = self.chance.choices(["well", "twice", "answer lost", "crash before", "crash after"], [200, 8, 8, 4, 4])[
            0
        ]
        if self._quiet or worker in self.ghosts:
            fate = "well"
        if fate == "crash before":
            self._crash(worker, fate)
            return
        requests = [one.request for one in said]
        answers = self._ask(worker, requests)
        if fate == "twice":
            self.faults[fate] += 1
            again = self._ask(worker, [request for request in requests if not isinstance(request, Claim)])
            rest = iter(again)
            answers = [
                answer if isinstance(request, Claim) else next(rest)
                for request, answer in zip(requests, answers, strict=True)
            ]
        if worker in self.ghosts:
            del worker.under_way[:n]
            if not worker.under_way:
                self.ghosts.remove(worker)
            return
        if fate == "crash after":
            self._crash(worker, fate)
            return
        if fate == "answer lost":
            self.faults[fate] += 1
            self._reconnect(worker)
            return
        pushes, worker.pushes[:] = list(worker.pushes), []
        pushes_first = self.chance.random() < 0.5
        if pushes_first:
            self._hear_pushes(worker, pushes)
        for one, answer in zip(said, answers, strict=True):
            if one in worker.under_way:
                worker.under_way.remove(one)
                worker.hear(one, answer)
        if not pushes_first:
            self._hear_pushes(worker, pushes)

    def _ask(self, worker: SimulatedWorker, requests: list[Any]) -> list[Any]:
        stale = [self._is_stale(worker, request) for request in requests]
        answers = self.bench.engine.handle(worker.session, requests)
        for request, answer, late in zip(requests, answers, stale, strict=True):
            self.trace(f"{worker.id} says {request}: {answer}")
            assert not isinstance(answer, Failure) or answer.code == "lease_lost", f"{request}: {answer}"
            self.judge.answered(request, answer, late)
        for other in self.workers:
            # Pushes to others are on their connections at once; nothing says when they look.
            if other is not worker and not other.away and self.chance.random() < 0.7:
                pushes, other.pushes[:] = list(other.pushes), []
                self._hear_pushes(other, pushes)
        return answers

    def _is_stale(self, worker: SimulatedWorker, request: Any) -> bool:
        run_id = getattr(request, "run_id", None)
        if run_id is None:
            return False
        row = self.bench.row(run_id)
        holder = row["worker_id"] if row["state"] == "EXECUTING" else row["sticky_worker"]
        if isinstance(request, Finish) and row["epoch"] == request.epoch and row["worker_id"] is None:
            return False  # its own end said again
        return bool((row["epoch"], holder) != (request.epoch, worker.id))

    def _hear_pushes(self, worker: SimulatedWorker, pushes: list[Push]) -> None:
        for push in pushes:
            worker.hear_push(push)

    # Time.

    def _let_time_pass(self) -> None:
        self._pass(self.chance.choice([0.01, 0.2, 1, 4, 5, 5]))

    def _pass(self, seconds: float) -> None:
        self.bench.clock.forward(seconds)
        for worker in self.workers:
            if not worker.away:
                [answer] = self.bench.engine.handle(worker.session, [Beat()])
                worker.given_up = worker.given_up or isinstance(answer, Failure)
        self.bench.engine.sweep()
        for lost in self.bench.engine.check_leases():
            self.trace(f"the lease of {lost} has passed")
            self.unreported = [worker_id for worker_id in self.unreported if worker_id != lost]
        if self.chance.random() < 0.05:
            self.bench.engine.tidy()

    # What is outside workers (see `frame.Outside`).

    def effect(self, frame: Frame, key: str) -> str:
        return self.judge.effect(frame, key)

    def told(self, frame: Frame, key: str, value: Any) -> None:
        self.judge.hear(frame, key, value)

    def make_token(self, token: str, timeout_ms: int | None) -> None:
        due_at = None if timeout_ms is None else self.bench.clock.now() + timeout_ms
        self.bench.engine.create_waitpoint(id=token, due_at=due_at)
        self.clients.hear_of(token)

    # What breaks.

    def _break(self) -> None:
        kind = self.chance.choice(["crash", "partition", "partition", "clock", "restart", "drain", "evict", "evict"])
        self.faults[kind] += 1
        worker = self.chance.choice(self.workers)
        self.trace(f"{kind} {worker.id}")
        match kind:
            case "crash":
                self._crash(worker, kind)
            case "partition":
                # Long enough, now and then, for the lease to pass; what it executes it executes on.
                worker.away = self.chance.choice([20, 60, 400])
                if self.chance.random() < 0.5:
                    self._outwait(worker)
            case "clock":
                self.bench.clock.forward(self.chance.choice([-3600, 3600, -30, 30]))
                assert not self.bench.engine.check_leases(), "a clock that jumps loses a lease"
            case "restart":
                self.bench.restart()
                for each in self.workers:
                    self._reconnect(each)
                for ghost in self.ghosts:
                    ghost.under_way.clear()
                self.ghosts.clear()
            case "drain":
                worker.drain()
                self._deliver_all(worker)
                self._kill(worker, "stopped", stopped=True)
            case "evict":
                for frame in worker.parked():
                    worker.evict(frame)

    def _outwait(self, worker: SimulatedWorker) -> None:
        """The lease of a worker that is cut off passes; it does not know, and comes back with what it has to say."""
        for _ in range(24):
            self._pass(5.0)
        worker.away = self.chance.choice([1, 10, 40])

    def _is_back(self, worker: SimulatedWorker) -> None:
        """On a new connection, or on the old one, which has only been slow."""
        if self.chance.random() < 0.4:
            self._reconnect(worker)
        else:
            pushes, worker.pushes[:] = list(worker.pushes), []
            self._hear_pushes(worker, pushes)

    def _deliver_all(self, worker: SimulatedWorker) -> None:
        while worker.under_way:
            said = worker.under_way.pop(0)
            [answer] = self._ask(worker, [said.request])
            worker.hear(said, answer)

    def _crash(self, worker: SimulatedWorker, cause: str) -> None:
        self.faults[cause] += 1
        self._kill(worker, cause, told=self.chance.random() < 0.7)

    def _kill(self, worker: SimulatedWorker, cause: str, *, told: bool = True, stopped: bool = False) -> None:
        self.trace(f"{worker.id} dies: {cause}")
        self.workers.remove(worker)
        worker.away = 0
        for frame in worker.frames.values():
            frame.over = True
        if worker.under_way and self.chance.random() < 0.5:
            self.ghosts.append(worker)
        if told:
            self.bench.engine.lose_worker(worker.id, cause, stopped=stopped)
        else:
            self.unreported.append(worker.id)
        self._start_worker()

    def _start_worker(self) -> None:
        worker = SimulatedWorker(self._id("worker"), self.manifest, self.tasks, self.chance, self)
        self.workers.append(worker)
        self._hello(worker)

    def _reconnect(self, worker: SimulatedWorker) -> None:
        worker.reconnected()
        self._hello(worker, again=True, holds=worker.holds())

    def _hello(self, worker: SimulatedWorker, **more: Any) -> None:
        hello = Hello(worker.id, self.manifest, pid=1, pid_started=1.0, host="host", **more)
        worker.session, answer = self.bench.engine.connect(hello, worker.pushes.append)
        if isinstance(answer, Failure):
            worker.given_up = True
        else:
            self._hear_pushes(worker, answer.pushes)

    def _id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}_{self.bench.clock.now():012x}{self._ids:020x}"

    # The end.

    def _heal(self) -> None:
        self._quiet = True
        for worker in self.workers:
            if worker.away:
                worker.away = 0
                self._reconnect(worker)

    def _is_over(self) -> bool:
        if self.ghosts or any(worker.duties or worker.under_way for worker in self.workers):
            return False
        return not self.bench.count("SELECT count(*) FROM runs WHERE finished_at IS NULL") and not self.bench.count(
            "SELECT count(*) FROM duties"
        )

    def _what_is_left(self) -> str:
        sql = """SELECT id, task, state, epoch, worker_id, sticky_worker, resume, paused, wake_at
                 FROM runs WHERE finished_at IS NULL"""
        rows = [dict(row) for row in self.bench.store.read_sql(sql, {})]
        waits = [dict(row) for row in self.bench.store.read_sql("SELECT * FROM waits", {})]
        return (
            f"{len(rows)} runs do not end: {rows[:3]}, their waits: {waits[:5]}, "
            f"under way: {[said.request for worker in self.workers + self.ghosts for said in worker.under_way][:5]}"
        )
