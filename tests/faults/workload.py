"""Work that reaches every verb of the engine: parents with children, retries, cancellation, time-outs, delays.

The same in two projects: of ``async def`` tasks, and of plain ones. What the client asks for is asked again until it
is answered, as whoever uses detent would do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.databases import Database, damage

from detent import Detent
from detent.client.http import HttpTransport
from detent.embedded import RunningServer, running_server
from detent.errors import Conflict, DetentError, NotFound, ServerUnreachable, StoreError
from detent.model.ids import new_id
from detent.model.views import RunDetail

__all__ = ["ASYNC", "PATIENCE_S", "PLAIN", "Workload"]

T = TypeVar("T")

#: How long anything may take before it counts as stuck, in seconds. Nothing waits for it to pass.
PATIENCE_S = 15.0

_HEAD = """
from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from pathlib import Path

from detent import Context, Retry, ScheduledPayload, logger, metadata, step, streams, task, wait
from tests.faults.effects import done

ROOT = Path(__file__).parent.parent
quick = Retry(max_attempts=3, min_timeout=0.02, max_timeout=0.05)


def effect(run_id, name, idempotency_key):
    done(ROOT / "effects.log", idempotency_key, run_id, name)


def opened(name):
    return (ROOT / "gates" / name).exists()


def canceled(payload, ctx):
    logger.info("not wanted any more")
"""

ASYNC = (
    _HEAD
    + """

async def note(ctx, name):
    await step(name, effect, ctx.run.id, name)


@task(id="leaf")
async def leaf(n: int, ctx: Context) -> int:
    await note(ctx, "leaf")
    return n * 2


@task(id="root")
async def root(n: int, ctx: Context) -> int:
    metadata.set("n", n)
    await note(ctx, "first")
    results = await leaf.batch_trigger_and_wait(list(range(n)))
    logger.info("all are there")
    await note(ctx, "last")
    return sum(run.unwrap() for run in results.runs)


@task(id="branches")
async def branches(n: int, ctx: Context) -> int:
    first, second, _ = await asyncio.gather(
        leaf.trigger_and_wait(n), leaf.trigger_and_wait(n + 1), note(ctx, "beside")
    )
    await note(ctx, "last")
    return first.unwrap() + second.unwrap()


@task(id="both")
async def both(tokens: list[str], ctx: Context) -> list[str]:
    answers = await asyncio.gather(*[wait.for_token(id=token) for token in tokens])
    await note(ctx, "last")
    return [answer.output for answer in answers]


@task(id="flaky", retry=quick)
async def flaky(n: int, ctx: Context) -> int:
    await note(ctx, "first")
    if ctx.attempt.number < 3:
        raise ValueError("not yet")
    await note(ctx, "last")
    return n


@task(id="gated")
async def gated(n: int, ctx: Context) -> int:
    await note(ctx, "first")
    while not opened("door"):
        await asyncio.sleep(0.01)
    await note(ctx, "last")
    return n


@task(id="leaver")
async def leaver(n: int, ctx: Context) -> int:
    try:
        async with asyncio.timeout(0.05):
            await gated.trigger_and_wait(n)
    except TimeoutError:
        pass
    await note(ctx, "last")
    return n


@task(id="busy")
async def busy(n: int, ctx: Context) -> int:
    async def work() -> None:
        while not opened("door"):
            await asyncio.sleep(0.01)

    said, _ = await asyncio.gather(gated.trigger_and_wait(n), work())
    await note(ctx, "last")
    return said.unwrap()


@task(id="approval")
async def approval(token: str, ctx: Context) -> str:
    await note(ctx, "first")
    answer = await wait.for_token(id=token)
    await note(ctx, "last")
    return answer.output


@task(id="itself")
async def itself(n: int, ctx: Context) -> int:
    token = await wait.create_token()
    await wait.complete_token(token, n)
    answer = await wait.for_token(token)
    await note(ctx, "last")
    return answer.output


@task(id="unwanted", on_cancel=canceled)
async def unwanted(token: str, ctx: Context) -> None:
    await wait.for_token(id=token)


@task(id="endless", on_cancel=canceled)
async def endless(n: int) -> None:
    while True:
        await asyncio.sleep(0.01)


@task(id="wanderer")
async def wanderer(token: str, ctx: Context) -> int:
    await note(ctx, "other way" if opened("other way") else "one way")
    await wait.for_token(id=token)
    return 3


@task(id="by-the-clock")
async def by_the_clock(payload: ScheduledPayload, ctx: Context) -> str | None:
    await note(ctx, "by the clock")
    return payload.external_id


@task(id="listener")
async def listener(n: int, ctx: Context) -> int:
    box = streams.input("box", int)
    first = await box.wait()
    await streams.append("heard", first)
    await box.peek()
    second = await box.wait()
    await note(ctx, "last")
    return first + second


@task(id="apart", isolation="process")
async def apart(n: int, ctx: Context) -> int:
    await note(ctx, "apart")
    return n
"""
)

PLAIN = (
    _HEAD
    + """

def note(ctx, name):
    step.sync(name, effect, ctx.run.id, name)


@task(id="leaf")
def leaf(n: int, ctx: Context) -> int:
    note(ctx, "leaf")
    return n * 2


@task(id="root")
def root(n: int, ctx: Context) -> int:
    metadata.set("n", n)
    note(ctx, "first")
    results = leaf.sync.batch_trigger_and_wait(list(range(n)))
    logger.info("all are there")
    note(ctx, "last")
    return sum(run.unwrap() for run in results.runs)


@task(id="branches")
def branches(n: int, ctx: Context) -> int:
    first = leaf.sync.trigger_and_wait(n)
    second = leaf.sync.trigger_and_wait(n + 1)
    note(ctx, "last")
    return first.unwrap() + second.unwrap()


@task(id="flaky", retry=quick)
def flaky(n: int, ctx: Context) -> int:
    note(ctx, "first")
    if ctx.attempt.number < 3:
        raise ValueError("not yet")
    note(ctx, "last")
    return n


@task(id="gated")
def gated(n: int, ctx: Context) -> int:
    note(ctx, "first")
    while not opened("door"):
        time.sleep(0.01)
    note(ctx, "last")
    return n


@task(id="leaver")
def leaver(n: int, ctx: Context) -> int:
    async def inside() -> None:
        async with asyncio.timeout(0.05):
            await gated.trigger_and_wait(n)

    try:
        asyncio.run(inside())
    except TimeoutError:
        pass
    note(ctx, "last")
    return n


@task(id="busy")
def busy(n: int, ctx: Context) -> int:
    answers = []
    context = contextvars.copy_context()
    helper = threading.Thread(target=lambda: answers.append(context.run(gated.sync.trigger_and_wait, n)))
    helper.start()
    while not opened("door"):
        time.sleep(0.01)
    helper.join()
    note(ctx, "last")
    return answers[0].unwrap()


@task(id="approval")
def approval(token: str, ctx: Context) -> str:
    note(ctx, "first")
    answer = wait.sync.for_token(id=token)
    note(ctx, "last")
    return answer.output


@task(id="itself")
def itself(n: int, ctx: Context) -> int:
    token = wait.sync.create_token()
    wait.sync.complete_token(token, n)
    answer = wait.sync.for_token(token)
    note(ctx, "last")
    return answer.output


@task(id="unwanted", on_cancel=canceled)
def unwanted(token: str, ctx: Context) -> None:
    wait.sync.for_token(id=token)


@task(id="endless", on_cancel=canceled)
def endless(n: int) -> None:
    while True:
        time.sleep(0.01)


@task(id="wanderer")
def wanderer(token: str, ctx: Context) -> int:
    note(ctx, "other way" if opened("other way") else "one way")
    wait.sync.for_token(id=token)
    return 3


@task(id="by-the-clock")
def by_the_clock(payload: ScheduledPayload, ctx: Context) -> str | None:
    note(ctx, "by the clock")
    return payload.external_id


@task(id="listener")
def listener(n: int, ctx: Context) -> int:
    box = streams.sync.input("box", int)
    first = box.wait()
    streams.sync.append("heard", first)
    box.peek()
    second = box.wait()
    note(ctx, "last")
    return first + second


@task(id="apart", isolation="process")
def apart(n: int, ctx: Context) -> int:
    note(ctx, "apart")
    return n
"""
)

#: What each task gives for 3, and how many runs it is, with its children.
OUTPUTS: dict[str, tuple[Any, int]] = {
    "root": (6, 4),
    "branches": (14, 3),
    "flaky": (3, 1),
    "leaver": (3, 2),
    "busy": (3, 2),
    "leaf": (6, 1),
    "itself": (3, 1),
    "approval": ("yes", 1),
    "apart": (3, 1),
    "both": (["yes", "yes"], 1),
    "listener": (3, 1),
    "by-the-clock": ("new year", 1),
    "wanderer": (3, 1),
    "root again": (6, 4),
    "root from its last step": (6, 1),
}
#: Those that are cancelled.
UNWANTED = ("endless", "unwanted")


class Workload:
    """Drives one workload against the server of the project in `root`, whichever process that is at the moment."""

    def __init__(self, root: Path, database: Database) -> None:
        self._root = root
        self._database = database
        self._here = threading.local()
        self._ways: list[HttpTransport] = []
        self.runs: dict[str, str] = {}
        self.under_way = threading.Event()
        self.finished = threading.Event()
        #: What else is asked for, before anything else and when all of that is under way.
        self.first: list[Callable[[], None]] = []
        self.also: list[Callable[[], None]] = []
        self.failure: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._drive, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def await_work(self) -> None:
        """Wait until everything is triggered and only the gate keeps work back."""
        assert self.under_way.wait(PATIENCE_S), "work does not get under way"

    def end(self) -> None:
        """Wait for all that was asked for. Errors: what went wrong."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the client is stuck"
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """Give up."""
        self._stopped = True
        self._thread.join(PATIENCE_S)
        for way in self._ways:
            way.close()

    def open_gate(self, name: str = "door") -> None:
        (self._root / "gates" / name).touch()

    @property
    def completed(self) -> int:
        """How many runs complete in the end."""
        return sum(OUTPUTS[name][1] for name in self.runs if name in OUTPUTS)

    @property
    def canceled(self) -> int:
        """How many runs are cancelled in the end."""
        return sum(name in UNWANTED for name in self.runs)

    def insist(self, act: Callable[[Detent], T]) -> T:
        """Ask until there is an answer."""
        return self._insist(lambda transport: act(Detent(transport)))

    def _insist(self, act: Callable[[HttpTransport], T]) -> T:
        ends = time.monotonic() + PATIENCE_S
        while True:
            server = running_server(self._root / ".detent")
            try:
                if server is not None:
                    return act(self._way_to(server))
            except (ServerUnreachable, StoreError):
                pass
            if self._stopped or time.monotonic() > ends:
                raise DetentError("the server was away for too long")
            time.sleep(0.005)

    def _way_to(self, server: RunningServer) -> HttpTransport:
        """The calling thread's connection."""
        known: tuple[RunningServer, HttpTransport] | None = getattr(self._here, "way", None)
        if known is not None and known[0] == server:
            return known[1]
        way = HttpTransport(server.url, server.key, max_retries=0)
        self._here.way = server, way
        self._ways.append(way)
        return way

    def _drive(self) -> None:
        try:
            self._ask()
        except BaseException as error:
            self.failure = error
        finally:
            self.finished.set()

    def _ask(self) -> None:
        for first in self.first:
            first()
        for task in ("root", "branches", "flaky", "leaver", "busy", "itself"):
            self._trigger(task)
        self._trigger("leaf", delay=0.02)
        token, never = self._token("approve"), self._token("never")
        self._trigger("approval", token)
        self._trigger("unwanted", never)
        self._trigger("endless")
        self.await_status("endless", "EXECUTING")
        self.await_status("unwanted", "WAITING")
        self.await_status("approval", "WAITING")
        self.under_way.set()
        for task in UNWANTED:
            self.cancel(task)
        self._complete(token)
        for also in self.also:
            also()

    def wander(self) -> None:
        """Begin a run that goes another way when it is executed again, which it is after its wait."""
        token = self._token("wander")
        self._trigger("wanderer", token)
        self.await_status("wanderer", "WAITING")
        self.open_gate("other way")
        self._complete(token)

    def resume(self) -> None:
        """The run that went another way finds its way again."""
        while (run := self.run("wanderer")).status != "COMPLETED" and run.paused is None:
            time.sleep(0.005)
        (self._root / "gates" / "other way").unlink(missing_ok=True)

        def ask(client: Detent) -> None:
            try:
                client.runs.resume(self.runs["wanderer"])
            except Conflict:
                # The answer to an earlier call was lost.
                assert client.runs.retrieve(self.runs["wanderer"]).paused is None

        self.insist(ask)

    def replay(self) -> None:
        """Run a finished run again from its beginning."""
        self._again("runs.replay", "root again")

    def fork(self) -> None:
        """Run a finished run again from its last step on."""
        self._again("runs.fork", "root from its last step", at="last#1")

    def part(self) -> None:
        """Begin a run of two branches, both of which wait: only then it parks."""
        tokens = [self._token("one"), self._token("other")]
        self._trigger("both", tokens)
        self.await_status("both", "WAITING")
        for token in tokens:
            self._complete(token)

    def apart(self) -> None:
        """Begin a run in a process of its own."""
        self._trigger("apart")

    def speak(self) -> None:
        """Send two values to a run that reads them."""
        self._trigger("listener")
        for value in (1, 2):
            sent = {"run": self.runs["listener"], "stream": "box", "value": value, "by": f"call_{value}"}
            self._insist(lambda transport, sent=sent: transport.call("streams.send_input", **sent))  # type: ignore[misc]  # a default

    def by_the_clock(self) -> None:
        """A schedule falls due; others are made, changed, stopped and removed."""
        due = self._schedule("due")
        damage(self._database, f"UPDATE schedules SET next_at = 1577836800000 WHERE id = '{due}'")
        # To write it again wakes the loop.
        self.insist(lambda client: client.schedules.update(due, external_id="new year"))
        while not (made := self.insist(lambda client: client.runs.list(schedule=due).page().items)):
            time.sleep(0.005)
        self.runs["by-the-clock"] = made[0].id
        other = self._schedule("other")
        self.insist(lambda client: client.schedules.deactivate(other))
        self.insist(lambda client: client.schedules.activate(other))

        def delete(client: Detent) -> None:
            try:
                client.schedules.delete(other)
            except NotFound:
                # The answer to an earlier call was lost.
                assert [schedule.id for schedule in client.schedules.list()] == [due]

        self.insist(delete)

    def _schedule(self, key: str) -> str:
        """A schedule that does not fall due by itself while anybody looks."""
        return self.insist(
            lambda client: client.schedules.create(
                task="by-the-clock", cron="0 0 1 1 *", deduplication_key=key, external_id="new year"
            )
        ).id

    def _again(self, operation: str, name: str, **values: Any) -> None:
        self.await_status("root", "COMPLETED")
        new = new_id("run")
        self._insist(lambda transport: transport.call(operation, id=self.runs["root"], new_id=new, **values))
        self.runs[name] = new

    def run(self, task: str) -> RunDetail:
        """The run as it is now."""
        run_id = self.runs[task]
        return self.insist(lambda client: client.runs.retrieve(run_id))

    def await_status(self, task: str, status: str) -> None:
        while self.run(task).status != status:
            time.sleep(0.005)

    def cancel(self, task: str) -> None:
        run_id = self.runs[task]
        self.insist(lambda client: client.runs.cancel(run_id))

    def _token(self, name: str) -> str:
        return self.insist(lambda client: client.tokens.create(idempotency_key=name)).id

    def _complete(self, token: str) -> None:
        def ask(client: Detent) -> None:
            try:
                client.tokens.complete(token, "yes")
            except Conflict:
                # The answer to an earlier call was lost.
                assert client.tokens.retrieve(token).output == "yes"

        self.insist(ask)

    def _trigger(self, task: str, payload: Any = 3, **options: Any) -> None:
        def ask(client: Detent) -> str:
            return client.tasks.trigger(task, payload, idempotency_key=task, **options).id

        self.runs[task] = self.insist(ask)
