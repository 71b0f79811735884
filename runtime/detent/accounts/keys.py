"""Keys: ``dt_dev_ID_SECRET`` for an environment, ``dt_pat_ID_SECRET`` for a person. Only hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
from typing import NamedTuple

from ..store import Tx

__all__ = ["KINDS", "NewKey", "hash_of", "keep_key", "new_key", "short_secret"]

#: What stands in the keys of an environment, by its kind.
KINDS = {"dev": "dev", "staging": "stg", "prod": "prod", "preview": "prev"}

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: 190 bits of chance, so that a plain hash, quick to compare, guards it as well as a slow one.
_SECRET_CHARS = 32
#: Characters of a key that may be shown, to tell keys apart.
_SHOWN = 6


class NewKey(NamedTuple):
    """A key that was just made: `text` is told to its owner once and never kept."""

    id: str
    text: str
    hash: str
    start: str


def new_key(kind: str) -> NewKey:
    """A key whose text begins with ``dt_KIND_``."""
    own = short_secret(10)
    text = f"dt_{kind}_{own}_{short_secret(_SECRET_CHARS)}"
    return NewKey(f"key_{own}", text, hash_of(text), f"dt_{kind}_{own[:_SHOWN]}…")


def keep_key(
    tx: Tx,
    made: NewKey,
    name: str,
    now: int,
    *,
    env: str | None = None,
    person_id: str | None = None,
    scopes: str | None = None,
    expires_at: int | None = None,
) -> None:
    """Write a key that was just made, of an environment or a person; all but its text."""
    values = {"id": made.id, "hash": made.hash, "start": made.start, "name": name, "now": now}
    owner = {"env": env, "person_id": person_id, "scopes": scopes, "expires_at": expires_at}
    tx.run("insert_key", **values, **owner)


def hash_of(text: str) -> str:
    """What is kept of a key, or of another secret of this size."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def short_secret(characters: int) -> str:
    """Letters and digits by chance."""
    return "".join(secrets.choice(_LETTERS) for _ in range(characters))
