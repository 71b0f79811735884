"""Trigger options: checked at the call, turned into a `NewRun`. One place for every caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypedDict

import msgspec
from msgspec import Struct

from ..errors import InvalidOptions, LimitExceeded, Unserializable
from .debounce import DebounceOptions, debounce_of
from .digest import payload_digest
from .duration import is_moment, parse_duration, parse_when
from .ids import new_id
from .limits import (
    ATTEMPTS,
    IDEMPOTENCY_KEY_CHARS,
    METADATA_BYTES,
    MIN_DURATION_MS,
    NAME_CHARS,
    PAYLOAD_BYTES,
    TAG_CHARS,
    TAGS,
)
from .machine import machine_name
from .manifest import QueueSpec
from .plain_text import refuse_nul
from .protocol import NewRun
from .version import check_version

__all__ = [
    "IdempotencyKey",
    "TriggerOptions",
    "check_payload_size",
    "idempotency_hash",
    "new_run",
    "tags_of",
    "within",
]

_encode = msgspec.json.Encoder().encode


class IdempotencyKey(Struct, frozen=True):
    """A key with its scope, made by ``idempotency_keys.create``.

    `scope` is ``run`` (the same key in another run is another key), ``attempt`` or ``global``. Outside a run
    every key is global.
    """

    key: str
    scope: str = "run"


class TriggerOptions(TypedDict, total=False):
    """What can be said with a trigger. Times are seconds, texts such as ``"10m"``, or `timedelta`.

    - ``delay``: when to start: a time from now, or a moment (an aware `datetime` or ISO-8601 text).
    - ``ttl``: a run not started within this time after its delay is ``EXPIRED``; 0: never (the default).
    - ``idempotency_key``: a second trigger with this key and the same payload finds the first run; with another payload
      it is refused. Runs that failed release the key.
    - ``idempotency_key_ttl``: how long the key is kept; 30 days unless set.
    - ``concurrency_key``: the tenant, user ... within the queue, served in turn with the others.
    - ``queue``: a queue's name, or a queue object, which is created with its limit.
    - ``priority``: seconds by which the run goes before runs triggered at the same time.
    - ``tags``: at most 10 texts of 1 to 128 characters. ``metadata``: a JSON object of at most 256 KiB.
    - ``max_attempts``: 1 to 250. ``max_duration``: executing time of an attempt, at least 1 s.
    - ``machine``: for an isolated task, the preset that limits its CPU and memory; any other name is a label.
    - ``version``: the deployed version that runs it, such as ``20261122.1``; else the one that is current by then.
    - ``debounce``: triggers in quick succession make one run, see `DebounceOptions`; not together with ``delay``.
    """

    delay: str | float | timedelta | datetime | None
    ttl: str | float | timedelta | None
    idempotency_key: str | Sequence[str] | IdempotencyKey | None
    idempotency_key_ttl: str | float | timedelta | None
    concurrency_key: str | None
    queue: Any
    priority: float | None
    tags: str | Sequence[str] | None
    metadata: Mapping[str, Any] | None
    max_attempts: int | None
    max_duration: str | float | timedelta | None
    machine: str | None
    version: str | None
    debounce: DebounceOptions | None


_NAMES = frozenset(TriggerOptions.__annotations__)


def new_run(
    task: str,
    payload: str,
    options: Mapping[str, Any],
    *,
    now: int,
    known: bool = False,
    queue: QueueSpec | None = None,
    scope: Callable[[str], str] | None = None,
) -> NewRun:
    """The run that a trigger asks for.

    Parameters:
      task: id of the task. `payload`: JSON text.
      options: see `TriggerOptions`; None stands for "not given".
      now: milliseconds since 1970.
      known: whether the caller holds the task itself, whose queue is `queue`.
      scope: inside a run, gives the prefix of an idempotency key for ``run`` or ``attempt``.

    Errors: `InvalidOptions` (which option, what came, what is allowed), `LimitExceeded`.
    """
    unknown = sorted(options.keys() - _NAMES)
    if unknown:
        import difflib

        near = difflib.get_close_matches(unknown[0], _NAMES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known are: {', '.join(sorted(_NAMES))}"
        raise InvalidOptions(f"unknown trigger option {unknown[0]!r}{hint}")
    check_payload_size(payload)
    given = {name: value for name, value in options.items() if value is not None}
    run = NewRun(id=new_id("run", now), task=_name("task", task), payload=payload, known=known)
    if queue is not None:
        run.queue = queue.name
    if "queue" in given:
        _take_queue(run, given["queue"])
    if "concurrency_key" in given:
        run.concurrency_key = _name("concurrency_key", given["concurrency_key"])
    if "delay" in given:
        # A length of time is counted by the store's clock, so that a wrong clock of the caller does no harm.
        when = parse_when(given["delay"], 0, "delay")
        run.run_at, run.delay_ms = (when, None) if is_moment(given["delay"]) else (None, when)
    if "ttl" in given:
        run.ttl_ms = parse_duration(given["ttl"], "ttl")
    if "priority" in given:
        run.priority = _number("priority", given["priority"], -31_536_000, 31_536_000)
    if "max_attempts" in given:
        run.max_attempts = _integer("max_attempts", given["max_attempts"], 1, ATTEMPTS)
    if "max_duration" in given:
        run.max_duration_ms = _duration("max_duration", given["max_duration"])
    if "machine" in given:
        run.machine = machine_name(given["machine"])
    if "version" in given:
        run.version = check_version(given["version"])
    if "tags" in given:
        run.tags = tags_of(given["tags"])
    if "metadata" in given:
        run.metadata = _metadata(given["metadata"])
    if "idempotency_key" in given:
        run.idempotency_key = idempotency_hash(given["idempotency_key"], scope)
        run.payload_digest = payload_digest(payload)
    if "idempotency_key_ttl" in given:
        run.idempotency_ttl_ms = parse_duration(given["idempotency_key_ttl"], "idempotency_key_ttl")
        if run.idempotency_ttl_ms < 1:
            raise InvalidOptions("idempotency_key_ttl must be positive; leave the key out instead")
    if "debounce" in given:
        if "delay" in given:
            raise InvalidOptions(
                "delay and debounce were both given; a debounced run starts after the delay that its debounce has, "
                "so leave delay out"
            )
        run.debounce = debounce_of(given["debounce"])
    return run


def check_payload_size(payload: str) -> None:
    """Refuse a payload over the limit. Errors: `LimitExceeded` with the limit and what to do instead."""
    if len(payload) * 4 > PAYLOAD_BYTES and (size := len(payload.encode())) > PAYLOAD_BYTES:
        raise LimitExceeded(
            f"the payload is {size:,} bytes of JSON; the limit is {PAYLOAD_BYTES:,} (3 MiB). "
            "Put the data into a file or an object store and send its address"
        )


def tags_of(value: Any, owner: str = "run") -> list[str]:
    """Checked tags of a run or another `owner`, without repetitions. Errors: `InvalidOptions`."""
    if not isinstance(value, str | Sequence | Set):
        raise InvalidOptions(f"tags must be a text or a list of texts, got {_shown(value)}")
    tags = [value] if isinstance(value, str) else list(value)
    for tag in tags:
        if not isinstance(tag, str) or not 1 <= len(tag) <= TAG_CHARS:
            raise InvalidOptions(f"a tag is a text of 1 to {TAG_CHARS} characters, got {_shown(tag)}")
        refuse_nul("a tag", tag)
    tags = list(dict.fromkeys(tags))
    if len(tags) > TAGS:
        raise InvalidOptions(f"a {owner} has at most {TAGS} tags, got {len(tags)}")
    return tags


def _take_queue(run: NewRun, value: Any) -> None:
    run.queue_given = True
    spec = getattr(value, "spec", value)
    if isinstance(spec, Mapping):
        spec = _queue_spec(spec)
    if isinstance(spec, QueueSpec):
        run.queue, run.queue_limit, run.queue_limit_per_key = spec.name, spec.limit, spec.limit_per_key
        run.queue_given = spec.limit is None and spec.limit_per_key is None
    elif isinstance(spec, str):
        run.queue = _name("queue", spec)
    else:
        raise InvalidOptions(f"queue must be a name or a queue object, got {_shown(value)}")


def _queue_spec(value: Mapping[str, Any]) -> QueueSpec:
    limit = value.get("concurrency_limit")
    per_key = value.get("concurrency_limit_per_key")
    return QueueSpec(
        _name("queue", value.get("name")),
        None if limit is None else _integer("concurrency_limit", limit, 0, 100_000),
        None if per_key is None else _integer("concurrency_limit_per_key", per_key, 0, 100_000),
    )


def _name(option: str, value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= NAME_CHARS:
        raise InvalidOptions(f"{option} must be a text of 1 to {NAME_CHARS} characters, got {_shown(value)}")
    refuse_nul(option, value)
    return value


def _number(option: str, value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InvalidOptions(f"{option} must be a number of seconds from {least} to {most}, got {_shown(value)}")
    return value


def _integer(option: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidOptions(f"{option} must be a whole number from {least} to {most}, got {_shown(value)}")
    return value


def _duration(option: str, value: Any) -> int:
    ms = parse_duration(value, option)
    if ms < MIN_DURATION_MS:
        raise InvalidOptions(f"{option} must be at least {MIN_DURATION_MS / 1000:g} s, got {_shown(value)}")
    return ms


def _metadata(value: Any) -> str:
    if not isinstance(value, Mapping):
        raise InvalidOptions(f"metadata must be a mapping of texts to JSON values, got {_shown(value)}")
    try:
        text = _encode(dict(value)).decode()
    except (TypeError, ValueError) as error:
        raise Unserializable(f"metadata is not JSON: {error}") from None
    if len(text.encode()) > METADATA_BYTES:
        raise LimitExceeded(
            f"metadata is {len(text.encode()):,} bytes of JSON; the limit is {METADATA_BYTES:,} (256 KiB)"
        )
    return text


def idempotency_hash(value: Any, scope: Callable[[str], str] | None = None) -> str:
    """An idempotency key as it is kept: hexadecimal digits.

    Parameters:
      value: a text, several texts, or an `IdempotencyKey`.
      scope: inside a run, gives the prefix of a key for ``run`` or ``attempt``; None: the key is global.

    Errors: `InvalidOptions`.
    """
    key = value if isinstance(value, IdempotencyKey) else None
    if key is None:
        text = value if isinstance(value, str) else "\0".join(value) if _is_texts(value) else None
        if not text or len(text) > IDEMPOTENCY_KEY_CHARS:
            raise InvalidOptions(
                f"idempotency_key must be a text of 1 to {IDEMPOTENCY_KEY_CHARS} characters, got {_shown(value)}"
            )
        key = IdempotencyKey(text)
    prefix = scope(key.scope) if scope is not None and key.scope != "global" else "global"
    return sha256(f"{prefix}\0{key.key}".encode()).hexdigest()


def within(key: str | Sequence[str] | IdempotencyKey, place: int) -> IdempotencyKey | list[str]:
    """The key of the item at `place` of a batch that has `key`."""
    if isinstance(key, IdempotencyKey):
        return IdempotencyKey(f"{key.key}\0{place}", key.scope)
    return [*([key] if isinstance(key, str) else key), str(place)]


def _is_texts(value: Any) -> bool:
    return isinstance(value, Sequence) and bool(value) and all(isinstance(part, str) for part in value)


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text[:80]}{'…' if len(text) > 80 else ''} ({type(value).__name__})"
