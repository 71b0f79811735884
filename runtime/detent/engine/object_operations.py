"""Who may read which objects of a project, and links to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from ..errors import DetentError, Forbidden, StoreError
from ..model.http_api import OBJECT_LINK
from ..model.protocol import Handle, NewRun
from ..store import Store
from .payloads import Objects

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["LINK_S", "ObjectOperations", "is_named", "own_key", "own_prefix"]

#: How long a link is good where nothing was set, in seconds.
LINK_S = 3600
#: What a worker names an object by: where it belongs, and the digest of what it holds.
_OWN = re.compile(r"(?:[A-Za-z0-9_-]+/)+[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.(?P<digest>[0-9a-f]{32})\.json")


class ObjectOperations:
    """The objects of one environment, for those who ask over HTTP.

    Parameters:
      engine: whose rows name objects. `store`: where objects are; None where there are none.
      link_s: how long links are good, in seconds.
    """

    def __init__(self, engine: Engine, store: Objects | None, link_s: float = LINK_S) -> None:
        self._engine = engine
        self.store = store
        self._link_s = link_s

    def link(self, key: str | None) -> str | None:
        """A link with which anybody can read the object `key` for a while: of the store where it can sign, else of the
        server. None without a key. Whoever gets it must be allowed to read what names the object."""
        if key is None or self.store is None:
            return None
        signed = self.store.presigned_url(key, self._link_s)
        if signed is not None:
            return signed
        callbacks = self._engine.callbacks
        expires = int(self._engine.clock.now() / 1000 + self._link_s)
        place = OBJECT_LINK.format(key=key)
        return f"{callbacks.base}{place}?expires={expires}&signature={callbacks.signature(_signed(key, expires))}"

    def admits(self, key: str, expires: str, signature: str) -> bool:
        """Whether these belong to a link of the server that is still good."""
        if not (expires.isascii() and expires.isdigit() and len(expires) < 13):
            return False
        mine = self._engine.callbacks.is_signature(_signed(key, int(expires)), signature)
        return mine and int(expires) * 1000 > self._engine.clock.now()

    def triggered(self, runs: Sequence[NewRun], trigger: Callable[[Sequence[NewRun]], list[Handle]]) -> list[Handle]:
        """`trigger` of `runs`, whose large payloads are written. Those that were not needed go: of runs that were
        refused, or that are there already by their idempotency key."""
        refs = {run.id: run.payload_ref for run in runs if run.payload_ref is not None}
        if not refs or self.store is None:
            return trigger(runs)
        try:
            handles = trigger(runs)
        except StoreError:
            raise  # nobody knows whether they were made
        except DetentError:
            self._drop(list(refs.values()))
            raise
        made = {handle.id for handle in handles}
        self._drop([ref for run_id, ref in refs.items() if run_id not in made])
        return handles

    def _drop(self, keys: list[str]) -> None:
        """Delete what nothing names; what cannot be deleted stays."""
        if keys and self.store is not None:
            text = msgspec.json.encode(keys).decode()
            named = {row["key"] for row in self._engine.store.read("shared_objects", ids="[]", keys=text)}
            self.store.delete_many([key for key in keys if key not in named])

    def check_readable(self, env: str, key: str) -> None:
        """Errors: `Forbidden` for an object that is not of `env`: neither written by its workers, nor named by a row of
        it."""
        if not key.startswith(own_prefix(env)) and not is_named(self._engine.store, env, key):
            raise Forbidden(f"the object {key!r} is not one of this environment; workers read those of their own runs")

    def check_writable(self, env: str, key: str) -> str:
        """The digest that what is written there must have.

        Errors: `Forbidden` for a key that workers of `env` do not write.
        """
        found = own_key(env, key)
        if found is None:
            raise Forbidden(
                f"the object {key!r} cannot be written here; a worker of this environment writes "
                f"{own_prefix(env)}FOLDER/NAME.DIGEST.json"
            )
        return found


def own_prefix(env: str) -> str:
    """What the keys of objects begin with that workers of `env` write."""
    return f"envs/{env}/"


def own_key(env: str, key: str) -> str | None:
    """The digest in a key that workers of `env` may write; None where they may not."""
    prefix = own_prefix(env)
    found = _OWN.fullmatch(key, len(prefix)) if key.startswith(prefix) else None
    return None if found is None else found["digest"]


def is_named(store: Store, env: str, key: str) -> bool:
    """Whether a row of `env` names the object."""
    return bool(store.read("object_in_env", env=env, key=key)[0]["named"])


def _signed(key: str, expires: int) -> str:
    # Ids of tokens, which are signed with the same secret, hold no spaces.
    return f"object {expires} {key}"
