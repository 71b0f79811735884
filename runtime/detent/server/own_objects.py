"""What a worker far away may name as its object: those of its own environment."""

from __future__ import annotations

from collections.abc import Iterator

from ..engine.object_operations import own_prefix
from ..model.protocol import CompleteToken, Failure, Finish, Record, Request, Trigger

__all__ = ["foreign_object"]


def foreign_object(env: str, request: Request) -> Failure | None:
    """The refusal of a request that names an object which is not of `env`: with a name that was guessed, a run would
    show what is another's as its own."""
    for ref in _named(request):
        if ref is not None and not ref.startswith(own_prefix(env)):
            return Failure("forbidden", f"the object {ref!r} is not one of this environment")
    return None


def _named(request: Request) -> Iterator[str | None]:
    match request:
        case Finish(output_ref=ref) | CompleteToken(output_ref=ref):
            yield ref
        case Record(entries=entries):
            yield from (entry.value_ref for entry in entries)
        case Trigger(runs=runs):
            yield from (run.payload_ref for run in runs)
