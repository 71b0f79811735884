"""Tokens that are made and completed from inside runs: the engine protocol's way to waitpoints."""

from __future__ import annotations

import msgspec

from ..errors import InvalidOptions
from ..model.protocol import CompleteToken, Done, MakeToken, TokenMade
from .callbacks import Callbacks
from .scene import Scene
from .waitpoints import complete_waitpoint, create_waitpoint

__all__ = ["complete_token", "make_token"]

_decode_tags = msgspec.json.Decoder(list[str]).decode


def make_token(scene: Scene, request: MakeToken, callbacks: Callbacks) -> TokenMade:
    """Make a token. Errors: `InvalidOptions` for one that would be over at once."""
    if request.for_ms == 0:
        raise InvalidOptions("timeout must be longer than 0; leave it out to wait for ever")
    made = create_waitpoint(
        scene,
        id=request.id,
        due_at=request.until if request.for_ms is None else scene.now + request.for_ms,
        tags=request.tags,
        idempotency_key=request.idempotency_key,
        idempotency_ttl_ms=request.idempotency_ttl_ms,
        run_id=request.run_id,
    )
    row = made.row
    url = callbacks.url(row["id"], scene.tx)
    return TokenMade(row["id"], url, made.cached, row["due_at"], _decode_tags(row["tags"]))


def complete_token(scene: Scene, request: CompleteToken) -> Done:
    """Complete a token. Errors: `NotFound`; `Conflict` with the outcome that it has."""
    complete_waitpoint(scene, request.id, request.output, request.output_ref, request.by)
    return Done()
