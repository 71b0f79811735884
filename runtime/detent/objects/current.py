"""The object store of the project that the caller is in."""

from __future__ import annotations

import os
from threading import Lock

from .object_store import ObjectStore, open_store

__all__ = ["store"]

_lock = Lock()
_cached: dict[tuple[object, ...], ObjectStore] = {}


def store() -> ObjectStore:
    """The project's object store: ``DETENT_OBJECT_STORE_URL``, or the folder ``.detent/objects``.

    Errors: `ConfigError` when the URL cannot be used.
    """
    variables = ("DETENT_OBJECT_STORE_URL", "DETENT_PROJECT_DIR")
    key = (os.getpid(), os.getcwd(), *map(os.environ.get, variables))  # noqa: PTH109  # the text is enough
    with _lock:
        found = _cached.get(key)
        if found is None:
            from ..config import load_config

            found = _cached[key] = open_store(load_config().object_store_url)
        return found
