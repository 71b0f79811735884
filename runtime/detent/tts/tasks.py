"""A long text read aloud: one run that splits and joins, and a run for each chunk between.

    handle = await generate_audio.trigger({"text": book, "voice": "nova"})

Chunks are spoken five at a time over the whole project, each with its own retries. What was spoken is found
again by a retry, by a replay after a crash and by other runs, and is deleted when no run needs it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from detent import AbortTaskRunError, Context, Result, Retry, logger, metadata, queue, runs, step, task
from detent.errors import DetentError, NotFound
from detent.tts import finished, parts
from detent.tts.assemble import PartMissing, assemble
from detent.tts.chunks import split_text
from detent.tts.jobs import jobs
from detent.tts.mp3_merge import PartsDiffer
from detent.tts.speech import Manner, Speech, SpeechRequest
from detent.tts.voices import SpeechRetry

__all__ = ["Chunk", "SpokenChunk", "generate_audio", "speak_chunk"]

#: The speech API takes 4,096 characters.
CHUNK_CHARS = 4000
_BATCH = 1000
_ROUNDS = 3
_SWEPT_AT_ONCE = 20

chunk_queue = queue("tts-chunks", concurrency_limit=5)


class Chunk(BaseModel):
    """The payload of `tts-chunk`: what to say and how, the name of the voice meant, where the part goes."""

    number: int
    of: int
    text: str
    manner: Manner
    voice_name: str
    key: str


class _Joined(BaseModel):
    """The file; one without size was not made, since parts were lost, of which some may be there again."""

    size_bytes: int = 0
    duration_s: float = 0
    lost: list[str] = []


class SpokenChunk(BaseModel):
    """The output of `tts-chunk`. `reused`: it was there already."""

    key: str
    size_bytes: int
    reused: bool = False


@task(
    id="tts-chunk",
    queue=chunk_queue,
    max_duration=120,
    retry=Retry(max_attempts=3, min_timeout=1, max_timeout=15),
)
async def speak_chunk(chunk: Chunk, ctx: Context) -> SpokenChunk:
    """Speak one chunk of a text into the object store."""
    if ctx.run.parent_id is not None and (reason := await parts.verdict(ctx.run.parent_id)) is not None:
        raise AbortTaskRunError(reason)
    audio = await parts.read(chunk.key)
    reused = audio is not None
    if audio is None:
        speaker = chunk.manner.speaker()
        if speaker.name != chunk.voice_name:
            raise AbortTaskRunError(
                f"this worker speaks with {speaker.name}, the run was started for {chunk.voice_name}; "
                "give all workers the same OPENAI_API_KEY and OPENAI_BASE_URL"
            )
        with logger.trace("speak", voice=speaker.name, characters=len(chunk.text)):
            audio = await speaker.speak(chunk.text)
        await parts.write(chunk.key, audio)
    if ctx.run.parent_id is not None:
        metadata.parent.increment("chunks_done")
    return SpokenChunk(key=chunk.key, size_bytes=len(audio), reused=reused)


@speak_chunk.catch_error
def _wait_as_asked(error: BaseException) -> dict[str, float] | None:
    if isinstance(error, SpeechRetry) and error.retry_after_s is not None:
        return {"retry_delay": error.retry_after_s}
    return None


@speak_chunk.on_failure
async def _spare_the_others(error: BaseException, ctx: Context) -> None:
    if ctx.run.parent_id is not None and await parts.verdict(ctx.run.parent_id) is None:
        await parts.doom(ctx.run.parent_id, str(error))


@task(id="tts-generate-audio", retry=Retry(max_attempts=3, min_timeout=1, max_timeout=15))
async def generate_audio(request: SpeechRequest, ctx: Context) -> Speech:
    """Read a text of any length aloud into one MP3 file in the object store."""
    try:
        if request.job_id is not None:
            await jobs.running(request.job_id, ctx.run.id)
        speech = await _generate(request, ctx.run.id)
        if request.job_id is not None:
            await jobs.succeeded(request.job_id, speech)
        return speech
    except (Exception, GeneratorExit, asyncio.CancelledError):
        raise
    except BaseException:
        # This frame is dropped while it waits. If that is because the run was cancelled, no hook will run.
        if await _has_ended(ctx.run.id):
            await _let_go(request.job_id, ctx.run.id, "the run was cancelled")
        raise


@generate_audio.on_failure
async def _say_why(payload: SpeechRequest | None, error: BaseException, ctx: Context) -> None:
    job_id = _job_of(payload, ctx)
    if job_id is not None:
        await jobs.failed(job_id, str(error))


@generate_audio.on_complete
async def _clean_up(payload: SpeechRequest | None, result: Result[Any], ctx: Context) -> None:
    cause = "" if result.error is None else result.error.message
    await _let_go(None if result.ok else _job_of(payload, ctx), ctx.run.id, cause)


async def _let_go(job_id: str | None, run_id: str, cause: str) -> None:
    if job_id is not None:
        await jobs.failed(job_id, cause)
    await parts.release(run_id)


def _job_of(payload: SpeechRequest | None, ctx: Context) -> str | None:
    """The job of the run. A payload that this worker refuses is not there to ask."""
    if payload is not None:
        return payload.job_id
    marks = [tag for tag in ctx.run.tags if tag.startswith("job:")]
    return marks[0].removeprefix("job:") if marks else None


async def _generate(request: SpeechRequest, run_id: str) -> Speech:
    voice = request.speaker().name
    key = finished.key_of(voice, request.text)
    # A run that was to speak anew and died after its file was whole need not do it twice.
    # What is there changes with other runs, so it is looked at in steps: a replay must go the way it went before.
    found = await step("find", _found, key, run_id if request.again else None)
    if found is not None:
        logger.info("the file is there already", key=key)
        return found
    with logger.trace("split", characters=len(request.text)):
        texts = await asyncio.to_thread(split_text, request.text, CHUNK_CHARS)
    chunks = _chunks(request, texts, voice, scope=run_id if request.again else "")
    # What is said twice is spoken once.
    distinct = list({chunk.key: chunk for chunk in chunks}.values())
    await parts.claim(run_id, (chunk.key for chunk in distinct))
    await _sweep(run_id)
    metadata.set("chunks", len(distinct))
    await _speak(distinct)
    for _ in range(_ROUNDS):
        joined = await step("join", _join, [chunk.key for chunk in chunks], key)
        if joined.size_bytes:
            break
        # Another run with the same text ended just before this one claimed the part.
        logger.warning("parts are gone and are spoken again", parts=len(joined.lost))
        await _speak([chunk for chunk in distinct if chunk.key in joined.lost])
    else:
        raise DetentError(f"parts of the run vanished {_ROUNDS} times; does something else delete under tts/parts?")
    metadata.set("chunks_done", len(distinct))
    return await finished.keep(
        key,
        run_id=run_id,
        size_bytes=joined.size_bytes,
        duration_s=joined.duration_s,
        chunks=len(chunks),
    )


def _chunks(request: SpeechRequest, texts: Sequence[str], voice: str, scope: str) -> list[Chunk]:
    manner = Manner(**{name: getattr(request, name) for name in Manner.model_fields})
    return [
        Chunk(
            number=number,
            of=len(texts),
            text=text,
            manner=manner,
            voice_name=voice,
            key=parts.key_of(voice, text, scope),
        )
        for number, text in enumerate(texts, 1)
    ]


async def _speak(chunks: Sequence[Chunk]) -> None:
    """Run `tts-chunk` for each. Raises `AbortTaskRunError` when one of them cannot be spoken."""
    for start in range(0, len(chunks), _BATCH):
        batch = chunks[start : start + _BATCH]
        spoken = await speak_chunk.batch_trigger_and_wait(batch)
        for chunk, result in zip(batch, spoken.runs, strict=True):
            if not result.ok:
                cause = result.status if result.error is None else result.error.message
                raise AbortTaskRunError(f"chunk {chunk.number} of {chunk.of} failed: {cause}")


async def _found(key: str, made_by: str | None) -> Speech | None:
    return await finished.find(key, made_by=made_by)


async def _join(keys: Sequence[str], key: str) -> _Joined:
    with logger.trace("merge", parts=len(keys)):
        try:
            merged = await assemble(keys, key)
        except PartMissing:
            return _Joined(lost=await asyncio.to_thread(parts.missing, sorted(set(keys))))
        except PartsDiffer as error:
            raise AbortTaskRunError(str(error)) from error
    return _Joined(size_bytes=merged.size_bytes, duration_s=round(merged.duration_s, 3))


async def _sweep(run_id: str) -> None:
    """Clean up behind runs that could not: their worker died, and they were cancelled or given up then."""
    others = [other for other in await parts.claimants() if other != run_id]
    for other in others[:_SWEPT_AT_ONCE]:
        if await _has_ended(other):
            await parts.release(other)


async def _has_ended(run_id: str) -> bool:
    """Whether the run can need nothing more. When nobody can tell: no."""
    try:
        finished_now: bool = (await runs.result(run_id)).is_finished
        return finished_now
    except NotFound:
        return True
    except DetentError as error:
        logger.debug("the state of a run is not known", run=run_id, reason=str(error))
        return False
