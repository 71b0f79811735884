"""The store: SQL, one file per verb, and the group commit that makes durability cheap. The only truth."""

from __future__ import annotations

from .group_commit import GroupCommit
from .opening import open_database
from .sqlite import SqliteStore
from .store import Row, Store, Tx

__all__ = ["GroupCommit", "Row", "SqliteStore", "Store", "Tx", "open_database"]
