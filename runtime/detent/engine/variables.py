"""Environment variables of environments: kept sealed, given to workers, and their values known to the redactor."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import DetentError, InvalidOptions, LimitExceeded
from ..model.ids import is_id
from ..model.protocol import Variables
from ..model.redaction import Redactor
from ..store import Store, Tx
from ..vault import Vault
from .scene import Scene

__all__ = [
    "Secrets",
    "check_variable",
    "opened",
    "put_variables",
    "seal_all_again",
    "shared_environment",
    "variables_for_worker",
    "variables_in",
]

logger = logging.getLogger("detent.engine")

#: Variables of one environment, characters of a name, bytes of a value.
MOST, NAME_CHARS, VALUE_BYTES = 1_000, 256, 64 * 1024
#: The kind of environment where the variables of the process win over those kept here: the one of developers.
_YIELDING = "dev"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_variable(name: Any, value: Any) -> None:
    """Errors: `InvalidOptions` for a name or a value that no process could have; `LimitExceeded`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidOptions(
            f"the name of a variable has letters, digits and underscores, and no digit in front; got {name!r}"
        )
    if len(name) > NAME_CHARS:
        raise LimitExceeded(f"the name of a variable has at most {NAME_CHARS} characters, got {len(name)}")
    if name.upper().startswith("DETENT_"):
        raise InvalidOptions(
            f"{name} cannot be kept here: DETENT_ begins the names of detent's own settings, "
            "which are set where the server and the workers are started"
        )
    if not isinstance(value, str):
        raise InvalidOptions(f"the value of {name} must be text, got {type(value).__name__}; put it in quotes")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidOptions(f"the value of {name} has a lone surrogate, which is not Unicode text") from None
    if "\0" in value:
        raise InvalidOptions(f"the value of {name} has a NUL character, which no process can take; remove it")
    if size > VALUE_BYTES:
        raise LimitExceeded(
            f"the value of {name} has {size:,} bytes; the limit is {VALUE_BYTES:,}. "
            "Put it into a file or an object store, and its address into the variable"
        )


def put_variables(
    scene: Scene, vault: Vault, values: Mapping[str, str], *, is_secret: bool, override: bool
) -> tuple[list[str], list[str], list[str]]:
    """Write variables: the names of those made, changed, and, without `override`, left as they were.

    Errors: `LimitExceeded`.
    """
    known = {row["name"] for row in scene.tx.all("list_variables", env=scene.env)}
    made = [name for name in values if name not in known]
    there = [name for name in values if name in known]
    if len(known) + len(made) > MOST:
        raise LimitExceeded(
            f"an environment has at most {MOST:,} variables; it has {len(known):,}, and {len(made):,} more do not fit"
        )
    for name in (*made, *(there if override else ())):
        _put(scene, vault, name, values[name], is_secret)
    return made, there if override else [], [] if override else there


def _put(scene: Scene, vault: Vault, name: str, value: str, is_secret: bool) -> None:
    sealed = vault.seal(value, _context(scene.env, name))
    scene.tx.run("put_variable", env=scene.env, name=name, sealed=sealed, is_secret=int(is_secret), now=scene.now)


def opened(vault: Vault, env: str, row: Any) -> str:
    """The value of a variable. Errors: `StoreError`."""
    return vault.open(row["sealed"], _context(env, row["name"]))


def variables_for_worker(store: Store, vault: Vault, env: str) -> Variables:
    """What a worker of `env` is given when it starts; one whose key is lost is left out, and named in the log."""
    values: dict[str, str] = {}
    secret: list[str] = []
    for source, row in variables_in(store, env, shared_environment(store, env)):
        try:
            values[row["name"]] = opened(vault, source, row)
        except DetentError as error:
            logger.error("the variable %s is not given to workers: %s", row["name"], error)  # noqa: TRY400  # for people
            continue
        if row["is_secret"]:
            secret.append(row["name"])
    kinds = [row["kind"] for row in store.read("find_environment", id=env)]
    return Variables(values, secret, yields=(kinds or [env])[0] == _YIELDING)


def shared_environment(store: Store, env: str) -> str | None:
    """The id of the environment whose variables a preview has too; None of one that is no preview, and as long as
    there are none."""
    rows = store.read("find_shared_environment", env=env) if is_id("env", env) else []
    return str(rows[0]["id"]) if rows else None


def variables_in(store: Store, env: str, shared: str | None) -> list[tuple[str, Any]]:
    """The rows of the variables of `env` by name, each with the environment that it is kept in. Its own win over those
    of `shared`."""
    found = {row["name"]: (env, row) for row in store.read("list_variables", env=env)}
    if shared is not None:
        found = {row["name"]: (shared, row) for row in store.read("list_variables", env=shared)} | found
    return [found[name] for name in sorted(found)]


def seal_all_again(store: Store, vault: Vault) -> int:
    """Seal with the newest key what older ones have sealed, so that those can be given up; how many variables."""
    old = [dict(row) for row in store.read("list_sealed") if not vault.is_newest(row["sealed"])]
    changes: list[dict[str, str]] = []
    for row in old:
        context = _context(row["env"], row["name"])
        try:
            sealed = vault.seal(vault.open(row["sealed"], context), context)
        except DetentError as error:
            logger.error("the variable %s: %s", row["name"], error)  # noqa: TRY400  # for people
            continue
        changes.append({"env": row["env"], "name": row["name"], "before": row["sealed"], "sealed": sealed})

    def write(tx: Tx) -> int:
        return tx.many("seal_again", changes)

    return store.write(write) if changes else 0


class Secrets:
    """The redactor for the views of one environment, made again when its variables have changed.

    Parameters:
      hidden: further values that are never shown. `names`: see `Redactor`.
    """

    def __init__(
        self, store: Store, vault: Vault, env: str, hidden: Iterable[str] = (), names: Iterable[str] = ()
    ) -> None:
        self._store = store
        self._vault = vault
        self._env = env
        self._hidden = tuple(hidden)
        self._names = tuple(names)
        self._stamp: tuple[Any, ...] | None = None
        self._redactor = Redactor()

    def redactor(self) -> Redactor:
        """The present one."""
        shared = shared_environment(self._store, self._env)
        stamp: tuple[Any, ...] = (shared,)
        for env in (self._env, shared):
            if env is not None:
                [row] = self._store.read("stamp_of_variables", env=env)
                stamp += (row["n"], row["at"])
        if stamp != self._stamp:
            self._redactor = Redactor([*self._hidden, *self._values(shared)], self._names)
            self._stamp = stamp
        return self._redactor

    def forget(self) -> None:
        """The variables have changed: two changes of one millisecond have the same stamp."""
        self._stamp = None

    def _values(self, shared: str | None) -> list[str]:
        values: list[str] = []
        for env, row in variables_in(self._store, self._env, shared):
            if row["is_secret"]:
                try:
                    values.append(opened(self._vault, env, row))
                except DetentError:
                    logger.debug("the variable %s cannot be opened", row["name"])
        return values


def _context(env: str, name: str) -> str:
    return f"{env}\0{name}"
