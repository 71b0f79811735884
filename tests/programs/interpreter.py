"""The tasks that execute programs: one for each kind of function.

All that a program does is noted in order, by all of its branches in one list: the output of its run. What its steps do
to the world is `EFFECTS`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.programs.program import Op, Program

from detent import Context, Retry, retry, step, task, wait
from detent.sdk.current import current_run
from detent.sdk.tokens import Token

__all__ = ["EFFECTS", "EXECUTIONS", "PROGRAMS", "interrupt_at", "payload_of", "run_async", "run_sync", "task_of"]

#: Of each run what its steps did: where, and under which idempotency key.
EFFECTS: dict[str, list[tuple[str, str]]] = defaultdict(list)
#: What each execution of an attempt noted, by run and attempt.
EXECUTIONS: dict[tuple[str, int], list[list[Any]]] = defaultdict(list)

#: Called with run and place when a step is about to be done; a test may lose the worker there.
_interruption: list[Callable[[str, str], None]] = []
_thrice = Retry(max_attempts=3, randomize=False)
_lock = threading.Lock()


def interrupt_at(act: Callable[[str, str], None] | None) -> None:
    """From now on `act` is called by every step."""
    _interruption[:] = [] if act is None else [act]


def payload_of(program: Program, path: str) -> dict[str, Any]:
    """The payload with which `task_of` the program is triggered; `path` names its run."""
    return {"path": path, "program": program}


class Walk:
    """One execution of a program."""

    def __init__(self, payload: dict[str, Any], ctx: Context) -> None:
        self.program: Program = payload["program"]
        self.path: str = payload["path"]
        self.ctx = ctx
        self.run_id = ctx.run.id
        self.noted: list[Any] = []
        self._frame: Any = current_run.get()
        with _lock:
            EXECUTIONS[ctx.run.id, ctx.attempt.number].append(self.noted)

    def note(self, where: str, what: str, value: Any = None) -> None:
        """Unless the execution is being unwound, since its run goes on elsewhere."""
        if not self._frame.lost:
            self.noted.append([where, what, value])

    def effect(self, where: str, value: Any) -> Any:
        """What a step does."""
        for act in _interruption:
            act(self.run_id, where)
        with _lock:
            EFFECTS[self.run_id].append((where, step.idempotency_key()))
        return value

    def failure(self, op: Op, where: str) -> Any:
        """What a step does that fails."""
        self.effect(where, None)
        if self.ctx.attempt.number <= op["until"]:
            raise ValueError(f"no luck at {where}")
        return "luck"

    def output(self) -> dict[str, Any]:
        return {"path": self.path, "noted": self.noted}


def shown(error: BaseException) -> Any:
    """An error as it is noted."""
    if isinstance(error, BaseExceptionGroup):
        return [type(error).__name__, *map(shown, error.exceptions)]
    return [type(error).__name__, str(error)]


def result_of(result: Any) -> Any:
    """The result of a child as it is noted."""
    if not result.ok:
        return [result.id, result.status, result.error.type if result.error else None]
    return [result.id, result.output and result.output.get("path"), len((result.output or {}).get("noted", []))]


@task(id="program-completes", retry=_thrice)
async def completes(payload: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Completes a token after a while."""
    await wait.for_(seconds=payload["after"] / 1000)
    await wait.complete_token(payload["token"], payload["value"])
    return {"path": payload["path"], "noted": []}


@task(id="program-async", retry=_thrice)
async def run_async(payload: dict[str, Any], ctx: Context) -> dict[str, Any]:
    walk = AsyncWalk(payload, ctx)
    await walk.body(walk.program["body"], walk.path)
    return walk.output()


class AsyncWalk(Walk):
    """Of an async task."""

    async def body(self, body: list[Op], where: str) -> str:
        for op in body:
            await self.op(op, f"{where}/{op['id']}")
        return where

    async def op(self, op: Op, where: str) -> None:
        match op["do"]:
            case "step":
                if op["plain"]:
                    made = await step(op["name"], self.effect, where, op["value"])
                else:
                    made = await step(op["name"], self.async_effect, where, op["value"])
                self.note(where, "step", made)
            case "fail":
                self.note(where, "fail", await step(op["name"], self.async_failure, op, where))
            case "sleep":
                await wait.for_(seconds=op["ms"] / 1000)
                self.note(where, "slept")
            case "until":
                await wait.until(self.ctx.now() + timedelta(milliseconds=op["ms"]))
                self.note(where, "slept")
            case "short":
                await wait.for_(seconds=op["ms"] / 1000)
            case "now":
                self.note(where, "now", {"chance": self.ctx.now().isoformat()})
            case "chance":
                self.note(where, "chance", {"chance": [str(self.ctx.uuid()), self.ctx.random()]})
            case "child":
                child = task_of(op["program"])
                options = {"max_attempts": op["program"]["attempts"]}
                ended = await child.trigger_and_wait(payload_of(op["program"], where), **options)
                self.note(where, "child", result_of(ended))
                ended.unwrap()
            case "batch":
                batch = await self.ctx_batch(op, where)
                self.note(where, "batch", [batch.id, *map(result_of, batch)])
            case "spawn":
                child = task_of(op["program"])
                handle = await child.trigger(payload_of(op["program"], where), max_attempts=op["program"]["attempts"])
                self.note(where, "spawn", handle.id)
            case "spawns":
                started = await run_async.batch_trigger(
                    [payload_of(program, f"{where}[{n}]") for n, program in enumerate(op["programs"])], max_attempts=1
                )
                self.note(where, "spawns", [started.id, *(handle.id for handle in started.runs)])
            case "token":
                token = await wait.create_token()
                values = {"token": token.id, "after": op["after"], "value": op["value"], "path": where}
                await completes.trigger(values)
                timeout = None if op["timeout"] is None else op["timeout"] / 1000
                self.note(where, "token", told_by(await wait.for_token(token, timeout=timeout)))
            case "outside":
                token = await wait.create_token(tags=outside_tags(where, op))
                self.note(where, "outside", told_by(await wait.for_token(token)))
            case "signal":
                token = await wait.create_token()
                waiting = asyncio.create_task(self.awaiting(token, where))
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.completing(token, op, where))
                await waiting
            case "retry":
                made = await retry.on_throw(self.flaky(op, where), randomize=False)
                self.note(where, "retry", made)
            case "loop":
                for turn in range(op["times"]):
                    await self.body(op["body"], f"{where}:{turn}")
            case "try":
                await self.tried(op, where)
            case "raise":
                if self.ctx.attempt.number <= op["until"]:
                    raise RuntimeError(f"raised at {where}")
            case "timeout":
                try:
                    async with asyncio.timeout(op["seconds"]):
                        await self.body(op["body"], where)
                except TimeoutError:
                    self.note(where, "timed out")
            case "given_up":
                token = await wait.create_token()
                try:
                    async with asyncio.timeout(0.01):
                        await wait.for_token(token)
                except TimeoutError:
                    self.note(where, "given up")
            case _:
                await self.parallel(op, where)

    async def parallel(self, op: Op, where: str) -> None:
        bodies = [self.branch(body, f"{where}|{n}") for n, body in enumerate(op["bodies"])]
        match op["do"]:
            case "gather":
                came = await asyncio.gather(*bodies, return_exceptions=op["all"])
                self.note(where, "gather", [shown(one) if isinstance(one, BaseException) else one for one in came])
            case "group":
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(body) for body in bodies]
                self.note(where, "group", [one.result() for one in tasks])
            case "as_completed":
                tasks = [asyncio.create_task(body) for body in bodies]
                try:
                    for coming in asyncio.as_completed(tasks):
                        try:
                            self.note(where, "came", await coming)
                        except Exception as error:
                            self.note(where, "came", shown(error))
                finally:
                    cancel(tasks)
            case "first":
                tasks = [asyncio.create_task(body) for body in bodies]
                try:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    self.note(where, "first", sorted(tasks.index(one) for one in done))
                finally:
                    cancel(tasks)
                others = await asyncio.gather(*tasks, return_exceptions=True)
                self.note(where, "others", [shown(one) if isinstance(one, BaseException) else one for one in others])
            case other:
                raise NotImplementedError(other)

    async def branch(self, body: list[Op], where: str) -> str:
        return await self.body(body, where)

    async def tried(self, op: Op, where: str) -> None:
        try:
            await self.body(op["body"], f"{where}t")
        except Exception as error:
            self.note(where, "caught", shown(error))
            await self.body(op["handler"], f"{where}h")
        finally:
            self.note(where, "finally")
            await self.body(op["final"], f"{where}f")

    async def ctx_batch(self, op: Op, where: str) -> Any:
        kinds = {program["kind"] for program in op["programs"]}
        chosen = run_sync if kinds == {"sync"} else run_async
        payloads = [payload_of(program, f"{where}[{n}]") for n, program in enumerate(op["programs"])]
        return await chosen.batch_trigger_and_wait(payloads, max_attempts=op["programs"][0]["attempts"])

    async def awaiting(self, token: Token, where: str) -> None:
        self.note(where, "told", told_by(await wait.for_token(token)))

    async def completing(self, token: Token, op: Op, where: str) -> None:
        await wait.for_(seconds=op["after"] / 1000)
        await wait.complete_token(token, op["value"])
        self.note(where, "completed")

    async def async_effect(self, where: str, value: Any) -> Any:
        return self.effect(where, value)

    async def async_failure(self, op: Op, where: str) -> Any:
        return self.failure(op, where)

    def flaky(self, op: Op, where: str) -> Callable[..., Any]:
        return flaky(self, op, where)


def cancel(tasks: list[asyncio.Task[str]]) -> None:
    """Cancel those that are not over, in their order."""
    for one in tasks:
        one.cancel()


def flaky(walk: Walk, op: Op, where: str) -> Callable[..., Any]:
    """A block that fails a few times."""

    def block(attempt: Any) -> Any:
        with _lock:
            EFFECTS[walk.run_id].append((f"{where}#{attempt.number}", ""))
        if attempt.number <= op["times"]:
            raise ConnectionError(f"no answer at {where}")
        return op["value"]

    return block


def told_by(result: Any) -> Any:
    """What came of a token, as it is noted."""
    return [result.ok, result.output if result.ok else None]


def outside_tags(where: str, op: Op) -> list[str]:
    """Tags by which the test finds the token, and knows what to complete it with."""
    return [f"root={where.partition('/')[0]}", f"value={json.dumps(op['value'])}"]


@task(id="program-sync", retry=_thrice)
def run_sync(payload: dict[str, Any], ctx: Context) -> dict[str, Any]:
    walk = SyncWalk(payload, ctx)
    walk.body(walk.program["body"], walk.path)
    return walk.output()


class SyncWalk(Walk):
    """Of a plain task."""

    def body(self, body: list[Op], where: str) -> None:
        for op in body:
            self.op(op, f"{where}/{op['id']}")

    def op(self, op: Op, where: str) -> None:
        match op["do"]:
            case "step":
                self.note(where, "step", step.sync(op["name"], self.effect, where, op["value"]))
            case "fail":
                self.note(where, "fail", step.sync(op["name"], self.failure, op, where))
            case "sleep":
                wait.sync.for_(seconds=op["ms"] / 1000)
                self.note(where, "slept")
            case "until":
                wait.sync.until(self.ctx.now() + timedelta(milliseconds=op["ms"]))
                self.note(where, "slept")
            case "short":
                wait.sync.for_(seconds=op["ms"] / 1000)
            case "now":
                self.note(where, "now", {"chance": self.ctx.now().isoformat()})
            case "chance":
                self.note(where, "chance", {"chance": [str(self.ctx.uuid()), self.ctx.random()]})
            case "child":
                child = task_of(op["program"])
                options = {"max_attempts": op["program"]["attempts"]}
                ended = child.sync.trigger_and_wait(payload_of(op["program"], where), **options)
                self.note(where, "child", result_of(ended))
                ended.unwrap()
            case "batch":
                kinds = {program["kind"] for program in op["programs"]}
                chosen = run_sync if kinds == {"sync"} else run_async
                payloads = [payload_of(program, f"{where}[{n}]") for n, program in enumerate(op["programs"])]
                batch = chosen.sync.batch_trigger_and_wait(payloads, max_attempts=op["programs"][0]["attempts"])
                self.note(where, "batch", [batch.id, *map(result_of, batch)])
            case "spawn":
                child = task_of(op["program"])
                options = {"max_attempts": op["program"]["attempts"]}
                handle = child.sync.trigger(payload_of(op["program"], where), **options)
                self.note(where, "spawn", handle.id)
            case "spawns":
                payloads = [payload_of(program, f"{where}[{n}]") for n, program in enumerate(op["programs"])]
                started = run_async.sync.batch_trigger(payloads, max_attempts=1)
                self.note(where, "spawns", [started.id, *(handle.id for handle in started.runs)])
            case "token":
                token = wait.sync.create_token()
                values = {"token": token.id, "after": op["after"], "value": op["value"], "path": where}
                completes.sync.trigger(values)
                timeout = None if op["timeout"] is None else op["timeout"] / 1000
                self.note(where, "token", told_by(wait.sync.for_token(token, timeout=timeout)))
            case "outside":
                token = wait.sync.create_token(tags=outside_tags(where, op))
                self.note(where, "outside", told_by(wait.sync.for_token(token)))
            case "retry":
                self.note(where, "retry", retry.sync.on_throw(flaky(self, op, where), randomize=False))
            case "loop":
                for turn in range(op["times"]):
                    self.body(op["body"], f"{where}:{turn}")
            case "try":
                self.tried(op, where)
            case "raise":
                if self.ctx.attempt.number <= op["until"]:
                    raise RuntimeError(f"raised at {where}")
            case other:
                raise NotImplementedError(other)

    def tried(self, op: Op, where: str) -> None:
        try:
            self.body(op["body"], f"{where}t")
        except Exception as error:
            self.note(where, "caught", shown(error))
            self.body(op["handler"], f"{where}h")
        finally:
            self.note(where, "finally")
            self.body(op["final"], f"{where}f")


def task_of(program: Program) -> Any:
    """The task that executes `program`."""
    return run_async if program["kind"] == "async" else run_sync


#: All that a worker needs.
PROGRAMS = [run_async, run_sync, completes]
