"""The spoken chunks of runs at work: temporary objects, named for what they say.

A run claims the parts that it needs before any is made, and lets go of its claim when it has ended, well or
not. A part that no run claims is deleted. So a retry, a replay after a crash and another run with the same
text all find what was spoken, and nothing is left behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

from detent import objects
from detent.errors import NotFound

__all__ = ["claim", "claimants", "doom", "key_of", "missing", "read", "release", "verdict", "write"]

_PARTS = "tts/parts"
_CLAIMS = "tts/claims"
_VERDICTS = "tts/verdicts"


def key_of(voice: str, text: str, scope: str = "") -> str:
    """Where the speech of `text` by the voice named `voice` lies; with a `scope`, apart from other runs'."""
    digest = sha256(json.dumps([voice, text, scope]).encode()).hexdigest()
    return f"{_PARTS}/{digest}.mp3"


async def read(key: str) -> bytes | None:
    """The part, or None when it is not there."""
    try:
        return await objects.store().get_async(key)
    except NotFound:
        return None


async def write(key: str, audio: bytes) -> None:
    """Keep a part."""
    await objects.store().put_async(key, audio)


def missing(keys: Iterable[str]) -> list[str]:
    """Those of `keys` that are not there. Blocks."""
    store = objects.store()
    return [key for key in keys if not store.exists(key)]


async def claim(run_id: str, keys: Iterable[str]) -> None:
    """Say that the run needs these parts."""
    await objects.store().put_async(f"{_CLAIMS}/{run_id}.json", json.dumps(sorted(keys)).encode())


async def claimants() -> list[str]:
    """The runs that hold claims, oldest first."""
    held = [key async for key in objects.store().list_async(_CLAIMS)]
    return sorted(key.rpartition("/")[2].removesuffix(".json") for key in held)


async def release(run_id: str) -> None:
    """The run needs nothing more: forget its claim, and delete every part that is claimed by no other run."""
    store = objects.store()
    await store.delete_async(f"{_CLAIMS}/{run_id}.json")
    await store.delete_async(f"{_VERDICTS}/{run_id}.txt")
    # In this order a part that is claimed meanwhile stays. One that is claimed later still is made again by
    # whoever misses it.
    parts = [key async for key in store.list_async(_PARTS)]
    wanted = await _claimed() if parts else set()
    for key in parts:
        if key not in wanted:
            await store.delete_async(key)


async def doom(run_id: str, reason: str) -> None:
    """One chunk of the run cannot be spoken, so the whole cannot: the others need not be tried."""
    await objects.store().put_async(f"{_VERDICTS}/{run_id}.txt", reason.encode("utf-8", "replace"))


async def verdict(run_id: str) -> str | None:
    """Why the run cannot succeed any more, if so."""
    try:
        return (await objects.store().get_async(f"{_VERDICTS}/{run_id}.txt")).decode()
    except NotFound:
        return None


async def _claimed() -> set[str]:
    store = objects.store()
    wanted: set[str] = set()
    for run_id in await claimants():
        try:
            wanted.update(json.loads(await store.get_async(f"{_CLAIMS}/{run_id}.json")))
        except NotFound:
            continue
    return wanted
