"""The engine protocol: what a worker says to the engine and hears from it, in process or over a socket.

A frame is a JSON array of requests; the answer is an array of replies in the same order. The engine also
pushes messages of its own. All times are milliseconds; all payloads are JSON text.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct, field

from .manifest import Manifest

__all__ = [
    "Answer",
    "Ask",
    "Assign",
    "Beat",
    "CancelPush",
    "Claim",
    "Claimed",
    "CompleteToken",
    "Debounce",
    "DutyDone",
    "Emit",
    "Entry",
    "EvictPush",
    "Failure",
    "Finish",
    "Gone",
    "Grant",
    "Handle",
    "Hello",
    "Leave",
    "LogLine",
    "MakeToken",
    "MetadataOp",
    "NewRun",
    "Park",
    "Parked",
    "Pause",
    "Peek",
    "Peeked",
    "Push",
    "Recall",
    "Recalled",
    "Record",
    "Release",
    "Request",
    "RingPush",
    "RunResult",
    "Said",
    "SatisfiedPush",
    "SpanLine",
    "StreamParts",
    "TokenMade",
    "Told",
    "Trigger",
    "Triggered",
    "Variables",
    "Verdict",
    "Wait",
    "WaitResult",
    "Watch",
    "Welcome",
]


class Debounce(Struct, omit_defaults=True):
    """Triggers with one `key` within `delay_ms` of each other make one run, which starts at the latest `max_delay_ms`
    after the first; `mode` says whose payload it gets, the first's (``leading``) or the last's (``trailing``)."""

    key: str
    delay_ms: int
    mode: str = "leading"
    max_delay_ms: int | None = None


class NewRun(Struct, omit_defaults=True):
    """A run to be made. `id` comes from the caller, so that sending it twice makes one run. `payload_digest` stands for
    the payload where it has an idempotency key (see `model.digest`)."""

    id: str
    task: str
    payload: str | None = None
    payload_ref: str | None = None
    queue: str | None = None
    queue_limit: int | None = None
    queue_limit_per_key: int | None = None
    queue_given: bool = False
    concurrency_key: str = ""
    run_at: int | None = None
    delay_ms: int | None = None
    ttl_ms: int | None = None
    idempotency_key: str | None = None
    idempotency_ttl_ms: int | None = None
    payload_digest: str | None = None
    debounce: Debounce | None = None
    priority: float = 0
    tags: list[str] = field(default_factory=list)
    metadata: str | None = None
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    machine: str | None = None
    version: str | None = None
    batch_id: str | None = None
    known: bool = False


class Handle(Struct, omit_defaults=True):
    """The run that a trigger made, or found under its idempotency key or its debounce key (`cached`).

    Of what was triggered over HTTP, `public_access_token`: with it a browser may watch the run for an hour; and
    `served`: False when no worker that is connected runs its task.
    """

    id: str
    cached: bool = False
    public_access_token: str | None = None
    served: bool = True


class RunResult(Struct, omit_defaults=True):
    """How a run ended. `output` is JSON text or None; `output_ref` names a large one in the object store."""

    id: str
    task: str
    status: str
    output: str | None = None
    output_ref: str | None = None
    error: str | None = None


class Hello(Struct, tag="hello", omit_defaults=True):
    """First words of a worker process. `worker_id` is new at each boot, and kept over reconnections.

    `again`: it was connected before, and `holds` are the runs, with their epochs, that it was granted and has not
    ended: what the engine granted besides never arrived.

    `isolates`: it executes runs of isolated tasks in cells, processes of their own, which take a plain run's room.
    `parent`: of a cell, the worker that it belongs to; a cell claims nothing and describes no tasks.
    `env`: the environment whose runs it executes; None for the engine's own.
    `machines`: the presets and labels that it offers, `model.machine.DEFAULT_MACHINE` for runs that name none; None for
    whatever they name. `queues`: it claims from these alone; None for all.
    `ticket_class`: names all workers that run the same; it takes their tickets from a broker.
    """

    worker_id: str
    manifest: Manifest
    pid: int
    pid_started: float
    host: str
    again: bool = False
    holds: list[tuple[str, int]] = field(default_factory=list)
    isolates: bool = False
    parent: str | None = None
    env: str | None = None
    machines: list[str] | None = None
    queues: list[str] | None = None
    ticket_class: str = ""


class Beat(Struct, tag="beat", omit_defaults=True):
    """The process lives. `lag_ms` is how long its event loop has not turned; `blocked_by` the run that blocks
    it."""

    lag_ms: int = 0
    blocked_by: str | None = None


class Claim(Struct, tag="claim", omit_defaults=True):
    """Room for so many more runs of plain and of async tasks."""

    sync: int = 0
    async_: int = 0


class Assign(Struct, tag="assign"):
    """A run that this worker has claimed is handed to one of its cells, under the same epoch."""

    run_id: str
    epoch: int
    to_worker: str


class Entry(Struct, omit_defaults=True):
    """One entry of a run's journal.

    `key` is ``branch/name#n``, `seq` its place among the entries as they began, `done` its place among what the run
    was told, where it has several branches. `status` is ``open``, ``ok``, ``error`` or ``left`` (ended from inside, say
    by a time-out). `value` is JSON text, `value_ref` names a large one in the object store, `error` is JSON text.
    """

    key: str
    kind: str
    target: str
    seq: int
    status: str = "ok"
    attempt: int = 0
    done: int | None = None
    value: str | None = None
    value_ref: str | None = None
    error: str | None = None


class Record(Struct, tag="record", omit_defaults=True):
    """Entries for the journal of a run: finished steps, values. `delivered`: what the run was told since its last
    word, each with its place in the order."""

    run_id: str
    epoch: int
    entries: list[Entry] = field(default_factory=list)
    delivered: list[tuple[str, int]] = field(default_factory=list)


class Recall(Struct, tag="recall", omit_defaults=True):
    """The journal of a run that is executed again, beyond the entry `after`."""

    run_id: str
    epoch: int
    after: int = -1


class Wait(Struct, tag="wait", omit_defaults=True):
    """A durable wait, under the journal `key`.

    `kind` ``time``: until the moment `until`, or for `for_ms` by the store's clock; with tags or an idempotency key it
    is a waitpoint that others may share. `kind` ``token``: for the waitpoint `target`; ``input``: for the next value
    that is sent to the run under the name `target`; at most until then where one of the two is given. `park`: nothing
    else of the run is going on, so the slot is given back in the same transaction.
    """

    run_id: str
    epoch: int
    key: str
    seq: int
    kind: str
    target: str = ""
    for_ms: int | None = None
    until: int | None = None
    tags: list[str] = field(default_factory=list)
    idempotency_key: str | None = None
    idempotency_ttl_ms: int | None = None
    park: bool = False
    wake_ms: int | None = None


class MakeToken(Struct, tag="make_token", omit_defaults=True):
    """A token, made from inside a run. `id` comes from the run, so that saying it twice makes one.

    It times out after `for_ms`, or at `until`; `idempotency_key` is as it is kept.
    """

    id: str
    run_id: str
    for_ms: int | None = None
    until: int | None = None
    tags: list[str] = field(default_factory=list)
    idempotency_key: str | None = None
    idempotency_ttl_ms: int | None = None


class CompleteToken(Struct, tag="complete_token", omit_defaults=True):
    """A token is completed with JSON text, from inside a run. `by` names this call, which may be made again."""

    id: str
    by: str
    output: str | None = None
    output_ref: str | None = None


class Pause(Struct, tag="pause", omit_defaults=True):
    """The code of a run went another way than its journal: it waits until somebody decides (resume, fork, cancel)."""

    run_id: str
    epoch: int
    key: str
    expected: str
    received: str
    message: str


class Trigger(Struct, tag="trigger", omit_defaults=True):
    """Runs started inside a run, under the journal `key`. `wait`: their results will be waited for;
    `park`: nothing else of the run is going on, so the slot is given back in the same transaction."""

    run_id: str
    epoch: int
    key: str
    runs: list[NewRun]
    wait: bool = False
    park: bool = False
    batch_id: str | None = None
    seq: int = 0
    wake_ms: int | None = None


class Park(Struct, tag="park", omit_defaults=True):
    """The whole run waits for nothing but these journal keys: give its slot back.

    `wake_ms`, here and with the other requests that park: a time-out inside the run (``asyncio.timeout``) ends the wait
    then; the run is called again for it, also where its frame is gone.
    """

    run_id: str
    epoch: int
    keys: list[str]
    wake_ms: int | None = None


class Watch(Struct, tag="watch", omit_defaults=True):
    """Ask again for the results of a wait, after an answer may have been lost."""

    run_id: str
    epoch: int
    key: str


class Leave(Struct, tag="leave", omit_defaults=True):
    """The run does not wait for `key` any more: a time-out or a cancellation from inside ended the wait. A run that is
    parked is queued again, ahead of new ones, and goes on once it has been claimed. `done`: see `Entry`."""

    run_id: str
    epoch: int
    key: str
    done: int | None = None


class Finish(Struct, tag="finish", omit_defaults=True):
    """The end of an attempt. `status` is a final one, ``DELAYED`` for another attempt at `retry_at`, or ``QUEUED``:
    it ran out of memory, and is tried again on `machine`, at the price of no attempt.

    `unattended`: its hooks did not run, or not to their end, so they are to run elsewhere.
    """

    run_id: str
    epoch: int
    status: str
    output: str | None = None
    output_ref: str | None = None
    error: str | None = None
    retry_at: int | None = None
    started_at: int | None = None
    machine: str | None = None
    unattended: bool = False


class DutyDone(Struct, tag="duty_done", omit_defaults=True):
    """The hooks of a run that had ended have run, or never will: they are owed no more."""

    run_id: str
    epoch: int


class Release(Struct, tag="release", omit_defaults=True):
    """Runs handed back unharmed at shutdown (no attempt is spent), and a promise to claim no more.

    `evicted`: parked runs whose frames are not here any more, so that any worker may go on with them.
    """

    runs: list[tuple[str, int]] = field(default_factory=list)
    draining: bool = True
    evicted: list[tuple[str, int]] = field(default_factory=list)


class Verdict(Struct, omit_defaults=True):
    """How the run of a cell is to end, where its parent killed the cell: `status` is final, `code` that of the error.
    `machine`: where to try again instead, once."""

    status: str
    code: str
    machine: str | None = None


class Gone(Struct, tag="gone", omit_defaults=True):
    """The parent of a worker saw its end. `stopped`: it was asked to end.

    A supervisor says so on a connection of its own, a worker of its cells on the connection that it has."""

    worker_id: str
    cause: str
    stopped: bool = False
    verdict: Verdict | None = None


class LogLine(Struct, array_like=True):
    """One line: when, level, text, attributes as JSON text or None, the span it belongs to, and where it came
    from."""

    at: int
    level: str
    message: str
    attributes: str | None
    span_id: str | None
    source: str


class SpanLine(Struct, array_like=True):
    """One finished span of a run: a hook, a retried block, a ``logger.trace``."""

    id: str
    parent_id: str | None
    name: str
    kind: str
    start: int
    end: int
    ok: bool
    attributes: str | None


class MetadataOp(Struct, array_like=True):
    """A change of metadata: on ``self``, ``parent`` or ``root``; `op` is set, delete, append, remove,
    increment, or replace; `value` is JSON text."""

    target: str
    op: str
    key: str
    value: str | None


class StreamParts(Struct, array_like=True):
    """Parts of a stream, each JSON text, that an execution of a run wrote; the first of them is its `first`-th, counted
    from 0. `settled`: they stand, as a journal entry follows after which a replay goes on. `closed`: no others
    follow."""

    stream: str
    first: int
    parts: list[str]
    settled: bool = False
    closed: bool = False


class Peek(Struct, tag="peek"):
    """Which value, sent to the run under the name `stream`, would be its next?"""

    run_id: str
    epoch: int
    stream: str


class Emit(Struct, tag="emit", omit_defaults=True):
    """What a run wrote about itself, in batches off its own path. `writer`: the epoch with which this execution of the
    run began, for its `streams`."""

    run_id: str
    epoch: int
    attempt: int = 1
    started_at: int | None = None
    logs: list[LogLine] = field(default_factory=list)
    spans: list[SpanLine] = field(default_factory=list)
    dropped: int = 0
    metadata: list[MetadataOp] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    writer: int = 0
    streams: list[StreamParts] = field(default_factory=list)


class Ask(Struct, tag="ask"):
    """An operation of clients, asked from inside a run: see `engine/operations.py`.

    It is answered outside of the transaction that the other requests of a frame share, whenever it is ready, so it has
    a frame of its own. `values` is a JSON object.
    """

    operation: str
    values: Raw


Request = (
    Hello
    | Beat
    | Claim
    | Assign
    | Recall
    | Record
    | Trigger
    | Wait
    | Park
    | Watch
    | Leave
    | MakeToken
    | CompleteToken
    | Pause
    | Peek
    | Finish
    | DutyDone
    | Release
    | Emit
    | Gone
)


#: What a worker says.
Said = Request | Ask


class Welcome(Struct, tag="welcome", omit_defaults=True):
    """The engine knows the worker: beat at this interval; the lease ends `lease_ms` after the last beat.

    `pushes`: what a worker that is back may have missed. `namespace`: of the tickets, where there is a broker.
    `shared`: other engines change runs, too, and what they tell may be lost: what it waits for is asked for again.
    """

    beat_ms: int
    lease_ms: int
    env: str
    pushes: list[CancelPush] = field(default_factory=list)
    namespace: str = ""
    shared: bool = False


class WaitResult(Struct, omit_defaults=True):
    """A satisfied wait and what it brought: for children their results in the order of the calls, for a token its
    `status` (``COMPLETED`` or ``TIMED_OUT``) and its output."""

    key: str
    runs: list[RunResult] = field(default_factory=list)
    status: str = "COMPLETED"
    output: str | None = None
    output_ref: str | None = None


class Grant(Struct, omit_defaults=True):
    """A run that this worker may execute now, under `epoch`. `recall`: it has a journal, to be read before it is
    executed again.

    Or a duty: `duty` is the final status of a run that ended without its code, of which only the hooks are to run, with
    the run's `error` and the `reason` of its cancellation.
    """

    run_id: str
    epoch: int
    task: str
    queue: str
    attempt: int
    created_at: int
    payload: str | None = None
    payload_ref: str | None = None
    max_attempts: int | None = None
    max_duration_ms: int | None = None
    used_ms: int = 0
    concurrency_key: str = ""
    priority: float = 0
    tags: tuple[str, ...] = ()
    metadata: str | None = None
    idempotency_key: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    batch_id: str | None = None
    version: str | None = None
    replay_of: str | None = None
    first_started_at: int | None = None
    resumed: bool = False
    recall: bool = False
    crashes: int = 0
    machine: str | None = None
    results: tuple[WaitResult, ...] = ()
    duty: str = ""
    error: str | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """What a worker keeps it under: the run itself may still be unwinding beside its duty."""
        return f"{self.run_id}/hooks" if self.duty else self.run_id


class Claimed(Struct, tag="claimed", omit_defaults=True):
    """The runs that were claimed; `more` when the demand was met in full, so that asking again may bring
    more."""

    grants: list[Grant] = field(default_factory=list)
    more: bool = False


class Triggered(Struct, tag="triggered", omit_defaults=True):
    """Runs that were made or found, and, where the wait was satisfied already, their results."""

    handles: list[Handle]
    parked: bool = False
    result: WaitResult | None = None


class Parked(Struct, tag="parked", omit_defaults=True):
    """Whether the slot was given back; if not, the waits that are satisfied already."""

    parked: bool
    results: list[WaitResult] = field(default_factory=list)


class Recalled(Struct, tag="recalled", omit_defaults=True):
    """Entries of a journal, as they began; `more` when others follow."""

    entries: list[Entry] = field(default_factory=list)
    more: bool = False


class TokenMade(Struct, tag="token_made", omit_defaults=True):
    """A token that was made, or found by its key (`cached`). `url` completes it."""

    id: str
    url: str
    cached: bool = False
    due_at: int | None = None
    tags: list[str] = field(default_factory=list)


class Peeked(Struct, tag="peeked", omit_defaults=True):
    """JSON text of the next value, None when there is none."""

    value: str | None = None


class Told(Struct, tag="told"):
    """What an operation answered, as JSON."""

    value: Raw


class Done(Struct, tag="done", omit_defaults=True):
    """The write is durable."""


class Failure(Struct, tag="failure", omit_defaults=True):
    """The request was refused. ``lease_lost``: the run is no longer this worker's; drop it."""

    code: str
    message: str


Answer = Welcome | Claimed | Recalled | Triggered | Parked | TokenMade | Told | Peeked | Done | Failure


class RingPush(Struct, tag="ring", omit_defaults=True):
    """There is work: `sync` plain runs, and whether async ones wait."""

    sync: int = 0
    async_: int = 0


class SatisfiedPush(Struct, tag="satisfied"):
    """A wait of a run that is still executing is satisfied."""

    run_id: str
    epoch: int
    result: WaitResult


class CancelPush(Struct, tag="cancel", omit_defaults=True):
    """Stop this run; it was cancelled."""

    run_id: str
    epoch: int
    reason: str = ""


class EvictPush(Struct, tag="evict"):
    """Another worker goes on with this parked run: drop the frame without running more of it."""

    run_id: str


Push = RingPush | SatisfiedPush | CancelPush | EvictPush


class Variables(Struct, omit_defaults=True):
    """The environment variables of an environment, for a worker process that is about to import its tasks.

    `secret`: the names of those that nobody may read. `yields`: the variables that the process has already win.
    """

    values: dict[str, str] = field(default_factory=dict)
    secret: list[str] = field(default_factory=list)
    yields: bool = False


class FromEngine(Struct, omit_defaults=True):
    """A frame from the engine: replies to the frame `reply_to`, or a push."""

    reply_to: int = 0
    answers: list[Answer] = field(default_factory=list)
    push: Push | None = None
    variables: Variables | None = None


class ToEngine(Struct, omit_defaults=True):
    """A frame to the engine. `variables_of`: asks for the variables of an environment, on a connection of its own;
    ``""`` stands for the engine's own environment."""

    id: int
    requests: list[Said] = field(default_factory=list)
    variables_of: str | None = None


def as_dict(value: Struct) -> dict[str, Any]:
    """A plain dictionary of `value`'s fields, for people and JSON."""
    return {name: getattr(value, name) for name in value.__struct_fields__}
