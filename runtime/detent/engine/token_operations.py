"""What clients can ask about tokens. Answers are plain JSON values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..errors import InvalidOptions, LimitExceeded, near_names
from ..model.duration import is_moment, parse_duration, parse_when
from ..model.ids import is_id, new_id
from ..model.json_length import JsonLength
from ..model.limits import INLINE_BYTES, NAME_CHARS, OUTPUT_BYTES
from ..model.options import idempotency_hash, tags_of
from .engine import Engine
from .payloads import Objects, read_json
from .queries import Cursor, PageSize, Texts, several, whole
from .scene import Scene
from .token_lists import TOKEN_STATUSES, page_of_tokens, token_status
from .views import iso
from .waitpoints import Created, create_waitpoint, unknown_token

__all__ = ["TokenOperations"]

#: Most tokens of a page.
PAGE = 100

#: Checked here, where near names can be given.
TokenStatusName = Annotated[str, Meta(extra_json_schema={"enum": list(TOKEN_STATUSES)})]

_decode = msgspec.json.decode
_encode = msgspec.json.Encoder().encode


class TokenOperations:
    """The operations on the tokens of one engine; large outputs go to `objects`, where there are any."""

    def __init__(self, engine: Engine, objects: Objects | None) -> None:
        self._engine = engine
        self._objects = objects

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {
            "tokens.create": self.create,
            "tokens.complete": self.complete,
            "tokens.list": self.list,
            "tokens.retrieve": self.retrieve,
        }

    def create(
        self,
        *,
        timeout: JsonLength = None,
        tags: Texts = (),
        idempotency_key: Texts = None,
        idempotency_key_ttl: JsonLength = None,
        id: str | None = None,
    ) -> dict[str, Any]:
        """Make a token, or find the one of the key.

        Parameters:
          timeout: a length of time from now, or a moment; None: it waits for ever.
          idempotency_key_ttl: how long the key finds this token; 30 days when None.
          id: made by the caller, so that the call can be made again when its answer was lost.

        Errors: `InvalidOptions`.
        """
        if id is not None and not (isinstance(id, str) and is_id("waitpoint", id)):
            raise InvalidOptions(f"id must be one that was made for a token, waitpoint_…, got {id!r}; leave it out")
        ttl_ms = None if idempotency_key_ttl is None else parse_duration(idempotency_key_ttl, "idempotency_key_ttl")
        if ttl_ms == 0:
            raise InvalidOptions("idempotency_key_ttl must be positive; leave the key out instead")
        due_in = None if timeout is None else _length(timeout)
        values: dict[str, Any] = {
            "id": id or new_id("waitpoint", self._engine.clock.now()),
            "tags": tags_of(tags, "token"),
            "idempotency_key": None if idempotency_key is None else idempotency_hash(idempotency_key),
            "idempotency_ttl_ms": ttl_ms,
        }

        def make(scene: Scene) -> Created:
            # A length of time begins at the very moment at which the token is made.
            due_at = due_in if due_in is None or is_moment(timeout) else scene.now + due_in
            return create_waitpoint(scene, due_at=due_at, **values)

        made = self._engine.write(make)
        return self.retrieve(id=made.row["id"]) | {"is_cached": made.cached}

    def complete(self, *, id: str, output: Any = None, by: str | None = None) -> dict[str, Any]:
        """Complete a token with a JSON value.

        Parameters:
          by: an id of this call, made by the caller; the same call made again is answered the same.

        Errors: `NotFound`; `Conflict` with the outcome that the token has; `LimitExceeded`.
        """
        if by is not None and not (isinstance(by, str) and 1 <= len(by) <= NAME_CHARS):
            raise InvalidOptions(f"by must be a text of 1 to {NAME_CHARS} characters, got {by!r}")
        self.complete_with_text(id, _encode(output).decode(), by)
        return self.retrieve(id=id)

    def env_of(self, id: str) -> str | None:
        """The environment of a token; None when there is none of this id."""
        rows = self._engine.store.read("env_of_waitpoint", id=id)
        return rows[0]["env"] if rows else None

    def complete_with_text(self, id: str, text: str, by: str | None = None) -> None:
        """Complete a token with JSON text. Errors: as of `complete`."""
        size = len(text.encode())
        if size > OUTPUT_BYTES:
            raise LimitExceeded(
                f"the output is {size:,} bytes of JSON; the limit is {OUTPUT_BYTES:,} (10 MiB). "
                "Put the data into a file or an object store and send its address"
            )
        output: str | None = text
        ref: str | None = None
        if size > INLINE_BYTES and self._objects is not None:
            # Only a token that still waits may be given an output, so an object for another would be waste.
            output = None
            if self._row(id)["status"] == "WAITING":
                # Each call has an object of its own: the one that loses must not replace the winner's.
                ref = f"waitpoints/{id}/{token_hex(8)}.json"
                self._objects.put(ref, text.encode())
        self._engine.complete_waitpoint(id, output, ref, by)

    def admits(self, id: str, digest: str) -> bool:
        """Whether `digest` is the one of this token's callback address."""
        return self._engine.callbacks.admits(id, digest)

    def retrieve(self, *, id: str) -> dict[str, Any]:
        """All that is known of a token. Errors: `NotFound`."""
        row = self._row(id)
        return self._view(row) | {"output": read_json(self._objects, row["output"], row["output_ref"])}

    def list(
        self,
        *,
        status: Sequence[TokenStatusName] = (),
        tag: Sequence[str] = (),
        idempotency_key: str | None = None,
        limit: PageSize = 25,
        cursor: Cursor | None = None,
    ) -> dict[str, Any]:
        """A page of tokens, newest first, without their outputs."""
        rows, more = page_of_tokens(
            self._engine.store,
            self._engine.env,
            self._engine.clock.now(),
            status=_statuses(several(status)),
            tag=several(tag),
            key=None if idempotency_key is None else idempotency_hash(idempotency_key),
            limit=whole("limit", limit, 1, PAGE),
            before=None if cursor is None else whole("cursor", cursor, 1, 2**62),
        )
        return {"items": [self._view(row) for row in rows], "next_cursor": None if more is None else str(more)}

    def _row(self, token_id: str) -> Any:
        rows = self._engine.store.read("view_token", id=token_id, env=self._engine.env)
        if not rows:
            raise unknown_token(token_id)
        return rows[0]

    def _view(self, row: Any) -> dict[str, Any]:
        status = token_status(row, self._engine.clock.now())
        return {
            "id": row["id"],
            "status": status,
            "url": self._engine.callbacks.url(row["id"]),
            "tags": _decode(row["tags"]),
            "created_at": iso(row["created_at"]),
            "timeout_at": iso(row["due_at"]),
            "completed_at": iso(row["completed_at"]) if status == "COMPLETED" else None,
            "idempotency_key": row["idempotency_key"],
            "run_id": row["run_id"],
            "waiting_runs": _decode(row["waiting_runs"]),
        }


def _length(timeout: Any) -> int:
    """A length of time in milliseconds, or a moment in milliseconds since 1970."""
    ms = parse_when(timeout, 0, "timeout")
    if not ms and not is_moment(timeout):
        raise InvalidOptions(f"timeout must be longer than 0, got {timeout!r}; leave it out to wait for ever")
    return ms


def _statuses(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in TOKEN_STATUSES:
            raise InvalidOptions(near_names("status", name, TOKEN_STATUSES))
    return names
