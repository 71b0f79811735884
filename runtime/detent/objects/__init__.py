"""Large objects: a folder by default, S3, R2, Google Cloud Storage or Azure by URL.

from detent import objects

objects.store().put("reports/1.pdf", data)
await objects.store().put_async("reports/1.pdf", data)
"""

from __future__ import annotations

from .current import store
from .object_store import ObjectStore, open_store

__all__ = ["ObjectStore", "open_store", "store"]
