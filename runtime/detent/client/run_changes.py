"""What can be changed about one run, by a client: blocking and awaited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..model.change_views import KeyReset, Rescheduled
from ..model.duration import When
from ..model.transport import Transport
from .run_change_calls import add_tags, reschedule_run, reset_key, update_metadata

__all__ = ["AsyncRunChanges", "RunChanges"]


class RunChanges:
    """Part of the runs of a client: what can be changed about one."""

    _transport: Transport

    def reschedule(self, run_id: str, delay: When) -> Rescheduled:
        """Let a delayed run start at another moment.

        Parameters:
          delay: a length of time from now, or a moment (an aware `datetime` or ISO-8601 text).

        Errors: `NotFound`; `Conflict` with the status of a run that is not delayed.
        """
        return reschedule_run(run_id, delay).ask(self._transport)

    def update_metadata(
        self,
        run_id: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        operations: Sequence[Mapping[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Replace the metadata of a run by `metadata`, or change some of its keys by `operations`; also of a run that
        has ended. All of its metadata.

        Parameters:
          operations: done in order, all or none; each with ``op`` (``set delete append remove increment``), ``key`` and
            ``value``. At most 256 KiB of JSON may come of them.

        Errors: `NotFound`, `InvalidOptions`, `LimitExceeded`.
        """
        return update_metadata(run_id, metadata, operations).ask(self._transport)

    def add_tags(self, run_id: str, tags: str | Sequence[str]) -> list[str]:
        """Tag a run: at most 10 tags of 1 to 128 characters; all of its tags. Errors: `NotFound`, `InvalidOptions`."""
        return add_tags(run_id, tags).ask(self._transport)

    def reset_idempotency_key(self, task_id: str, key: str | Sequence[str]) -> KeyReset:
        """Let an idempotency key go, so that the next trigger of the task with it starts a new run.

        Parameters:
          key: as it was given to a trigger outside of runs, or the hash that `RunDetail` shows.
        """
        return reset_key(task_id, key).ask(self._transport)


class AsyncRunChanges:
    """Part of the runs of a client: what can be changed about one."""

    _transport: Transport

    async def reschedule(self, run_id: str, delay: When) -> Rescheduled:
        """Let a delayed run start at another moment.

        Parameters:
          delay: a length of time from now, or a moment (an aware `datetime` or ISO-8601 text).

        Errors: `NotFound`; `Conflict` with the status of a run that is not delayed.
        """
        return await reschedule_run(run_id, delay).ask_async(self._transport)

    async def update_metadata(
        self,
        run_id: str,
        metadata: Mapping[str, Any] | None = None,
        *,
        operations: Sequence[Mapping[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Replace the metadata of a run by `metadata`, or change some of its keys by `operations`; also of a run that
        has ended. All of its metadata.

        Parameters:
          operations: done in order, all or none; each with ``op`` (``set delete append remove increment``), ``key`` and
            ``value``. At most 256 KiB of JSON may come of them.

        Errors: `NotFound`, `InvalidOptions`, `LimitExceeded`.
        """
        return await update_metadata(run_id, metadata, operations).ask_async(self._transport)

    async def add_tags(self, run_id: str, tags: str | Sequence[str]) -> list[str]:
        """Tag a run: at most 10 tags of 1 to 128 characters; all of its tags. Errors: `NotFound`, `InvalidOptions`."""
        return await add_tags(run_id, tags).ask_async(self._transport)

    async def reset_idempotency_key(self, task_id: str, key: str | Sequence[str]) -> KeyReset:
        """Let an idempotency key go, so that the next trigger of the task with it starts a new run.

        Parameters:
          key: as it was given to a trigger outside of runs, or the hash that `RunDetail` shows.
        """
        return await reset_key(task_id, key).ask_async(self._transport)
