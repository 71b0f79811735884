"""What goes wrong in a call, as the model is told: what happened, what was expected, and the next call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detent.errors import DetentError, InvalidOptions, near_names

from .untrusted import clean, mark

__all__ = ["Refusal", "no_such", "told"]


class Refusal(DetentError):
    """A call that is not carried out.

    Parameters:
      next: what to do instead: a call, or a command for a person.
    """

    code = "refused"

    def __init__(self, message: str, *, next: str | None = None, code: str = "refused") -> None:
        super().__init__(message)
        self.next = next
        self.code = code


def no_such(kind: str, wanted: str, known: Sequence[str], *, next: str | None = None) -> Refusal:
    """The refusal of a name that is not known, with near names."""
    return Refusal(near_names(kind, wanted, known), next=next, code="not_found")


#: What to do about an error of the server, by its code, where it does not say so in terms of tools.
_NEXT = {
    "task_not_found": "get_current_worker() lists the tasks",
    "not_found": None,
    "invalid_payload": "get_current_worker(task=…) shows the schema and an example payload",
    "invalid_arguments": "repeat the call with arguments that fit",
    "rate_limited": "wait a moment, then repeat the call",
    "internal_error": "repeat the call once; if it fails again, get_report() tells how the server is",
    "store_error": "repeat the call in a few seconds",
}
_BY_NOUN = {
    "environment": "repeat the call with an env that is there, or without env",
    "run": "list_runs() shows the latest runs",
    "queue": "list_queues() shows the queues",
    "token": "list_waitpoints() shows what is waited for",
    "schedule": 'schedules(action="list") shows the schedules',
    "deployment": "list_deploys() shows the deployments",
    "version": "list_deploys() shows the deployments",
}


def told(error: DetentError) -> dict[str, Any]:
    """The error as the model is told it."""
    message = error.message
    following = getattr(error, "next", None) or _NEXT.get(error.code)
    if following is None and error.code == "not_found":
        following = next((call for noun, call in _BY_NOUN.items() if f"no {noun}" in message), None)
    if following is None and "nothing was deployed" in message:
        following = "list_deploys() shows what there is"
    if following is None and isinstance(error, InvalidOptions):
        following = "repeat the call with a value that fits"
    said = {"code": error.code, "message": clean(message)}
    if following is not None:
        said["next"] = following
    # What a build printed stands in the error of a deploy.
    return mark(said, "message") if error.code == "deploy_failed" else said
