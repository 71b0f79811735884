"""Which store a database URL means."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .sqlite import SqliteStore

if TYPE_CHECKING:
    from .postgresql import PostgresStore

__all__ = ["open_database"]


def open_database(
    url: str,
    path: Path | None,
    sync: str = "NORMAL",
    guard: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> SqliteStore | PostgresStore:
    """Open the store of a project, and bring it to the present schema.

    Parameters:
      url: ``sqlite:///...`` or ``postgresql://...``. `path`: the file that the first one means; None for the other.
      sync, guard: of a file, see `SqliteStore`.

    Errors: `StoreError`; `ConfigError` where what a URL needs is not installed.
    """
    if path is not None:
        return SqliteStore(path, sync, guard)
    try:
        from .postgresql import PostgresStore
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"DETENT_DATABASE_URL names a PostgreSQL database, which needs {error.name}; "
            "install it with `pip install 'detent[postgres]'`"
        ) from None
    return PostgresStore(url)
