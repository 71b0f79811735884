"""What holders of keys can ask about environments: which there are, previews of branches, archiving them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..errors import Conflict, LimitExceeded, NotFound, near_names
from ..model.branches import PREVIEW, check_branch, preview_name
from ..model.ids import new_id
from ..model.limits import NAME_CHARS
from ..store import Tx
from .accounts import Accounts, environment_named, name_of
from .keys import KINDS, keep_key, new_key
from .principal import Principal
from .views import environment_view, key_view, listed_environment

__all__ = ["EnvironmentOperations", "NoUpkeep", "Upkeep"]

#: Environments of one project that are not archived.
MOST = 1_000


class Upkeep(Protocol):
    """What becomes of the things in an environment that is archived or brought back, by its id."""

    def archived(self, env: str) -> int:
        """End what goes on in it; how many unfinished runs there were. Doing it again does what is left."""
        ...

    def returned(self, env: str) -> None:
        """Let go on what may."""
        ...


class NoUpkeep:
    """Where nothing happens in environments."""

    def archived(self, env: str) -> int:  # noqa: ARG002
        """Nothing to end."""
        return 0

    def returned(self, env: str) -> None:
        """Nothing to go on."""


class EnvironmentOperations:
    """The operations on environments, for one holder of a key.

    Parameters:
      who: finds out who asks. `project_of`: the row of a project, by id or slug, where they have a scope.
      upkeep: what is to be done about the runs of environments that are archived.
    """

    def __init__(
        self,
        accounts: Accounts,
        who: Callable[[], Principal],
        project_of: Callable[[str, str], Any],
        upkeep: Upkeep,
    ) -> None:
        self._accounts = accounts
        self._who = who
        self._project_of = project_of
        self._upkeep = upkeep

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {
            "environments.list": self.list_environments,
            "environments.create": self.create_environment,
            "environments.archive": self.archive_environment,
        }

    def list_environments(self, *, project: str | None = None, archived: bool = True) -> dict[str, Any]:
        """The environments of a project; of this key's own when None. `archived`: also those."""
        rows = self._rows(self._project_of(project or self._who().project_id, "environments:read")["id"])
        return {"items": [listed_environment(row) for row in rows if archived or row["archived_at"] is None]}

    def create_environment(self, *, branch: str, project: str | None = None, key: bool = True) -> dict[str, Any]:
        """Make the environment ``preview/BRANCH``, or bring it back when it is archived; the one that is there
        already when the branch has one.

        Parameters:
          branch: as git has it, with its slashes.
          key: give a new environment a key of its own. Its secret is in this answer, and nowhere else.

        Errors: `InvalidOptions`; `NotFound`; `LimitExceeded`.
        """
        found = self._project_of(project or self._who().project_id, "environments:write")
        named = check_branch(branch)
        now = self._accounts.now()
        values = {"project_id": found["id"], "kind": PREVIEW, "branch": named}
        made = new_key(KINDS[PREVIEW]) if key else None

        def put(tx: Tx) -> tuple[Any, bool, bool]:
            before = tx.one("find_branch", **values)
            if before is None or before["archived_at"] is not None:
                self._check_room(tx, found["id"])
            if before is None:
                env = new_id("env", now)
                tx.run("insert_environment", id=env, now=now, **values)
                if made is not None:
                    keep_key(tx, made, preview_name(named)[:NAME_CHARS], now, env=env)
            elif before["archived_at"] is not None:
                tx.run("unarchive_environment", **values)
            row = tx.one("find_branch", **values)
            return row, before is None, before is not None and before["archived_at"] is not None

        row, created, returned = self._accounts.write(put)
        if returned:
            self._upkeep.returned(row["id"])
        told = None
        if created and made is not None:
            told = key_view(self._accounts.read("find_key_by_id", id=made.id)[0]) | {"secret": made.text}
        return environment_view(row) | {"created": created, "returned": returned, "key": told}

    def archive_environment(self, *, id: str) -> dict[str, Any]:
        """Archive a preview environment: its keys are refused from then on, nothing is triggered any more, its
        unfinished runs are cancelled. Its runs, keys and variables are kept. Asked again it does what was left.

        Errors: `NotFound`; `Conflict` for the others.
        """
        rows = self._rows(self._who().project_id)
        env = next((row for row in rows if environment_named(row, id)), None)
        if env is None:
            raise NotFound(near_names("environment", id, [name_of(row) for row in rows if row["archived_at"] is None]))
        if env["kind"] != PREVIEW or not env["branch"]:
            raise Conflict(f"{name_of(env)!r} cannot be archived; only previews of branches can")
        now = self._accounts.now()
        self._accounts.write(lambda tx: tx.run("archive_environment", id=env["id"], now=now))
        canceled = self._upkeep.archived(env["id"])
        return {"id": env["id"], "name": name_of(env), "archived": True, "canceled_runs": canceled}

    def _rows(self, project_id: str) -> list[Any]:
        return self._accounts.read("list_environments", project_id=project_id)

    def _check_room(self, tx: Tx, project_id: str) -> None:
        there = sum(row["archived_at"] is None for row in tx.all("list_environments", project_id=project_id))
        if there >= MOST:
            raise LimitExceeded(
                f"a project has at most {MOST:,} environments that are not archived; "
                "archive those whose branch is gone: detent preview archive --gone"
            )
