"""The name of a database, by which its tickets and news are kept apart from those of others on one broker."""

from __future__ import annotations

import secrets

from ..store import Store

__all__ = ["namespace_of"]

_SETTING = "namespace"


def namespace_of(store: Store) -> str:
    """``detent:`` and an id that the database was given once. It goes with its data, whatever the database is called.

    Errors: `StoreError`.
    """
    rows = store.read("find_setting", name=_SETTING)
    if not rows:
        fresh = secrets.token_hex(6)
        store.write(lambda tx: tx.run("keep_setting", name=_SETTING, value=fresh))
        rows = store.read("find_setting", name=_SETTING)
    return f"detent:{rows[0]['value']}"
