"""The edges of a deployment: made, built, prepared by supervisors, and then current at once or not at all.

PENDING → BUILDING → DEPLOYING → DEPLOYED | FAILED | CANCELED | TIMED_OUT
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..errors import Conflict, InvalidOptions, NotFound, near_names
from ..model.ids import is_id, new_id
from ..model.manifest import Manifest
from ..model.version import place_of
from .announce import deployment_finished
from .closed import refuse_closed
from .describe import describe
from .scene import Scene
from .trigger import DEPLOYED_NOTE

__all__ = [
    "LOG_LINES",
    "OPEN",
    "SUPERVISOR_MS",
    "TIME_OUT_MS",
    "checked_manifest",
    "create_deployment",
    "current_of",
    "end_deployment",
    "finalize",
    "note_progress",
    "promote",
    "resolve",
    "roll_back",
    "settle",
    "time_out",
]

#: How long a deployment may be silent, in milliseconds.
TIME_OUT_MS = 600_000
#: A supervisor that was silent for longer is not waited for, in milliseconds.
SUPERVISOR_MS = 15_000
#: Most lines that are kept of a deployment, and their characters.
LOG_LINES, LINE_CHARS = 5_000, 2_000

_encode = msgspec.json.Encoder().encode
_manifest = msgspec.json.Decoder(Manifest)

OPEN = ("PENDING", "BUILDING", "DEPLOYING")


def current_of(scene: Scene) -> Any:
    """The row that says which version is current; None where nothing was promoted yet."""
    return scene.tx.one("find_current_version", env=scene.env)


def resolve(read: Any, env: str, wanted: str) -> Any:
    """The deployment that `wanted` names: an id, a version, ``current`` or ``latest``.

    Parameters:
      read: gives the rows of a statement; `Store.read` or `Tx.all`.

    Errors: `NotFound` with near versions.
    """
    if wanted == "latest":
        rows = read("latest_deployment", env=env)
    elif wanted == "current":
        current = read("find_current_version", env=env)
        rows = read("find_deployment", env=env, id=current[0]["deployment_id"]) if current else []
    elif is_id("dep", wanted):
        rows = read("find_deployment", env=env, id=wanted)
    else:
        rows = read("find_deployment_by_version", env=env, version=wanted)
    if rows:
        return rows[0]
    versions = [row["version"] for row in read("recent_versions", env=env)]
    if not versions or wanted in ("current", "latest"):
        raise NotFound("nothing was deployed to this environment yet; deploy with `detent deploy --env ENVIRONMENT`")
    raise NotFound(f"{near_names('deployment', wanted, versions)}; list them with `detent deploys list`")


def create_deployment(scene: Scene, values: Mapping[str, Any]) -> Any:
    """A deployment begins, and gets its version; its row. Asked again with the same id, it is found.
    Errors: `Conflict` in an environment that takes no runs."""
    refuse_closed(scene)
    made = scene.tx.one("find_deployment", env=scene.env, id=values["id"]) if values.get("id") else None
    if made is not None:
        return made
    day = datetime.fromtimestamp(scene.now / 1000, UTC).strftime("%Y%m%d")
    last: Any = scene.tx.one("last_deployment_number", env=scene.env, day=day)
    number = last["n"] + 1
    deployment_id = values.get("id") or new_id("dep", scene.now)
    inserted = scene.tx.run(
        "insert_deployment",
        id=deployment_id,
        env=scene.env,
        version=f"{day}.{number}",
        day=day,
        number=number,
        skip_promotion=int(bool(values.get("skip_promotion"))),
        created_by=values.get("by"),
        detent=values.get("detent"),
        git=None if values.get("git") is None else _encode(values["git"]).decode(),
        now=scene.now,
    )
    if not inserted:
        raise Conflict(f"the id {deployment_id!r} is taken; leave it out")
    return _found(scene, deployment_id)


def note_progress(scene: Scene, wanted: str, lines: Sequence[str], *, building: bool) -> Any:
    """Whoever builds it lives, and says so in lines; its row."""
    row = resolve(scene.tx.all, scene.env, wanted)
    if scene.tx.run("touch_deployment", id=row["id"], building=int(building), now=scene.now):
        _log(scene, row["id"], lines)
    return _found(scene, row["id"])


def _log(scene: Scene, deployment_id: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    last: Any = scene.tx.one("count_deployment_lines", id=deployment_id)
    for line, text in enumerate(lines[: max(0, LOG_LINES - last["n"])], last["n"] + 1):
        scene.tx.run("put_deployment_line", id=deployment_id, line=line, now=scene.now, text=text[:LINE_CHARS])


def finalize(scene: Scene, wanted: str, manifest: Manifest, values: Mapping[str, Any]) -> Any:
    """Its bundle is there: supervisors prepare it, and then it becomes current; its row as it is now.

    Asked again it changes nothing. Errors: `Conflict` for one that has ended otherwise.
    """
    row = resolve(scene.tx.all, scene.env, wanted)
    text = _encode(manifest).decode()
    moved = scene.tx.run(
        "finalize_deployment", id=row["id"], manifest=text, tasks=len(manifest.tasks), now=scene.now, **values
    )
    if not moved and (row["manifest"], row["bundle_hash"]) != (text, values["bundle_hash"]):
        raise Conflict(f"deployment {row['version']} is {row['state']}; begin a new one with `detent deploy`")
    settle(scene)
    return _found(scene, row["id"])


def settle(scene: Scene) -> None:
    """Let the deployments of the environment go on that no living supervisor keeps waiting, the oldest first."""
    rows = scene.tx.all("deploying_of_env", env=scene.env)
    if not rows:
        return
    there = scene.tx.all("list_supervisors", env=scene.env, since=scene.now - SUPERVISOR_MS)
    for row in rows:
        version = row["version"]
        failed = [(each, msgspec.json.decode(each["failed"]).get(version)) for each in there]
        problem = next(((each, why) for each, why in failed if why is not None), None)
        if problem is not None:
            supervisor, why = problem
            error = {"code": why["code"], "message": f"{supervisor['host']}: {why['message']}", "step": "prepare"}
            end_deployment(scene, row["id"], "FAILED", error)
        elif all(version in msgspec.json.decode(each["ready"]) for each in there):
            _deployed(scene, row, nobody=not there)


def _deployed(scene: Scene, row: Any, *, nobody: bool) -> None:
    manifest = _manifest.decode(row["manifest"])
    scene.tx.many(
        "put_version_task",
        [
            {"env": row["env"], "version": row["version"], "id": task.id, "spec": _encode(task).decode()}
            for task in manifest.tasks
        ],
    )
    current = current_of(scene)
    overtaken = current is not None and place_of(current["version"]) > place_of(row["version"])
    note = None
    if row["skip_promotion"]:
        note = f"not promoted, as was asked; do it with `detent promote {row['version']}`"
    elif overtaken:
        note = f"{current['version']} is newer and was promoted meanwhile, so it stays current"
    elif nobody:
        note = "no supervisor of this environment is connected, so nobody has tried to prepare it"
    end_deployment(scene, row["id"], "DEPLOYED", None, note)
    if not row["skip_promotion"] and not overtaken:
        _make_current(scene, row, manifest, note)


def end_deployment(
    scene: Scene, deployment_id: str, state: str, error: dict[str, Any] | None, note: str | None = None
) -> bool:
    """It has ended as `state`; whether it was under way until now. Alerts tell of it."""
    text = None if error is None else _encode(error).decode()
    ended = scene.tx.run("end_deployment", id=deployment_id, state=state, error=text, note=note, now=scene.now)
    if not ended:
        return False
    row = _found(scene, deployment_id)
    facts = {"id": row["id"], "version": row["version"], "status": state, "tasks": row["tasks"]}
    if error is not None:
        facts["error"] = error["message"]
    deployment_finished(scene, scene.env, facts)
    return True


def promote(scene: Scene, wanted: str) -> Any:
    """Make a version that was deployed the current one; its row. Errors: `NotFound`, `Conflict`."""
    row = resolve(scene.tx.all, scene.env, wanted)
    if row["state"] != "DEPLOYED":
        why = " yet" if row["state"] in OPEN else ""
        raise Conflict(
            f"version {row['version']} is {row['state']}, so it cannot be promoted{why}; only DEPLOYED ones can"
        )
    current = current_of(scene)
    if current is None or current["deployment_id"] != row["id"]:
        _make_current(scene, row, _manifest.decode(row["manifest"]))
    return _found(scene, row["id"])


def roll_back(scene: Scene) -> Any:
    """Make the version current that was promoted before the present one; its row. Errors: `Conflict`."""
    current = current_of(scene)
    if current is None:
        raise Conflict("nothing was promoted in this environment yet, so there is nothing to go back to")
    day, number = place_of(current["version"])
    before = scene.tx.one("earlier_promoted", env=scene.env, day=day, number=number)
    if before is None:
        raise Conflict(
            f"{current['version']} is the first version that was promoted here; to go forward, `detent promote VERSION`"
        )
    return promote(scene, before["id"])


def _make_current(scene: Scene, row: Any, manifest: Manifest, note: str | None = None) -> None:
    scene.tx.run("put_current_version", env=scene.env, version=row["version"], deployment_id=row["id"], now=scene.now)
    scene.tx.run("note_promotion", id=row["id"], note=note, now=scene.now)
    scene.tx.notes.pop(DEPLOYED_NOTE, None)
    describe(scene, manifest)


def time_out(scene: Scene, row: Any) -> None:
    """Nobody has said anything about it for too long."""
    minutes = TIME_OUT_MS // 60_000
    message = f"nothing was heard of it for {minutes} minutes while it was {row['state']}; deploy again"
    end_deployment(scene, row["id"], "TIMED_OUT", {"code": "timed_out", "message": message, "step": None})


def _found(scene: Scene, deployment_id: str) -> Any:
    return scene.tx.one("find_deployment", env=scene.env, id=deployment_id)


def checked_manifest(value: Any) -> Manifest:
    """A manifest as a client sent it. Errors: `InvalidOptions`."""
    try:
        manifest = msgspec.convert(value, Manifest)
    except msgspec.ValidationError as error:
        raise InvalidOptions(f"manifest is not one: {error}") from None
    if manifest.problems:
        first = manifest.problems[0]
        raise InvalidOptions(
            f"the manifest has {len(manifest.problems)} problems, so it would not run; the first: "
            f"{first.file}:{first.line}: {first.message}"
        )
    double, times = next(iter(Counter(task.id for task in manifest.tasks).most_common(1)), ("", 0))
    if times > 1:
        raise InvalidOptions(f"the manifest has the task {double!r} twice; give one of them another id")
    return manifest
