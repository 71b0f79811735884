"""What clients and supervisors can ask about deployments. Answers are plain JSON values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ..accounts.accounts import name_of
from ..errors import InvalidOptions, NotFound, near_names
from ..model.bundle_key import bundle_key
from ..model.ids import is_id
from ..model.limits import BUNDLE_BYTES, NAME_CHARS
from ..model.version import is_version, place_of
from .deployments import (
    OPEN,
    SUPERVISOR_MS,
    checked_manifest,
    create_deployment,
    current_of,
    end_deployment,
    finalize,
    note_progress,
    promote,
    resolve,
    roll_back,
)
from .engine import Engine
from .payloads import Objects
from .queries import PageSize, Seq, Texts, several, whole
from .scene import Scene
from .supervisors import hear_supervisor, let_go, wanted_versions
from .views import iso

__all__ = ["DeploymentOperations"]

PAGE = 100
#: Lines of a page, and lines of one report of progress.
LINES, LINES_AT_ONCE = 1_000, 500
#: How often supervisors ask, in milliseconds.
POLL_MS = 1_000

_STATES = (*OPEN, "DEPLOYED", "FAILED", "CANCELED", "TIMED_OUT")

Wanted = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS)]
Text = Annotated[str, Meta(max_length=8_000)]


class DeploymentOperations:
    """The operations on the deployments of one engine's environment; bundles are in `objects`."""

    def __init__(self, engine: Engine, objects: Objects | None) -> None:
        self._engine = engine
        self._objects = objects

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {
            "deployments.cancel": self.cancel,
            "deployments.create": self.create,
            "deployments.fail": self.fail,
            "deployments.finalize": self.finalize,
            "deployments.list": self.list_deployments,
            "deployments.log": self.log,
            "deployments.progress": self.progress,
            "deployments.promote": self.promote,
            "deployments.retrieve": self.retrieve,
            "deployments.rollback": self.rollback,
            "deployments.supervise": self.supervise,
        }

    def create(
        self,
        *,
        id: str | None = None,
        git: dict[str, Any] | None = None,
        detent: str | None = None,
        skip_promotion: bool = False,
        by: Annotated[str, Meta(max_length=NAME_CHARS)] | None = None,
    ) -> dict[str, Any]:
        """Begin a deployment: it is PENDING, and has its version.

        Parameters:
          id: ``dep_…``, made by the caller, so that asking again makes no second one.
          git: commit, branch, dirty, message, author. `detent`: the version of detent that builds it.
          skip_promotion: do not make it current when it is deployed. `by`: who deploys.
        """
        if id is not None and not is_id("dep", id):
            raise InvalidOptions(f"id must be that of a deployment (dep_…), got {id!r}; leave it out")
        values = {"id": id, "git": git, "detent": detent, "skip_promotion": skip_promotion, "by": by}
        if git is not None:
            values["git"] = {name: git.get(name) for name in ("commit", "branch", "dirty", "message", "author")}
        row = self._write(lambda scene: create_deployment(scene, values))
        self._engine.deployments_changed()
        return self._view(row)

    def progress(
        self, *, id: Wanted, lines: list[str] | None = None, status: Literal["BUILDING"] | None = None
    ) -> dict[str, Any]:
        """The build goes on. The answer's status says whether it is still wanted.

        Parameters:
          lines: of the log, at most 500 at once. `status`: ``BUILDING`` from now on.
        """
        lines = [text.replace("\0", "�") for text in (lines or [])]
        if len(lines) > LINES_AT_ONCE:
            raise InvalidOptions(f"at most {LINES_AT_ONCE} lines at once, got {len(lines)}")
        row = self._write(lambda scene: note_progress(scene, id, lines, building=status is not None))
        return {"id": row["id"], "version": row["version"], "status": row["state"]}

    def finalize(
        self,
        *,
        id: Wanted,
        manifest: dict[str, Any],
        bundle: dict[str, Any],
        lock_hash: str | None = None,
        python: Annotated[str, Meta(max_length=100)] | None = None,
    ) -> dict[str, Any]:
        """All is there: the bundle was uploaded. Supervisors prepare it, and then it becomes current.

        Parameters:
          manifest: what it can run. `bundle`: its hash, bytes and files. `lock_hash`: of what it depends on.

        Errors: `NotFound` for a bundle that was not uploaded; `Conflict`; `InvalidOptions`.
        """
        known = checked_manifest(manifest)
        digest, size, files = (bundle.get(name) for name in ("hash", "bytes", "files"))
        if not isinstance(size, int) or not isinstance(files, int) or not 0 <= size <= BUNDLE_BYTES:
            raise InvalidOptions(f"bundle must have hash, bytes and files, got {bundle!r}")
        if self._objects is None or not self._objects.exists(bundle_key(self._engine.env, digest)):
            raise NotFound(f"the bundle {digest} was not uploaded; upload it first")
        values = {
            "bundle_hash": digest,
            "bundle_bytes": size,
            "bundle_files": files,
            "lock_hash": lock_hash,
            "python": python,
        }
        row = self._write(lambda scene: finalize(scene, id, known, values))
        self._engine.deployments_changed()
        return self._view(row)

    def fail(self, *, id: Wanted, code: Wanted, message: Text, step: str | None = None) -> dict[str, Any]:
        """It cannot be built, or not be deployed. What runs in the environment stays as it is."""
        error = {"code": code, "message": message.replace("\0", "�"), "step": step}
        return self._view(self._write(lambda scene: self._end(scene, id, "FAILED", error)))

    def cancel(self, *, id: Wanted) -> dict[str, Any]:
        """Give it up. One that has ended stays as it is."""
        return self._view(self._write(lambda scene: self._end(scene, id, "CANCELED", None)))

    def promote(self, *, id: Wanted) -> dict[str, Any]:
        """Make a deployed version the current one. Errors: `NotFound`, `Conflict`."""
        return self._promoted(lambda scene: promote(scene, id))

    def rollback(self) -> dict[str, Any]:
        """Make the version current that was promoted before the present one. Errors: `Conflict`."""
        return self._promoted(roll_back)

    def list_deployments(
        self, *, status: Texts = (), limit: PageSize = 25, cursor: str | None = None
    ) -> dict[str, Any]:
        """Deployments, newest first. `status`: only of these."""
        wanted = several(status or ())
        for each in wanted:
            if each not in _STATES:
                raise InvalidOptions(near_names("status", each, _STATES))
        if cursor is not None and not is_version(cursor):
            raise InvalidOptions(f"cursor must be what the page before gave as next_cursor, got {cursor!r}")
        n = whole("limit", limit, 1, PAGE)
        rows: list[Any] = []
        day, number = ("99999999", 0) if cursor is None else place_of(cursor)
        more = True
        while more and len(rows) <= n:
            page = self._read("list_deployments", env=self._engine.env, day=day, number=number, n=PAGE)
            rows += [row for row in page if not wanted or row["state"] in wanted]
            more = len(page) == PAGE
            if page:
                day, number = page[-1]["day"], page[-1]["number"]
        items = self._views(rows[:n])
        return {"items": items, "next_cursor": items[-1]["version"] if len(rows) > n else None}

    def retrieve(self, *, id: Wanted) -> dict[str, Any]:
        """One deployment: by its id, its version, or as ``current`` or ``latest``."""
        row = resolve(self._read, self._engine.env, id)
        manifest = None if row["manifest"] is None else msgspec.json.decode(row["manifest"])
        return self._view(row) | {"manifest": manifest, "supervisors": self._supervisors(row["version"])}

    def log(self, *, id: Wanted, after: Seq = 0, limit: Annotated[int, Meta(ge=1, le=LINES)] = LINES) -> dict[str, Any]:
        """What was said while it was built, from the line after `after` on."""
        row = resolve(self._read, self._engine.env, id)
        n = whole("limit", limit, 1, LINES)
        rows = self._read("list_deployment_lines", id=row["id"], after=whole("after", after, 0, 2**62), n=n + 1)
        items = [{"line": each["line"], "at": iso(each["at"]), "text": each["text"]} for each in rows[:n]]
        return {"items": items, "next_after": items[-1]["line"] if len(rows) > n else None}

    def supervise(
        self,
        *,
        supervisor: Wanted,
        host: Wanted,
        ready: list[str] | None = None,
        failed: dict[str, dict[str, str]] | None = None,
        leaving: bool = False,
    ) -> dict[str, Any]:
        """A supervisor of workers says how far it is, and is told which versions to prepare and to run.

        Parameters:
          supervisor: its id, the same as long as it lives. `host`: its machine.
          ready: versions that it has prepared. `failed`: those that it cannot, each with ``code`` and ``message``.
          leaving: it ends, and is waited for no more.
        """
        problems = {
            version: {"code": str(why.get("code", "failed"))[:100], "message": str(why.get("message", ""))[:8_000]}
            for version, why in (failed or {}).items()
        }
        environment = self._environment()

        def hear(scene: Scene) -> list[Any]:
            if leaving:
                let_go(scene, supervisor)
                return []
            hear_supervisor(scene, supervisor, host, ready or [], problems)
            return [] if environment["archived_at"] is not None else [*wanted_versions(scene), current_of(scene)]

        found = self._write(hear)
        current = found.pop() if found else None
        versions = [
            _summary(row) | {"is_current": current is not None and current["deployment_id"] == row["id"], "runs": runs}
            for row, runs in found
        ]
        return {"environment": name_of(environment), "versions": versions, "poll_ms": POLL_MS}

    def _promoted(self, act: Callable[[Scene], Any]) -> dict[str, Any]:
        row = self._write(act)
        self._engine.deployments_changed()
        return self._view(row)

    def _end(self, scene: Scene, wanted: str, state: str, error: dict[str, Any] | None) -> Any:
        row = resolve(scene.tx.all, scene.env, wanted)
        end_deployment(scene, row["id"], state, error)
        return resolve(scene.tx.all, scene.env, row["id"])

    def _supervisors(self, version: str) -> list[dict[str, Any]]:
        since = self._engine.clock.now() - SUPERVISOR_MS
        found = []
        for row in self._read("list_supervisors", env=self._engine.env, since=since):
            problem = msgspec.json.decode(row["failed"]).get(version)
            is_ready = version in msgspec.json.decode(row["ready"])
            found.append(
                {
                    "id": row["id"],
                    "host": row["host"],
                    "state": "failed" if problem else "ready" if is_ready else "preparing",
                    "message": None if problem is None else problem["message"],
                    "beat_at": iso(row["beat_at"]),
                }
            )
        return found

    def _view(self, row: Any) -> dict[str, Any]:
        return self._views([row])[0]

    def _views(self, rows: list[Any]) -> list[dict[str, Any]]:
        """Deployments, with what is true of them at the moment."""
        env = self._engine.env
        current = next(iter(self._read("find_current_version", env=env)), None)
        since = self._engine.clock.now() - self._engine.lease_ms
        workers = {row["version"]: row["n"] for row in self._read("workers_of_versions", env=env, since=since)}
        unfinished: Counter[str] = Counter()
        for row in self._read("pinned_runs", env=env):
            unfinished[row["version"]] += row["n"]
        environment = name_of(self._environment())
        return [
            _summary(row)
            | {
                "is_current": current is not None and current["deployment_id"] == row["id"],
                "environment": environment,
                "created_at": iso(row["created_at"]),
                "finished_at": iso(row["finished_at"]),
                "promoted_at": iso(row["promoted_at"]),
                "git": _decoded(row["git"]),
                "tasks": row["tasks"],
                "skip_promotion": bool(row["skip_promotion"]),
                "created_by": row["created_by"],
                "error": _decoded(row["error"]),
                "workers": workers.get(row["version"], 0),
                "unfinished_runs": unfinished[row["version"]],
                "note": row["note"],
            }
            for row in rows
        ]

    def _environment(self) -> Any:
        rows = self._read("find_environment", id=self._engine.env)
        # A store that was never asked about accounts has the environments of its first project by their names.
        return rows[0] if rows else {"kind": self._engine.env, "branch": "", "archived_at": None}

    def _read(self, name: str, **values: Any) -> list[Any]:
        return self._engine.store.read(name, **values)

    def _write(self, act: Callable[[Scene], Any]) -> Any:
        return self._engine.write(act)


def _summary(row: Any) -> dict[str, Any]:
    """What supervisors and clients are told alike."""
    bundle = {"hash": row["bundle_hash"], "bytes": row["bundle_bytes"], "files": row["bundle_files"]}
    return {
        "id": row["id"],
        "version": row["version"],
        "status": row["state"],
        "bundle": None if row["bundle_hash"] is None else bundle,
        "lock_hash": row["lock_hash"],
        "python": row["python"],
        "detent": row["detent"],
    }


def _decoded(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
