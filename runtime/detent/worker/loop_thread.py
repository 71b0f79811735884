"""The event loop of a worker process, on a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any

from . import as_completed
from .scope import current_scope, scoped_task_factory
from .signals import RunSignal

__all__ = ["LoopThread"]

logger = logging.getLogger("detent.worker")


#: Plain functions that async runs call beside the loop at once.
_HELPERS = 64


class _Loop(asyncio.SelectorEventLoop):
    """Tells each run of the timers that it sets: a time-out around a wait holds also when the frame is gone."""

    def call_at(  # type: ignore[override]  # which callback takes which arguments is of no interest here
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        scope = current_scope.get() if context is None else context.get(current_scope)
        if scope is not None:
            scope.timed(handle)
        return handle


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio has to complain of. That the branches of a run were unwound is no such thing."""
    if not _is_signal(context.get("exception")):
        loop.default_exception_handler(context)


def _is_signal(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):  # of a task group
        return all(map(_is_signal, error.exceptions))
    return isinstance(error, RunSignal)


class LoopThread:
    """Runs one event loop. What other threads post is run together, at the price of one wake-up."""

    def __init__(self) -> None:
        as_completed.install()
        self.loop = _Loop()
        self.loop.set_exception_handler(_tell)
        self.loop.set_default_executor(ThreadPoolExecutor(_HELPERS, thread_name_prefix="detent-helper"))
        self.loop.set_task_factory(scoped_task_factory)  # type: ignore[arg-type]  # its protocol leaves options out
        self._posted: deque[Callable[[], None]] = deque()
        self._scheduled = False
        self._stopping = False
        self.thread = threading.Thread(target=self._run, name="detent-loop", daemon=True)

    def start(self) -> None:
        self.thread.start()

    @property
    def stopping(self) -> bool:
        return self._stopping

    def post(self, action: Callable[[], None]) -> None:
        """Run `action` on the loop soon; from any thread."""
        self._posted.append(action)
        if not self._scheduled:
            self._scheduled = True
            try:
                # In an empty context: what is posted belongs to no run, whichever run posts it. In a new one: two loops
                # of one process cannot be in the same at once.
                self.loop.call_soon_threadsafe(self._drain, context=Context())
            except RuntimeError:
                if not self._stopping:
                    raise

    def stop(self) -> None:
        """Stop the loop and wait for its thread. Tasks that are left are dropped."""
        self._stopping = True
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
        if self.thread.is_alive() and self.thread is not threading.current_thread():
            self.thread.join(timeout=5)

    def _drain(self) -> None:
        # Cleared first: whoever posts from now on schedules again, so nothing is left behind.
        self._scheduled = False
        try:
            while self._posted:
                self._posted.popleft()()
        except Exception:
            logger.exception("an action on the event loop failed")
        finally:
            # One that failed, or was hit by a signal for a run, takes none of the others with it.
            if self._posted and not self._scheduled:
                self._scheduled = True
                self.loop.call_soon(self._drain, context=Context())

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._stopping:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                # asyncio lets these leave the loop when a task that the user made raises them. The other runs go on.
                logger.warning("a background asyncio task of a run raised %s; it was ended", type(error).__name__)
            except BaseException:
                logger.exception("the event loop was disturbed; it goes on")
        self._finish()

    def _finish(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        try:
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        except BaseException:
            logger.debug("tasks did not stop quietly", exc_info=True)
        self.loop.close()
