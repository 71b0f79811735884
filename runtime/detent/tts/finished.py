"""Finished files: kept under what they say, so that the same text by the same voice is spoken once."""

from __future__ import annotations

import json
from hashlib import sha256

from pydantic import BaseModel, ValidationError

from detent import objects
from detent.errors import NotFound
from detent.tts.speech import Speech

__all__ = ["find", "keep", "key_of"]

#: How long a link to a finished file can be opened, in seconds: seven days, the longest that S3 grants.
LINK_S = 7 * 24 * 3600


class _Note(BaseModel):
    """Written after the file, so that where there is a note there is a whole file."""

    run_id: str
    size_bytes: int
    duration_s: float
    chunks: int


def key_of(voice: str, text: str) -> str:
    """Where the whole speech of `text` by the voice named `voice` lies."""
    return f"tts/audio/{sha256(json.dumps([voice, text]).encode()).hexdigest()}.mp3"


async def find(key: str, *, made_by: str | None = None) -> Speech | None:
    """The finished speech under `key`, or None. With `made_by`: only if that run made it."""
    store = objects.store()
    try:
        note = _Note.model_validate_json(await store.get_async(_note_of(key)))
    except (NotFound, ValidationError):
        return None
    if (made_by is not None and note.run_id != made_by) or not await store.exists_async(key):
        return None
    return _speech(key, note, reused=True)


async def keep(key: str, *, run_id: str, size_bytes: int, duration_s: float, chunks: int) -> Speech:
    """Note that the file under `key` is whole."""
    note = _Note(run_id=run_id, size_bytes=size_bytes, duration_s=duration_s, chunks=chunks)
    await objects.store().put_async(_note_of(key), note.model_dump_json().encode())
    return _speech(key, note, reused=False)


def _note_of(key: str) -> str:
    return key.removesuffix(".mp3") + ".json"


def _speech(key: str, note: _Note, *, reused: bool) -> Speech:
    return Speech(
        audio_url=objects.store().url(key, expires=LINK_S),
        key=key,
        size_bytes=note.size_bytes,
        duration_s=note.duration_s,
        chunks=note.chunks,
        reused=reused,
    )
