"""Payloads of triggers: checked against the task's stored schema, and moved to the object store when
large."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from ..errors import DetentError, InvalidPayload
from ..model.digest import payload_digest
from ..model.limits import INLINE_BYTES
from ..model.options import check_payload_size
from ..model.protocol import NewRun
from ..store import Store

__all__ = ["Objects", "check_payloads", "payload_key", "read_json", "store_large_payloads"]

_SHOWN_PROBLEMS = 3


class Entry(Protocol):
    """An object of a list."""

    @property
    def key(self) -> str: ...

    @property
    def modified(self) -> datetime: ...


class Objects(Protocol):
    """What the engine needs of an object store."""

    def put(self, key: str, data: bytes) -> object: ...

    def get(self, key: str) -> bytes: ...

    def exists(self, key: str) -> bool: ...

    def put_stream(self, key: str, chunks: Iterable[bytes]) -> int: ...

    def get_stream(self, key: str) -> Iterator[bytes]: ...

    async def put_stream_async(self, key: str, chunks: AsyncIterable[bytes]) -> int: ...

    def get_stream_async(self, key: str) -> AsyncIterator[bytes]: ...

    def presigned_url(self, key: str, expires_s: float) -> str | None: ...

    def delete_many(self, keys: Sequence[str]) -> Mapping[str, Exception]: ...

    def entries(self, prefix: str) -> Iterator[Entry]: ...


def payload_key(run_id: str, payload: bytes) -> str:
    """Where the large payload of a run lies in the object store.

    Who triggers with an id that is taken must not replace the payload of that run: what it holds is in its name.
    """
    return f"runs/{run_id}/payload.{hashlib.sha256(payload).hexdigest()[:32]}.json"


def check_payloads(store: Store, env: str, runs: Sequence[NewRun]) -> None:
    """Refuse a payload that does not fit the schema of its task, where the caller did not hold the task
    itself.

    Errors: `InvalidPayload` with the field, what came and what was expected; `LimitExceeded`.
    """
    specs: dict[str, str | None] = {}
    for run in runs:
        if run.payload is None:
            continue
        check_payload_size(run.payload)
        if run.known:
            continue
        if run.task not in specs:
            rows = store.read("find_task", env=env, id=run.task)
            specs[run.task] = rows[0]["spec"] if rows else None
        spec = specs[run.task]
        if spec is not None:
            if run.payload == "null":
                run.payload, run.payload_digest = _omitted(spec), None
            _check(run.task, spec, run.payload)


def store_large_payloads(objects: Objects | None, runs: Sequence[NewRun]) -> list[NewRun]:
    """`runs` with every payload over the inline limit in the object store, before any of them is made."""
    return [_stored(objects, run) if _is_large(run.payload) else run for run in runs]


def _is_large(payload: str | None) -> bool:
    # A character takes at most four bytes, so that short texts need not be encoded to be measured.
    if payload is None or len(payload) * 4 <= INLINE_BYTES:
        return False
    return len(payload) > INLINE_BYTES or len(payload.encode()) > INLINE_BYTES


def _stored(objects: Objects | None, run: NewRun) -> NewRun:
    if objects is None or run.payload is None:
        return run
    payload = run.payload.encode()
    key = payload_key(run.id, payload)
    objects.put(key, payload)
    digest = run.payload_digest
    if run.idempotency_key is not None and digest is None:
        digest = payload_digest(run.payload)
    return msgspec.structs.replace(run, payload=None, payload_ref=key, payload_digest=digest)


def read_json(objects: Objects | None, text: str | None, ref: str | None) -> Any:
    """The JSON value of `text`, or of the object `ref`. What cannot be fetched is said in the value's
    place."""
    if text is not None:
        return msgspec.json.decode(text)
    if ref is None or objects is None:
        return None
    try:
        return msgspec.json.decode(objects.get(ref))
    except DetentError as error:
        return {"$unavailable": ref, "reason": str(error)}


def _omitted(spec: str) -> str:
    """What a payload that was left out stands for: the default of the schema, null or ``{}``, whichever fits first."""
    validate = _validator(spec)
    schema = msgspec.json.decode(spec).get("payload_schema") or {}
    if validate is None or ("default" not in schema and not validate(None)):
        return "null"
    if "default" in schema:
        return msgspec.json.encode(schema["default"]).decode()
    return "null" if validate({}) else "{}"


def _check(task: str, spec: str, payload: str) -> None:
    validate = _validator(spec)
    if validate is None:
        return
    try:
        value = msgspec.json.decode(payload)
    except msgspec.DecodeError as error:
        raise InvalidPayload(f"the payload for task {task!r} is not JSON: {error}") from None
    problems = validate(value)
    if problems:
        more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        shown = "; ".join(problems[:_SHOWN_PROBLEMS])
        missing = "no payload was given: " if value is None else ""
        raise InvalidPayload(f"{missing}the payload does not fit task {task!r}: {shown}{more}")


@lru_cache(maxsize=512)
def _validator(spec: str) -> Callable[[Any], list[str]] | None:
    """The problems of a value by the payload schema in `spec`, which is a task's JSON text; None without a
    schema."""
    schema = msgspec.json.decode(spec).get("payload_schema")
    if not schema:
        return None
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema)

    def problems(value: Any) -> list[str]:
        return [
            _sentence(error) for error in sorted(validator.iter_errors(value), key=lambda e: list(map(str, e.path)))
        ]

    return problems


def _sentence(error: Any) -> str:
    from jsonschema.exceptions import best_match

    inner = best_match(error.context) if error.context else None
    if inner is not None and inner.validator == "type" and error.validator in {"anyOf", "oneOf"}:
        kinds = [branch.validator_value for branch in error.context if branch.validator == "type"]
        inner = None
        expected = " or ".join(dict.fromkeys(map(_kinds, kinds)))
    else:
        error = inner or error
        expected = _expected(error)
    place = ".".join(["payload", *map(str, error.absolute_path)])
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{place}.{missing[0] if missing else '?'} is missing"
    return f"{place}: got {_came(error.instance)}, expected {expected}"


def _expected(error: Any) -> str:
    value = error.validator_value
    match error.validator:
        case "type":
            return _kinds(value)
        case "enum":
            return "one of " + ", ".join(map(repr, value))
        case "const":
            return repr(value)
        case "minimum":
            return f"{value} or more"
        case "maximum":
            return f"{value} or less"
        case "exclusiveMinimum":
            return f"more than {value}"
        case "exclusiveMaximum":
            return f"less than {value}"
        case "minLength":
            return f"a text of at least {value} characters"
        case "maxLength":
            return f"a text of at most {value} characters"
        case "pattern":
            return f"a text that matches {value}"
        case "additionalProperties":
            return str(error.message).lower()
        case _:
            return f"{error.validator} {value!r}"[:120]


def _kinds(value: Any) -> str:
    return " or ".join(value) if isinstance(value, list) else str(value)


def _came(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else text[:79] + "…"
