"""Large objects: a folder by default, S3, R2, Google Cloud Storage or Azure by URL.

from detent import objects

objects.store().put("reports/1.pdf", data)
await objects.store().put_async("reports/1.pdf", data)
"""

from __future__ import annotations

from .check import Checked, check
from .current import store
from .object_store import Entry, ObjectStore, open_store

__all__ = ["Checked", "Entry", "ObjectStore", "check", "open_store", "store"]
