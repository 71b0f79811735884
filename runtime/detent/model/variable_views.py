"""Environment variables as clients see them."""

from __future__ import annotations

from datetime import datetime

from .views import View

__all__ = ["RemovedVariable", "SavedVariable", "Variable", "VariableImport"]


class Variable(View):
    """A variable of an environment. The `value` of a secret is never shown: it is None. `inherited`: a preview has it
    from the environment ``preview``."""

    name: str
    is_secret: bool
    value: str | None = None
    inherited: bool = False
    created_at: datetime
    updated_at: datetime


class SavedVariable(Variable):
    """A variable that was written. `created`: it is new. `note`: which workers see it."""

    created: bool = False
    note: str = ""


class RemovedVariable(View):
    """A variable that was removed. `note`: which workers have it still."""

    name: str
    note: str = ""


class VariableImport(View):
    """What became of the variables of an import, by name. `note`: which workers see them."""

    created: list[str]
    updated: list[str]
    skipped: list[str]
    note: str = ""
