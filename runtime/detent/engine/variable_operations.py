"""What clients can ask about environment variables. Answers are plain JSON values, and never hold a secret's value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import Conflict, InvalidOptions, NotFound
from ..model.dotenv import parse_dotenv
from ..vault import Vault
from .engine import Engine
from .scene import Scene
from .variables import Secrets, check_variable, opened, put_variables, shared_environment, variables_in
from .views import iso

__all__ = ["VariableOperations"]

_NOTE = "workers that start from now on see it; those that run keep what they have until they start again"


class VariableOperations:
    """The operations on the variables of one engine's environment.

    Parameters:
      vault: seals the values. `secrets`: is told of changes.
    """

    def __init__(self, engine: Engine, vault: Vault, secrets: Secrets) -> None:
        self._engine = engine
        self._vault = vault
        self._secrets = secrets

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {
            "envvars.create": self.create,
            "envvars.delete": self.delete,
            "envvars.import": self.import_many,
            "envvars.list": self.list,
            "envvars.retrieve": self.retrieve,
            "envvars.update": self.update,
        }

    def list(self) -> dict[str, Any]:
        """The variables by name; the values of those that are no secrets. Of a preview, also those that it has from
        the environment ``preview``."""
        store, env = self._engine.store, self._engine.env
        found = variables_in(store, env, shared_environment(store, env))
        return {"items": [self._view(row, source) for source, row in found]}

    def retrieve(self, *, name: str) -> dict[str, Any]:
        """One variable. Errors: `NotFound`."""
        store, env = self._engine.store, self._engine.env
        rows = store.read("find_variable", env=env, name=name)
        shared = None if rows else shared_environment(store, env)
        if shared is not None:
            env, rows = shared, store.read("find_variable", env=shared, name=name)
        if not rows:
            raise _unknown(name)
        return self._view(rows[0], env)

    def create(self, *, name: str, value: str, is_secret: bool = True) -> dict[str, Any]:
        """Make a variable. Errors: `InvalidOptions`, `LimitExceeded`; `Conflict` when it is there."""
        return self._write(name, value, is_secret, new=True)

    def update(self, *, name: str, value: str, is_secret: bool | None = None) -> dict[str, Any]:
        """Change a variable, or make it. `is_secret`: as it was when None.

        Errors: `InvalidOptions`, `LimitExceeded`.
        """
        return self._write(name, value, is_secret, new=False)

    def delete(self, *, name: str) -> dict[str, Any]:
        """Remove a variable. Errors: `NotFound`."""

        def drop(scene: Scene) -> None:
            if not scene.tx.run("drop_variable", env=scene.env, name=name):
                raise _unknown(name)
            scene.tx.after_commit(self._secrets.forget)

        self._engine.write(drop)
        return {"name": name, "note": _NOTE}

    def import_many(
        self,
        *,
        variables: dict[str, str] | None = None,
        text: str | None = None,
        override: bool = False,
        is_secret: bool = True,
    ) -> dict[str, Any]:
        """Write many variables, all or none: a mapping, or the text of a ``.env`` file. Those that are there are left
        as they are unless `override`. Errors: `InvalidOptions`, `LimitExceeded`."""
        if (variables is None) == (text is None):
            raise InvalidOptions("give the variables as a mapping (variables), or as the text of a .env file (text)")
        if text is not None:
            values: dict[str, Any] = parse_dotenv(_typed("text", text, str, "that of a .env file"))
        else:
            values = dict(_typed("variables", variables, Mapping, "a mapping of names to values"))
        secret, overrides = _flag("is_secret", is_secret), _flag("override", override)
        for name, value in values.items():
            check_variable(name, value)

        def put(scene: Scene) -> dict[str, Any]:
            scene.tx.after_commit(self._secrets.forget)
            made, changed, kept = put_variables(scene, self._vault, values, is_secret=secret, override=overrides)
            return {"created": made, "updated": changed, "skipped": kept, "note": _NOTE}

        return self._engine.write(put)

    def _write(self, name: Any, value: Any, is_secret: Any, *, new: bool) -> dict[str, Any]:
        check_variable(name, value)
        given = None if is_secret is None else _flag("is_secret", is_secret)

        def put(scene: Scene) -> bool:
            scene.tx.after_commit(self._secrets.forget)
            row = scene.tx.one("find_variable", env=scene.env, name=name)
            if row is not None and new:
                raise Conflict(f"the variable {name} is there already; update it instead (PUT, or `detent env set`)")
            secret = given if given is not None else row is None or bool(row["is_secret"])
            put_variables(scene, self._vault, {name: value}, is_secret=secret, override=True)
            return row is None

        created = self._engine.write(put)
        return self.retrieve(name=name) | {"created": created, "note": _NOTE}

    def _view(self, row: Any, env: str) -> dict[str, Any]:
        secret = bool(row["is_secret"])
        return {
            "name": row["name"],
            "is_secret": secret,
            "value": None if secret else opened(self._vault, env, row),
            "inherited": env != self._engine.env,
            "created_at": iso(row["created_at"]),
            "updated_at": iso(row["updated_at"]),
        }


def _typed(name: str, value: Any, kind: type[Any], expected: str) -> Any:
    if not isinstance(value, kind):
        raise InvalidOptions(f"{name} must be {expected}, got {type(value).__name__}")
    return value


def _flag(name: str, value: Any) -> bool:
    return bool(_typed(name, value, bool, "true or false"))


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"no variable {name!r} in this environment; list them with `detent env list`. "
        "What a preview has from the environment preview is changed there: detent --env preview env"
    )
