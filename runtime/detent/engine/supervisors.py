"""Supervisors of workers: what they report, and what they are to do. One word is heartbeat, report and question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..errors import Conflict
from ..model.version import place_of
from .deployments import current_of, settle
from .scene import Scene

__all__ = ["hear_supervisor", "let_go", "wanted_versions"]

_encode = msgspec.json.Encoder().encode

#: What `PinnedRuns` calls the states of runs.
_KINDS = {"QUEUED": "queued", "EXECUTING": "executing", "WAITING": "waiting", "DELAYED": "delayed"}


def hear_supervisor(
    scene: Scene, supervisor: str, host: str, ready: Sequence[str], failed: Mapping[str, Mapping[str, str]]
) -> None:
    """It lives, and says how far it is; deployments that waited for it go on. Errors: `Conflict` for an id that one of
    another environment has."""
    values = {"ready": _encode(list(ready)).decode(), "failed": _encode(dict(failed)).decode()}
    if not scene.tx.run("put_supervisor", id=supervisor, env=scene.env, host=host, now=scene.now, **values):
        raise Conflict(f"a supervisor of another environment is {supervisor!r} already; choose another id")
    settle(scene)


def let_go(scene: Scene, supervisor: str) -> None:
    """It ends; nothing waits for it any more."""
    scene.tx.run("drop_supervisor", id=supervisor, env=scene.env)
    settle(scene)


def wanted_versions(scene: Scene) -> list[tuple[Any, dict[str, int]]]:
    """What supervisors prepare, or keep workers of, with the unfinished runs: the current version, those under way, and
    those that runs, or the hooks of runs, still need."""
    tx, env = scene.tx, scene.env
    runs: dict[str, dict[str, int]] = {}
    for row in tx.all("pinned_runs", env=env):
        kind = _KINDS.get(row["state"])
        if kind is not None:
            runs.setdefault(row["version"], {})[kind] = row["n"]
    for row in tx.all("pinned_duties", env=env):
        of_version = runs.setdefault(row["version"], {})
        of_version["executing"] = of_version.get("executing", 0) + row["n"]
    found = {row["version"]: row for row in tx.all("deploying_of_env", env=env)}
    current = current_of(scene)
    for version in {*runs, *([] if current is None else [current["version"]])}:
        row = tx.one("find_deployment_by_version", env=env, version=version)
        if row is not None and row["bundle_hash"] is not None:
            found[version] = row
    ordered = sorted(found.values(), key=lambda row: place_of(row["version"]), reverse=True)
    return [(row, runs.get(row["version"], {})) for row in ordered]
