"""The store of large objects: a small one is written, read and removed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

from ..config import Config
from ..errors import DetentError
from ..objects import open_store
from .finding import Finding, failed, good, said, shown

__all__ = ["check_objects"]


def check_objects(config: Config) -> Iterator[Finding]:
    """Whether ``DETENT_OBJECT_STORE_URL`` takes, gives back and removes."""
    place = shown(config.object_store_url)
    if config.object_store_url.startswith("file:") and not config.state_dir.exists():
        yield good("objects.use", f"{place} is not there yet; it is made when it is needed")
        return
    key, content = f"detent-doctor/{secrets.token_hex(8)}", secrets.token_bytes(64)
    begun = time.perf_counter()
    doing = "written"
    try:
        objects = open_store(config.object_store_url)
        objects.put(key, content)
        doing = "read"
        same = objects.get(key) == content
        doing = "removed"
        objects.delete(key)
    except DetentError as error:
        told = f"an object cannot be {doing}: {said(error, config)}"
        yield failed("objects.use", told, "correct DETENT_OBJECT_STORE_URL and the credentials, or grant the right")
        return
    took = round((time.perf_counter() - begun) * 1000, 1)
    if not same:
        told = f"{place} gives back other bytes than it took"
        yield failed("objects.use", told, "see to what stands between; no proxy may change what passes")
        return
    yield good("objects.use", f"{place} takes, gives back and removes an object in {took:g} ms", took_ms=took)
