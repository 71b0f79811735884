"""Answers that are kept for a day, for requests that come again under their Idempotency-Key."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ..errors import Conflict, InvalidOptions
from ..model.limits import IDEMPOTENCY_KEY_CHARS
from ..vault import Vault
from .engine import Engine
from .loops.sweeper import KEPT_MS
from .scene import Scene

__all__ = ["Answers", "Kept", "key_of"]

#: A request that has been under way for so long was cut off, and may be made again, in milliseconds.
_CUT_OFF_MS = 60_000


class Kept(NamedTuple):
    """The answer to a request that was made before."""

    status: int
    body: bytes


class Answers:
    """The kept answers of one environment. They are sealed, since an answer may hold what is not for everybody."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault

    def begin(self, key: str, request: str) -> Kept | None:
        """The answer that was given under `key`; None where there is none, and the request is to be made now.

        Parameters:
          key: of `key_of`. `request`: what was asked, as a digest.

        Errors: `Conflict` for another request under this key, and while the first one is under way.
        """

        def claim(scene: Scene) -> str | None:
            row = scene.tx.one("find_answer", env=scene.env, key=key)
            if row is not None and row["at"] > scene.now - KEPT_MS:
                if row["request"] != request:
                    raise Conflict(
                        "this Idempotency-Key came with another request before; use a new key for a new request"
                    )
                if row["sealed"] is not None:
                    return str(row["sealed"])
                if row["at"] > scene.now - _CUT_OFF_MS:
                    raise Conflict("a request with this Idempotency-Key is under way; ask again in a moment")
            scene.tx.run("begin_answer", env=scene.env, key=key, request=request, now=scene.now)
            return None

        sealed = self._engine.write(claim)
        if sealed is None:
            return None
        status, _, body = self._vault.open(sealed, self._context(key)).partition(" ")
        return Kept(int(status), body.encode())

    def keep(self, key: str, status: int, body: bytes) -> None:
        """Keep the answer to the request under `key`."""
        sealed = self._vault.seal(f"{status} {body.decode()}", self._context(key))
        self._engine.write(lambda scene: scene.tx.run("keep_answer", env=scene.env, key=key, sealed=sealed))

    def drop(self, key: str) -> None:
        """The request under `key` was refused: it may be made again, corrected."""
        self._engine.write(lambda scene: scene.tx.run("drop_answer", env=scene.env, key=key))

    def _context(self, key: str) -> str:
        return f"{self._engine.env}\0answer\0{key}"


def key_of(text: str, holder: str) -> str:
    """How the Idempotency-Key `text` of the holder of an API key is kept. Errors: `InvalidOptions`."""
    if not 1 <= len(text) <= IDEMPOTENCY_KEY_CHARS:
        raise InvalidOptions(f"Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_CHARS} characters, got {len(text)}")
    return hashlib.sha256(f"{holder}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()
