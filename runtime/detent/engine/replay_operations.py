"""What clients can ask about running a run again, and what a run has in its journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..errors import InvalidOptions, NotFound
from ..model import json_text
from ..model.ids import is_id, new_id
from ..model.options import new_run
from . import views
from .engine import Engine
from .payloads import Objects, check_payloads, store_large_payloads
from .queries import Seq, whole

__all__ = ["ReplayOperations"]

#: Entries in one answer; characters of a value and runs of an entry that are shown.
_ENTRIES, _CHARS, _RUNS = 10_000, 200, 20

EntriesLimit = Annotated[int, Meta(ge=1, le=_ENTRIES)]


class ReplayOperations:
    """Replay, fork, resume, journal.

    Parameters:
      engine: whose runs. `objects`: where large payloads go.
    """

    def __init__(self, engine: Engine, objects: Objects | None) -> None:
        self._engine = engine
        self._objects = objects
        self.by_name: dict[str, Callable[..., Any]] = {
            "runs.fork": self.fork_run,
            "runs.journal": self.journal_of_run,
            "runs.replay": self.replay_run,
            "runs.resume": self.resume_run,
        }

    def replay_run(
        self,
        *,
        id: str,
        payload: Any = msgspec.UNSET,
        options: Mapping[str, Any] | None = None,
        new_id: str | None = None,
    ) -> dict[str, Any]:
        """Run a run again. `payload`, `options`: what is to be otherwise; `new_id` lets the request be sent again."""
        if options is not None and not isinstance(options, Mapping):
            raise InvalidOptions(f"options must be a mapping of trigger options, got {options!r}")
        task = self._run(id)["task"]
        text = "null" if payload is msgspec.UNSET else json_text.encode(payload, "payload")
        changes = new_run(task, text, options or {}, now=self._engine.clock.now())
        changes.id = _new_id(new_id)
        if payload is msgspec.UNSET:
            changes.payload = changes.payload_digest = None
        else:
            check_payloads(self._engine.store, self._engine.env, [changes])
            [changes] = store_large_payloads(self._objects, [changes])
        given = [name for name, value in (options or {}).items() if value is not None]
        handle = self._engine.replay(id, changes, given)
        return {"id": handle.id, "cached": handle.cached}

    def fork_run(self, *, id: str, at: str | None = None, new_id: str | None = None) -> dict[str, Any]:
        """Run a run again from the journal entry `at` on."""
        handle = self._engine.fork(id, at, new_id=_new_id(new_id))
        return {"id": handle.id, "cached": handle.cached}

    def resume_run(self, *, id: str) -> dict[str, Any]:
        """Let a paused run go on."""
        self._engine.resume(id)
        return {"id": id, "status": views.status_of(self._run(id))}

    def journal_of_run(self, *, id: str, after: Seq | None = None, limit: EntriesLimit = 1_000) -> dict[str, Any]:
        """The journal of a run, in the order in which its entries began, beyond the seq `after`."""
        self._run(id)
        rows = self._engine.store.read(
            "view_journal",
            run_id=id,
            after=-1 if after is None else whole("after", after, 0, 2**62),
            n=whole("limit", limit, 1, _ENTRIES),
            chars=_CHARS,
            shown=_RUNS,
        )
        return {"items": [views.journal_view(row, _CHARS) for row in rows]}

    def _run(self, run_id: str) -> Any:
        rows = self._engine.store.read("find_run", id=run_id)
        if not rows or rows[0]["env"] != self._engine.env:
            raise NotFound(f"no run {run_id!r} in this project; list the latest with `detent runs list`")
        return rows[0]


def _new_id(given: str | None) -> str:
    if given is None:
        return new_id("run")
    if not is_id("run", given):
        raise InvalidOptions(f"new_id {given!r} is no id of a run; leave it out")
    return given
