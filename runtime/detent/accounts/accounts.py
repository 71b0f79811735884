"""The accounts of one store, and whose key it is."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import msgspec

from ..errors import NotFound, Unauthorized, near_names
from ..model.branches import ARCHIVED, PREVIEW
from ..model.ids import new_id
from ..model.slug import slug_in
from ..store import Store, Tx
from .keys import KINDS, hash_of
from .principal import Principal
from .public_tokens import PublicTokens, read_public_scopes
from .scopes import KEY, ROLES

__all__ = ["WRONG_KEY", "Accounts", "Wanted", "environment_named", "key_kind", "name_of", "slug_of"]

T = TypeVar("T")

#: How often the last use of a key is written down, in milliseconds.
_USE_MS = 60_000
#: How long it may take until a key that another process revoked is refused here, in milliseconds.
_KNOWN_MS = 2_000
_MOST_KNOWN = 10_000
_SECRET = "public_token_secret"  # noqa: S105  # the name of the setting
WRONG_KEY = (
    "the key is missing or wrong; send `Authorization: Bearer KEY` with a key of this server "
    "(DETENT_SECRET_KEY; of a local server it stands in .detent/key)"
)


class Wanted(NamedTuple):
    """What a request is about, as it says.

    `project`, `environment`: a slug or an id, and ``dev``, ``staging``, ``prod`` or ``preview/BRANCH``. A key of an
    environment may name its own only. `folder`: slug of the project that the asking folder is about, which is meant
    where `project` is not said and the key reaches it. `of_any`: any project will do.
    """

    project: str | None = None
    environment: str | None = None
    folder: str | None = None
    of_any: bool = False


class Accounts:
    """Organisations, projects, environments, people and keys of one store. May be used from any thread.

    Parameters:
      store: where they are kept. `now`: the store's clock, in milliseconds since 1970.
      project: slug of the project that a new store begins with; its environments are ``dev``, ``staging``, ``prod``.
    """

    def __init__(self, store: Store, now: Callable[[], int], project: str = "default") -> None:
        self._store = store
        self.now = now
        self._project = project
        self._lock = Lock()
        self._known: dict[tuple[str, Wanted], tuple[int, Principal]] = {}
        self._changes = 0
        self._used: dict[str, int] = {}
        self._public: PublicTokens | None = None
        self._local_keys: set[str] = set()

    # The store.

    def write(self, act: Callable[[Tx], T]) -> T:
        """Run `act` in a transaction; what it returns. Keys that are remembered are looked up again after it."""
        try:
            return self._store.write(act)
        finally:
            with self._lock:
                self._changes += 1
                self._known.clear()

    def read(self, statement: str, **values: Any) -> list[Any]:
        """The rows of a statement."""
        return self._store.read(statement, **values)

    def seed(self) -> None:
        """Make the first organisation and project of a new store."""
        if not self.read("count_organizations")[0]["n"]:
            self._store.write(self._make_first)

    def _make_first(self, tx: Tx) -> None:
        now = self.now()
        org, project = new_id("org", now), new_id("proj", now)
        if not tx.run("insert_first_organization", id=org, slug="default", name="Default", now=now):
            return
        tx.run("insert_project", id=project, org_id=org, slug=self._project, name=self._project, now=now)
        for kind in ("dev", "staging", "prod"):
            tx.run("insert_environment", id=kind, project_id=project, kind=kind, branch="", now=now)

    # Who asks.

    def trust(self, key: str) -> None:
        """Whoever has `key` owns this server: it stands in the project's folder, or in the server's own settings."""
        self._local_keys.add(hash_of(key))

    def owner(self, env: str | None = None, project: str | None = None) -> Principal:
        """Whoever can read the project's own folder: they may do everything, here in `env`, its name or id.

        Errors: `NotFound`.
        """
        if project is None and env is not None:
            row = next(iter(self.read("find_environment", id=env)), None)
            project = None if row is None else row["project_id"]
        return self._at(Principal("local", "local", role="owner"), None, Wanted(project, env))

    def known(self, key: str, wanted: Wanted) -> Principal | None:
        """What `principal_of` found a moment ago, without looking again."""
        found = self._known.get((hash_of(key), wanted))
        return found[1] if found is not None and self.now() < found[0] else None

    def principal_of(self, key: str, wanted: Wanted = Wanted()) -> Principal:  # noqa: B008  # a value like any other
        """The holder of `key`. `wanted`: what their request is about.

        Errors: `Unauthorized`; `NotFound` for a project or environment that is not there for this person.
        """
        before = self._changes
        found = self._find(key, wanted)
        with self._lock:
            # What changed meanwhile may be this very key.
            if before == self._changes:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[hash_of(key), wanted] = (self.now() + _KNOWN_MS, found)
        return found

    def _find(self, key: str, wanted: Wanted) -> Principal:
        hashed = hash_of(key)
        if hashed in self._local_keys:
            return self._at(Principal("local", "local", role="owner"), None, wanted)
        if not key.startswith("dt_"):
            return self._of_public_token(key, wanted.project, wanted.environment)
        row = next(iter(self.read("find_key", hash=hashed)), None)
        if row is None:
            raise Unauthorized(WRONG_KEY)
        now = self.now()
        if row["revoked_at"] is not None and row["revoked_at"] <= now:
            raise Unauthorized("this key has been revoked; use another one")
        if row["expires_at"] is not None and row["expires_at"] <= now:
            raise Unauthorized("this key has expired; use another one")
        self._note_use(row["id"], now)
        given = None if row["scopes"] is None else frozenset(msgspec.json.decode(row["scopes"], type=list[str]))
        if row["env"] is not None:
            return _of_environment(row, given, wanted.project, wanted.environment)
        return self._at(Principal("personal", row["id"], person_id=row["person_id"]), given, wanted)

    @property
    def public_tokens(self) -> PublicTokens:
        """The public tokens of this store."""
        if self._public is None:
            rows = self.read("find_setting", name=_SECRET)
            self._public = PublicTokens(rows[0]["value"] if rows else self._store.write(_kept_secret))
        return self._public

    def _of_public_token(self, text: str, project: str | None, environment: str | None) -> Principal:
        if text.count(".") != 2:
            raise Unauthorized(WRONG_KEY)
        claims = self.public_tokens.read(text)
        env = str(claims["sub"])
        row = next(iter(self.read("find_environment", id=env)), None)
        if row is None or row["archived_at"] is not None:
            raise Unauthorized("the environment of this public token is no longer there")
        if project is not None or environment is not None:
            raise NotFound("a public token is for one thing of its own environment; leave project and environment out")
        return Principal(
            "public",
            f"public_{claims.get('jti', '')}",
            row["id"],
            name_of(row),
            row["project_id"],
            row["org_id"],
            things=read_public_scopes(claims["scopes"]),
        )

    def _at(self, principal: Principal, given: frozenset[str] | None, said: Wanted) -> Principal:
        """`principal` in the environment that the request names."""
        rows = self._reach(principal.person_id)
        if not rows:
            raise Unauthorized("the person of this key is in no organisation any more")
        known = sorted({row["project_slug"] for row in rows})
        project, environment = said.project, said.environment
        if project is None and said.folder in known and all(row["id"] != environment for row in rows):
            project = said.folder
        if project is not None:
            of_project = [row for row in rows if project in (row["project_slug"], row["project_id"])]
        elif principal.kind == "local":
            named = [row for row in rows if environment == row["id"]]
            of_project = named or [row for row in rows if row["project_id"] == rows[0]["project_id"]]
        elif said.of_any:
            of_project = [row for row in rows if row["project_id"] == rows[0]["project_id"]]
        elif len({row["project_id"] for row in rows}) > 1:
            raise NotFound(f"say which project in the header x-detent-project; this key reaches: {', '.join(known)}")
        else:
            of_project = rows
        if not of_project:
            raise NotFound(near_names("project", project or "", known))
        wanted = environment or "dev"
        row = next((row for row in of_project if environment_named(row, wanted)), None)
        if row is None and said.of_any:
            row = of_project[0]
        if row is None and wanted == PREVIEW:
            row = self._shared(of_project[0])
        if row is None:
            self._refuse_archived(of_project[0]["project_id"], wanted)
            raise NotFound(near_names("environment", wanted, [name_of(row) for row in of_project]))
        role = principal.role or row["role"]
        limits = (ROLES[role],) if given is None else (ROLES[role], given)
        return replace(
            principal,
            env=row["id"],
            env_name=name_of(row),
            project_id=row["project_id"],
            org_id=row["org_id"],
            limits=limits,
            role=role,
        )

    def _shared(self, beside: Any) -> dict[str, Any]:
        """The environment ``preview``, for what all previews have in common. It is made when it is asked for first."""
        values = {"project_id": beside["project_id"], "kind": PREVIEW, "branch": ""}
        now = self.now()
        self.write(lambda tx: tx.run("insert_environment", id=new_id("env", now), now=now, **values))
        [row] = self.read("find_branch", **values)
        return {**dict(beside), "id": row["id"], "kind": PREVIEW, "branch": ""}

    def _refuse_archived(self, project_id: str, wanted: str) -> None:
        for row in self.read("list_environments", project_id=project_id):
            if row["archived_at"] is not None and environment_named(row, wanted):
                raise NotFound(
                    f"the environment {name_of(row)} {ARCHIVED}; deploying its branch brings it back, "
                    f"or: detent preview create --branch {row['branch']}"
                )

    def _reach(self, person_id: str | None) -> list[Any]:
        rows = self.read("environments_in_reach", person_id=person_id)
        if rows or person_id is not None:
            return rows
        self.seed()
        return self.read("environments_in_reach", person_id=person_id)

    def _note_use(self, key_id: str, now: int) -> None:
        if now - self._used.get(key_id, -_USE_MS) >= _USE_MS:
            self._used[key_id] = now
            self._store.write(lambda tx: tx.run("use_key", id=key_id, now=now))


def _of_environment(row: Any, given: frozenset[str] | None, project: str | None, environment: str | None) -> Principal:
    if row["archived_at"] is not None:
        raise Unauthorized(
            f"the environment of this key, {name_of(row)}, is archived; deploying its branch brings it back"
        )
    if environment is not None and not environment_named({**dict(row), "id": row["env"]}, environment):
        raise NotFound(f"this key is for {name_of(row)!r}, not for {environment!r}; use a key of that environment")
    if project is not None and project not in (row["project_id"], row["project_slug"]):
        raise NotFound(f"this key is for the project {row['project_slug']!r}, not for {project!r}")
    limits = (KEY,) if given is None else (KEY, given)
    return Principal("key", row["id"], row["env"], name_of(row), row["project_id"], row["org_id"], limits)


def slug_of(name: str) -> str:
    """A name as a slug: lower-case letters, digits and dashes."""
    return slug_in(name) or "default"


def name_of(row: Any) -> str:
    """An environment's name: its kind, of a preview with the branch."""
    return f"{row['kind']}/{row['branch']}" if row["branch"] else str(row["kind"])


def environment_named(row: Any, wanted: str) -> bool:
    """Whether `wanted` is the id or the name of an environment."""
    return wanted == row["id"] or unicodedata.normalize("NFC", wanted) == name_of(row)


def key_kind(row: Any) -> str:
    """What stands in the keys of an environment."""
    return KINDS[row["kind"]]


def _kept_secret(tx: Tx) -> str:
    tx.run("keep_setting", name=_SECRET, value=secrets.token_hex(32))
    row = tx.one("find_setting", name=_SECRET)
    if row is None:
        raise RuntimeError("a setting that was kept is not there")
    return str(row["value"])
