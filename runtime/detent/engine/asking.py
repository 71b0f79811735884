"""What the code of a run asks of the operations of clients, by the connection of its worker."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from ..errors import DetentError, Forbidden
from ..model.protocol import Answer, Ask, Failure, Told
from .operations import Operations

__all__ = ["Asking"]

logger = logging.getLogger("detent.engine")

#: Questions that are worked on at once; the others wait their turn.
_THREADS = 4

#: Of the operations that depend on who asks, those for which a run stands for its environment.
_OF_RUNS = frozenset({"auth.public_token", "auth.whoami"})

_encode = msgspec.json.Encoder().encode
_values = msgspec.json.Decoder(dict[str, object])


class Asking:
    """Answers on threads of its own, so that a long list delays none of the verbs by which runs go on.

    Parameters:
      operations: what can be asked, in the environment of the worker that asks.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._by_env = {operations.env: operations}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="detent-ask")

    def ask(self, env: str, request: Ask, on_answer: Callable[[Answer], None]) -> None:
        """Answer a worker of `env` by `on_answer`, on another thread."""
        try:
            self._pool.submit(lambda: on_answer(self._answer(env, request)))
        except RuntimeError:
            on_answer(Failure("engine_error", "the engine is being stopped"))

    def close(self) -> None:
        """Answer what is under way, and no more."""
        self._pool.shutdown(cancel_futures=True)

    def _answer(self, env: str, request: Ask) -> Answer:
        try:
            if request.operation in self._operations.account_operations - _OF_RUNS:
                raise Forbidden(f"{request.operation} is not for runs; use a client with a key of its own")
            operations = self._by_env.get(env)
            if operations is None:
                operations = self._by_env[env] = self._operations.in_env(env)
            answer = operations.call(request.operation, **_values.decode(request.values))
            return Told(msgspec.Raw(_encode(answer)))
        except DetentError as error:
            return Failure(error.code, error.message)
        except Exception as error:
            logger.exception("the engine failed at %s", request.operation)
            return Failure("engine_error", f"the engine failed: {type(error).__name__}: {error}")
