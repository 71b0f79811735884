"""What came of a program: its runs, their journals, and what their steps did to the world."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.programs.interpreter import EFFECTS, EXECUTIONS

from detent.testing import Harness

__all__ = ["Outcome", "differences", "read_outcome", "torn"]

_RUNS = "SELECT id, task, state, attempt, payload, output, error FROM runs WHERE id = :id OR root_id = :id ORDER BY id"
_JOURNAL = """
SELECT key, kind, target, attempt, done, status, value, error FROM journal WHERE run_id = :id ORDER BY key
"""
_BATCH = re.compile(r"batch_[0-9a-f]{32}")


@dataclass
class Outcome:
    """By the path of each run; ids are the same in all executions of a program."""

    runs: dict[str, list[Any]] = field(default_factory=dict)
    journals: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    #: The keys of each run in the order in which the run was told of them.
    told: dict[str, list[str]] = field(default_factory=dict)
    effects: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)


def read_outcome(h: Harness, root: str) -> Outcome:
    """The outcome of the run `root` and of all that it started."""
    outcome = Outcome()
    for row in h.store.read_sql(_RUNS, {"id": root}):
        path = f"{json.loads(row['payload'])['path']} ({row['task']})"
        output = None if row["output"] is None else _neutral(json.loads(row["output"]))
        outcome.runs[path] = [row["state"], row["attempt"], output, _error(row["error"])]
        entries = list(h.store.read_sql(_JOURNAL, {"id": row["id"]}))
        outcome.journals[path] = {entry["key"]: _entry(entry) for entry in entries}
        last = [entry for entry in entries if entry["done"] is not None and entry["attempt"] == row["attempt"]]
        # Those that were cancelled together were cancelled in the order of a set.
        last = [entry for entry in last if entry["status"] != "left"]
        outcome.told[path] = [entry["key"] for entry in sorted(last, key=lambda entry: entry["done"])]
        outcome.effects[path] = Counter(EFFECTS[row["id"]])
    return outcome


def _entry(row: Any) -> list[Any]:
    value = row["value"]
    if row["kind"] in ("create_token", "time") or row["kind"] == "value":
        # Addresses with a secret of the store, moments that were due, the time and chance.
        value = None
    return [row["kind"], row["target"], row["attempt"], row["status"], value, _error(row["error"])]


def _error(text: str | None) -> list[str] | None:
    if text is None:
        return None
    error = json.loads(text)
    return [error.get("type", ""), error.get("message", ""), error.get("code", "")]


def _neutral(value: Any) -> Any:
    """`value` without what is chance."""
    if isinstance(value, dict):
        return {name: "..." if name == "chance" else _neutral(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_neutral(part) for part in value]
    return value


def differences(warm: Outcome, cold: Outcome, *, exactly_once: bool = True) -> Iterator[str]:
    """What is not the same, in words. `exactly_once`: no worker was lost, so no step was done twice."""
    for what in ("runs", "journals", "told", "effects"):
        if what in ("told", "effects") and not exactly_once:
            # What a lost worker had been told last is not known.
            continue
        ones: dict[str, Any] = getattr(warm, what)
        others: dict[str, Any] = getattr(cold, what)
        for path in sorted(ones.keys() | others.keys()):
            one, other = ones.get(path), others.get(path)
            if one == other:
                continue
            if isinstance(one, dict) and isinstance(other, dict):
                for key in sorted(one.keys() | other.keys(), key=str):
                    if one.get(key) != other.get(key):
                        yield f"{what} of {path}, {key}:\n  warm {one.get(key)}\n  cold {other.get(key)}"
            else:
                yield f"{what} of {path}:\n  warm {one}\n  cold {other}"
    if not exactly_once:
        for path, effects in warm.effects.items():
            others_of = cold.effects.get(path, Counter())
            if effects.keys() != others_of.keys() or any(others_of[key] < n for key, n in effects.items()):
                yield f"effects of {path}:\n  warm {dict(effects)}\n  cold {dict(others_of)}"


def torn(h: Harness, root: str) -> Iterator[str]:
    """Where an execution of an attempt did not begin with all that the execution before it did."""
    for row in h.store.read_sql(_RUNS, {"id": root}):
        for attempt in range(1, row["attempt"] + 1):
            executions = EXECUTIONS.get((row["id"], attempt), [])
            for before, after in pairwise(executions):
                if after[: len(before)] != before:
                    place = next(
                        (n for n, (one, other) in enumerate(zip(before, after, strict=False)) if one != other),
                        len(after),
                    )
                    path = json.loads(row["payload"])["path"]
                    yield (
                        f"{path}, attempt {attempt}, line {place} of its notes:\n  before {before[place:][:3]}\n"
                        f"  again  {after[place:][:3]}"
                    )
