"""The environment variables of a client's environment, blocking and awaited."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from ..errors import InvalidOptions
from ..model.transport import Transport
from ..model.variable_views import SavedVariable, Variable, VariableImport
from .calls import Call

__all__ = ["AsyncVariablesResource", "VariablesResource"]


class VariablesResource:
    """Environment variables, given to workers when they start. The values of secrets can be written, never read.

    Workers that start after a change see it; those that run keep what they have.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> builtins.list[Variable]:
        """The variables by name, without the values of secrets."""
        return _list().ask(self._transport)

    def retrieve(self, name: str) -> Variable:
        """One variable; the `value` of a secret is None. Errors: `NotFound`."""
        return _retrieve(name).ask(self._transport)

    def create(self, name: str, value: str, *, is_secret: bool = True) -> SavedVariable:
        """Make a variable.

        Parameters:
          name: letters, digits and underscores; not beginning with ``DETENT_``. `value`: at most 64 KiB.
          is_secret: its value can never be read again, and is taken out of logs, errors and views.

        Errors: `Conflict` when it is there already; `InvalidOptions`, `LimitExceeded`.
        """
        return _create(name, value, is_secret).ask(self._transport)

    def update(self, name: str, value: str, *, is_secret: bool | None = None) -> SavedVariable:
        """Change a variable, or make it. `is_secret`: as it was when None; a new one is a secret.

        Errors: `InvalidOptions`, `LimitExceeded`.
        """
        return _update(name, value, is_secret).ask(self._transport)

    def delete(self, name: str) -> None:
        """Remove a variable. Errors: `NotFound`."""
        _delete(name).ask(self._transport)

    def upload(
        self, variables: Mapping[str, str] | str, *, override: bool = False, is_secret: bool = True
    ) -> VariableImport:
        """Write many variables, all or none.

        Parameters:
          variables: a mapping, or the text of a ``.env`` file.
          override: change those that are there already; they are left as they are otherwise.

        Errors: `InvalidOptions`, `LimitExceeded`.
        """
        return _upload(variables, override, is_secret).ask(self._transport)


class AsyncVariablesResource:
    """Environment variables, given to workers when they start. The values of secrets can be written, never read.

    Workers that start after a change see it; those that run keep what they have.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> builtins.list[Variable]:
        """The variables by name, without the values of secrets."""
        return await _list().ask_async(self._transport)

    async def retrieve(self, name: str) -> Variable:
        """One variable; the `value` of a secret is None. Errors: `NotFound`."""
        return await _retrieve(name).ask_async(self._transport)

    async def create(self, name: str, value: str, *, is_secret: bool = True) -> SavedVariable:
        """Make a variable.

        Parameters:
          name: letters, digits and underscores; not beginning with ``DETENT_``. `value`: at most 64 KiB.
          is_secret: its value can never be read again, and is taken out of logs, errors and views.

        Errors: `Conflict` when it is there already; `InvalidOptions`, `LimitExceeded`.
        """
        return await _create(name, value, is_secret).ask_async(self._transport)

    async def update(self, name: str, value: str, *, is_secret: bool | None = None) -> SavedVariable:
        """Change a variable, or make it. `is_secret`: as it was when None; a new one is a secret.

        Errors: `InvalidOptions`, `LimitExceeded`.
        """
        return await _update(name, value, is_secret).ask_async(self._transport)

    async def delete(self, name: str) -> None:
        """Remove a variable. Errors: `NotFound`."""
        await _delete(name).ask_async(self._transport)

    async def upload(
        self, variables: Mapping[str, str] | str, *, override: bool = False, is_secret: bool = True
    ) -> VariableImport:
        """Write many variables, all or none.

        Parameters:
          variables: a mapping, or the text of a ``.env`` file.
          override: change those that are there already; they are left as they are otherwise.

        Errors: `InvalidOptions`, `LimitExceeded`.
        """
        return await _upload(variables, override, is_secret).ask_async(self._transport)


def _list() -> Call[list[Variable]]:
    return Call("envvars.list", {}, lambda answer: [Variable.model_validate(item) for item in answer["items"]])


def _retrieve(name: str) -> Call[Variable]:
    return Call("envvars.retrieve", {"name": _checked(name)}, Variable.model_validate)


def _create(name: str, value: str, is_secret: bool) -> Call[SavedVariable]:
    values = {"name": _checked(name), "value": value, "is_secret": is_secret}
    return Call("envvars.create", values, SavedVariable.model_validate)


def _update(name: str, value: str, is_secret: bool | None) -> Call[SavedVariable]:
    values = {"name": _checked(name), "value": value, "is_secret": is_secret}
    return Call("envvars.update", values, SavedVariable.model_validate)


def _delete(name: str) -> Call[None]:
    return Call("envvars.delete", {"name": _checked(name)}, lambda _: None)


def _upload(variables: Mapping[str, str] | str, override: bool, is_secret: bool) -> Call[VariableImport]:
    values: dict[str, Any] = {"override": override, "is_secret": is_secret}
    if isinstance(variables, str):
        values["text"] = variables
    else:
        values["variables"] = dict(variables)
    return Call("envvars.import", values, VariableImport.model_validate)


def _checked(name: str) -> str:
    # It becomes part of an address, where an empty one would lead to the list.
    if not name or "/" in name:
        raise InvalidOptions(f"the name of a variable has letters, digits and underscores; got {name!r}")
    return name
