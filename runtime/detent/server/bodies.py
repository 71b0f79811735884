"""Bodies of requests: read up to a limit, and turned into runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import time_ns
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from ..errors import InvalidOptions, InvalidPayload, LimitExceeded
from ..model.debounce import check_debounce
from ..model.digest import payload_digest
from ..model.duration import LATEST, LONGEST
from ..model.http_api import BODY_BYTES, BatchBody, TriggerBody
from ..model.ids import is_id, new_id
from ..model.limits import (
    ATTEMPTS,
    BATCH_ITEMS,
    IDEMPOTENCY_KEY_CHARS,
    METADATA_BYTES,
    MIN_DURATION_MS,
    NAME_CHARS,
)
from ..model.machine import machine_name
from ..model.options import idempotency_hash, new_run, tags_of
from ..model.protocol import NewRun
from ..model.version import check_version
from .json_checks import check_json

__all__ = [
    "JSON_LINES",
    "batch_lines",
    "batch_of",
    "batch_of_lines",
    "coming",
    "object_of",
    "read_body",
    "run_of",
    "trigger_body",
]

T = TypeVar("T")

#: How long a body may make no progress, in seconds.
IDLE_S = 30.0
#: Bytes of a body that is too long which are taken all the same, and how long that may take, in seconds.
_PASSED_OVER, _PATIENCE_S = 64 * 1024 * 1024, 10.0

#: Media type of JSON lines.
JSON_LINES = "application/x-ndjson"

_trigger = msgspec.json.Decoder(TriggerBody)
_batch = msgspec.json.Decoder(BatchBody)
_object = msgspec.json.Decoder(dict[str, Any])


async def read_body(request: Request, most: int) -> bytes:
    """The body.

    Errors: `LimitExceeded` as soon as it is known to be longer than `most` bytes; `HTTPException` when it stops coming.
    """
    told = request.headers.get("content-length", "")
    size = int(told) if told.isdigit() else 0
    body = bytearray()
    if size <= most:
        size = 0
        async for chunk in coming(request):
            size += len(chunk)
            if size > most:
                break
            body += chunk
        else:
            return bytes(body)
    await _pass_over(request)
    raise _too_long(size, most)


async def coming(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Errors: `HTTPException` when it stops coming."""
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _stalled() from None
        yield chunk


def _stalled() -> HTTPException:
    return HTTPException(408, f"no more of the body came within {IDLE_S:g} seconds; send the request again, all of it")


async def _pass_over(request: Request) -> None:
    """Take the rest of a body that is refused: whoever is still sending it would not read why."""
    left = _PASSED_OVER
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while left > 0:
                message = await request.receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                left -= len(message["body"])
    except TimeoutError:
        return


def trigger_body(body: bytes) -> TriggerBody:
    """The body of a trigger. Errors: `InvalidOptions` with the place."""
    return _decoded(_trigger, body or b"{}")


def run_of(body: TriggerBody, task: str | None, place: str = "", key: str | None = None) -> NewRun:
    """The run that a trigger, or an item of a batch, asks for.

    Parameters:
      task: the task that the address names; None in a batch, whose items name theirs.
      place: begins the messages of errors.
      key: the idempotency key of the request, for a run that has none of its own.

    Errors: `InvalidOptions`, `InvalidPayload`, `LimitExceeded`.
    """
    try:
        payload = bytes(body.payload).decode()
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"{place}the payload is not UTF-8 text: {error}") from None
    name = task or body.task or (body.run.task if body.run is not None else None)
    if name is None:
        raise InvalidOptions(f'{place}no task is named; add "task"')
    try:
        if body.run is None:
            options = body.options or {}
            if key is not None and options.get("idempotency_key") is None:
                options = options | {"idempotency_key": key}
            return new_run(name, payload, options, now=time_ns() // 1_000_000)
        run = body.run
        if key is not None and run.idempotency_key is None:
            run.idempotency_key = idempotency_hash(key)
        run.payload, run.payload_ref, run.batch_id = payload, None, None
        run.payload_digest = None if run.idempotency_key is None else payload_digest(payload)
        _check(run, name)
        return run
    except (InvalidOptions, LimitExceeded) as error:
        raise type(error)(f"{place}{error}") from None


def batch_of(body: bytes) -> tuple[str, list[NewRun]]:
    """The id of a batch, and its runs."""
    batch = _decoded(_batch, body)
    if not 1 <= len(batch.items) <= BATCH_ITEMS:
        raise LimitExceeded(f"a batch has 1 to {BATCH_ITEMS:,} items, got {len(batch.items):,}; send several batches")
    runs = [run_of(item, None, f"item {place} of the batch: ") for place, item in enumerate(batch.items)]
    return _one_batch(batch.id, runs)


def _one_batch(given: str | None, runs: list[NewRun]) -> tuple[str, list[NewRun]]:
    if given is not None and not is_id("batch", given):
        raise InvalidOptions(f"the batch's id {given!r} is not one; leave it out")
    batch_id = given or new_id("batch")
    for run in runs:
        run.batch_id = batch_id
    return batch_id, runs


async def batch_lines(request: Request, most: int) -> tuple[bytes, list[tuple[int, TriggerBody]]]:
    """The body of a batch that comes as JSON lines, and its items with the numbers of their lines: read as they come,
    empty lines left out.

    Errors: `InvalidOptions`, `InvalidPayload`, `LimitExceeded` with the number of the line, as soon as it is there;
    `HTTPException` when no more comes.
    """
    items: list[tuple[int, TriggerBody]] = []
    body, rest = bytearray(), bytearray()
    number = 0
    more = True

    def take(line: bytes) -> None:
        nonlocal number
        number += 1
        if not line.strip():
            return
        if len(items) == BATCH_ITEMS:
            raise LimitExceeded(f"a batch has at most {BATCH_ITEMS:,} items; send several batches")
        if len(line) > BODY_BYTES:
            raise _too_long(len(line), BODY_BYTES)
        items.append((number, trigger_body(line)))

    try:
        while more:
            async with asyncio.timeout(IDLE_S):
                message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
            body += chunk
            if len(body) > most:
                raise _too_long(len(body), most)
            *lines, last = chunk.split(b"\n")
            for line in lines:
                take(bytes(rest + line))
                rest.clear()
            rest += last
        take(bytes(rest))
    except TimeoutError:
        raise _stalled() from None
    except (InvalidOptions, InvalidPayload, LimitExceeded) as error:
        if more:
            await _pass_over(request)
        raise type(error)(f"line {number}: {error}; nothing was triggered") from None
    return bytes(body), items


def batch_of_lines(items: Sequence[tuple[int, TriggerBody]], batch_id: str | None) -> tuple[str, list[NewRun]]:
    """The id of a batch that came as JSON lines, and its runs."""
    if not items:
        raise LimitExceeded(f"a batch has 1 to {BATCH_ITEMS:,} items, got none; send one JSON object a line")
    runs = [run_of(item, None, f"line {number}: ") for number, item in items]
    return _one_batch(batch_id, runs)


def object_of(body: bytes) -> dict[str, Any]:
    """A body that is a JSON object, or empty."""
    return _decoded(_object, body) if body.strip() else {}


def _check(run: NewRun, task: str) -> None:
    """A finished run from a client is checked like the options that it was made of."""
    if run.task != task:
        raise InvalidOptions(f"the run is of task {run.task!r}, the address names {task!r}")
    if not is_id("run", run.id):
        raise InvalidOptions(f"the run's id {run.id!r} is not one; leave the run out and send options")
    for name in ("task", "queue", "concurrency_key"):
        value = getattr(run, name)
        if value is not None and len(value) > NAME_CHARS:
            raise InvalidOptions(f"{name} must have at most {NAME_CHARS} characters, got {len(value)}")
    run.tags = tags_of(run.tags)
    _within("priority", run.priority, -31_536_000, 31_536_000)
    if run.machine is not None:
        machine_name(run.machine)
    if run.version is not None:
        check_version(run.version)
    _within("max_attempts", run.max_attempts, 1, ATTEMPTS)
    _within("max_duration_ms", run.max_duration_ms, MIN_DURATION_MS, 2**53)
    _within("queue_limit", run.queue_limit, 0, 100_000)
    _within("queue_limit_per_key", run.queue_limit_per_key, 0, 100_000)
    _within("run_at", run.run_at, 0, LATEST)
    for name in ("delay_ms", "ttl_ms", "idempotency_ttl_ms"):
        _within(name, getattr(run, name), 0, LONGEST)
    if run.idempotency_key is not None and not 1 <= len(run.idempotency_key) <= IDEMPOTENCY_KEY_CHARS:
        raise InvalidOptions(f"idempotency_key must have 1 to {IDEMPOTENCY_KEY_CHARS} characters")
    if run.debounce is not None:
        check_debounce(run.debounce)
        if run.delay_ms is not None or run.run_at is not None:
            raise InvalidOptions("a debounced run has no other delay; leave delay_ms and run_at out")
    if run.metadata is not None:
        if len(run.metadata.encode()) > METADATA_BYTES:
            raise LimitExceeded(f"metadata is over its limit of {METADATA_BYTES:,} bytes of JSON")
        _decoded(_object, run.metadata.encode())


def _within(name: str, value: float | None, least: float, most: float) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidOptions(f"{name} must be from {least} to {most}, got {value}")


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    check_json(body)
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidOptions(f"the body is not as expected: {error}") from None


def _too_long(size: int, most: int) -> LimitExceeded:
    return LimitExceeded(
        f"the body has {size:,} bytes or more; the limit here is {most:,}. "
        "Put the data into a file or an object store and send its address"
    )
