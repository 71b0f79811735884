"""Waitpoints: what runs wait for besides other runs. Tokens, which somebody completes, and moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from ..errors import Conflict, NotFound
from ..model.limits import IDEMPOTENCY_TTL_MS
from .satisfy import satisfy_waitpoint
from .scene import Scene
from .views import iso

__all__ = ["Created", "complete_waitpoint", "create_waitpoint", "expire_waitpoints", "outcome_of", "unknown_token"]

#: Characters of an output that an error shows.
_SHOWN = 120

_encode = msgspec.json.Encoder().encode


class Created(NamedTuple):
    """A row of `waitpoints`; `cached` when its idempotency key had made it before."""

    row: Any
    cached: bool


def create_waitpoint(
    scene: Scene,
    *,
    id: str,
    kind: Literal["token", "time"] = "token",
    due_at: int | None = None,
    tags: Sequence[str] = (),
    idempotency_key: str | None = None,
    idempotency_ttl_ms: int | None = None,
    run_id: str | None = None,
) -> Created:
    """Make a waitpoint, or find the one that this call, or another with its key, has made.

    Parameters:
      id: made by the caller, so that a call whose answer was lost finds its own waitpoint.
      due_at: when a token times out, or a moment is reached, in milliseconds since 1970; None for never.
      idempotency_key: as it is kept, see `model.options.idempotency_hash`.
      idempotency_ttl_ms: how long the key finds this waitpoint; 30 days when None.
      run_id: the run that makes it, None outside runs.

    Errors: `Conflict` for an id that is another's.
    """
    present = scene.tx.one("find_waitpoint", id=id)
    if present is not None:
        if present["env"] != scene.env or present["kind"] != kind:
            raise Conflict(f"the id {id!r} is taken; leave the id out")
        return Created(present, False)
    expires_at = None
    if idempotency_key is not None:
        known = scene.tx.one("find_waitpoint_by_key", env=scene.env, key=idempotency_key)
        if known is not None:
            if known["idempotency_expires_at"] > scene.now:
                return Created(known, True)
            scene.tx.run("release_waitpoint_key", id=known["id"])
        expires_at = scene.now + (idempotency_ttl_ms or IDEMPOTENCY_TTL_MS)
    row = scene.tx.one(
        "insert_waitpoint",
        id=id,
        env=scene.env,
        kind=kind,
        due_at=due_at,
        tags=_encode(list(tags)).decode(),
        idempotency_key=idempotency_key,
        idempotency_expires_at=expires_at,
        run_id=run_id,
        now=scene.now,
    )
    if due_at is not None:
        scene.bell.due(due_at)
    return Created(row, False)


def complete_waitpoint(
    scene: Scene, id: str, output_text: str | None, output_ref: str | None = None, by: str | None = None
) -> Any:
    """WAITING → COMPLETED, and on go the runs that wait for it; the row. The first completion wins.

    Parameters:
      output_text: JSON text, or None when the output lies in the object store under `output_ref`.
      by: an id of the call. The same call made again is answered as the first time, since its answer may
        have been lost; it changes nothing.

    Errors: `NotFound`; `Conflict` with the outcome when the token was completed or has timed out, also
    when its time has just passed and nobody has noted it yet.
    """
    row = scene.tx.one(
        "complete_waitpoint", id=id, env=scene.env, output=output_text, output_ref=output_ref, by=by, now=scene.now
    )
    if row is not None:
        satisfy_waitpoint(scene, row)
        return row
    found = scene.tx.one("find_waitpoint", id=id)
    if found is None or found["env"] != scene.env or found["kind"] != "token":
        raise unknown_token(id)
    if found["status"] == "COMPLETED" and by is not None and found["completed_by"] == by:
        return found
    raise Conflict(f"token {id} {outcome_of(found)}; the first outcome counts")


def expire_waitpoints(scene: Scene, n: int) -> int:
    """End at most `n` waitpoints that are due: tokens have TIMED_OUT, moments are COMPLETED. How many."""
    rows = scene.tx.all("expire_waitpoints", now=scene.now, n=n)
    for row in rows:
        satisfy_waitpoint(scene, row)
    return len(rows)


def unknown_token(id: str) -> NotFound:
    """The error for an id that no token of the project has."""
    return NotFound(f"no token {id!r} in this project; list them with `detent tokens list`")


def outcome_of(row: Any) -> str:
    """What became of a token, in words: "was completed at … with …"."""
    if row["status"] != "COMPLETED":
        return f"timed out at {iso(row['due_at'])}"
    if row["output_ref"] is not None:
        output = "a large output"
    else:
        output = row["output"] or "null"
        output = output if len(output) <= _SHOWN else f"{output[: _SHOWN - 1]}…"
    return f"was completed already at {iso(row['completed_at'])} with {output}"
