"""What the history means to people: failures are counted and told of, outside of the transactions that end runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from .alert_rules import Rule, wants_end, wants_failure
from .alert_windows import Occurrence, gather
from .error_groups import FAILED, Failure, count_failures
from .scene import Scene

__all__ = ["begin_digest", "digest", "ends_wanted"]

#: Characters of an error's message in a message to people.
_MESSAGE_CHARS = 500

_decode_texts = msgspec.json.Decoder(list[str]).decode


def begin_digest(scene: Scene) -> None:
    """From now on the history is read; runs stay until that has been done."""
    scene.tx.run("begin_digest")


def ends_wanted(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The final states that the digest has to read."""
    return (*FAILED, "COMPLETED") if any("run.completed" in rule.events for rule in rules) else FAILED


def digest(
    scene: Scene, failures: Sequence[Failure], completed: Sequence[Any], rules: Sequence[Rule], place: tuple[int, int]
) -> bool:
    """Take in the ends of runs between two places of the history, exactly once.

    Parameters:
      failures, completed: in the order of the history; runs that completed are rows of `list_ended`.
      rules: the enabled alerts. `place`: where the reader is, and where it will be when this is done.

    Returns: False when somebody else has read on meanwhile; then nothing is changed.
    """
    before, upto = place
    if not scene.tx.run("advance_digest", before=before, seq=upto):
        return False
    told = count_failures(scene, failures) if failures else []
    for rule in rules:
        failed = [_failure(failure) for failure in told if wants_failure(rule, failure)]
        if failed:
            gather(scene, rule, "run.failed", failed)
        done = [_end(row) for row in completed if wants_end(rule, row)]
        if done:
            gather(scene, rule, "run.completed", done)
    return True


def _failure(failure: Failure) -> Occurrence:
    run, error = failure.run, failure.error
    facts = {
        "error": {
            "id": failure.fingerprint,
            "type": error.type,
            "message": error.message[:_MESSAGE_CHARS],
            "code": error.code,
        },
        "run": _run(run),
    }
    news = "" if failure.news == "known" else failure.news
    return Occurrence(failure.at, failure.fingerprint, run["id"], run["task"], news, facts)


def _end(row: Any) -> Occurrence:
    return Occurrence(row["at"], row["task"], row["id"], row["task"], "", {"run": _run(row)})


def _run(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "task": row["task"],
        "status": row["state"],
        "queue": row["queue"],
        "attempt": row["attempt"],
        "version": row["version"],
        "tags": _decode_texts(row["tags"]),
    }
