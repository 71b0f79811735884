"""What a worker far away may name as its object: those of its own environment and its own runs."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.protocol import CompleteToken, Failure, Finish, NewRun, Record, Request, Trigger

__all__ = ["foreign_object"]


def foreign_object(env: str, request: Request) -> Failure | None:
    """The refusal of a request that names an object which may be another environment's: with a name that was guessed,
    a run would show it as its own."""
    for ref, own in _named(request):
        if ref is not None and not ref.startswith((f"envs/{env}/", own)):
            return Failure("forbidden", f"the object {ref!r} is not one of this run")
    return None


def _named(request: Request) -> Iterator[tuple[str | None, str]]:
    """Names of objects, each with what the names of the worker's own begin with."""
    match request:
        case Finish(run_id=run_id, output_ref=ref):
            yield ref, f"outputs/{run_id}"
        case Record(run_id=run_id, entries=entries):
            for entry in entries:
                yield entry.value_ref, f"runs/{run_id}/"
        case CompleteToken(id=token_id, output_ref=ref):
            yield ref, f"waitpoints/{token_id}/"
        case Trigger(runs=runs):
            yield from map(_payload, runs)


def _payload(run: NewRun) -> tuple[str | None, str]:
    return run.payload_ref, f"payloads/{run.id}"
