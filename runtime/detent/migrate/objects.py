"""Large objects from one store to another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..objects import ObjectStore, open_store

__all__ = ["CopiedObjects", "copy_objects"]


@dataclass(frozen=True, slots=True)
class CopiedObjects:
    """How many objects were copied, how many were there already, and how many bytes that were."""

    copied: int
    present: int
    bytes: int


def copy_objects(
    source_url: str, target_url: str, on_object: Callable[[CopiedObjects], None] = lambda _: None
) -> CopiedObjects:
    """Copy every object that is not there yet. Objects never change once they are written, so a copy that was broken
    off is gone on with by the same call.

    Parameters:
      source_url, target_url: a folder, ``file://``, ``s3://``, ``gs://`` or ``az://``.
      on_object: called after each.

    Errors: `ConfigError`, `StoreError`.
    """
    return asyncio.run(_copied(open_store(source_url), open_store(target_url), on_object))


async def _copied(
    source: ObjectStore, target: ObjectStore, on_object: Callable[[CopiedObjects], None]
) -> CopiedObjects:
    done = CopiedObjects(0, 0, 0)
    async for key in source.list_async():
        if await target.exists_async(key):
            done = replace(done, present=done.present + 1)
        else:
            size = await target.put_stream_async(key, source.get_stream_async(key))
            done = replace(done, copied=done.copied + 1, bytes=done.bytes + size)
        on_object(done)
    return done
