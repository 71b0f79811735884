"""Questions in SQL over documented views of an environment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import BoundedSemaphore
from typing import Annotated, Any, Protocol

from msgspec import Meta

from ..errors import ConfigError, InvalidOptions, LimitExceeded
from ..model.redaction import Redactor
from ..store import SqliteStore
from ..store.sandbox import MOST_ROWS, Sandbox
from ..store.sandbox_sqlite import SqliteSandbox
from ..store.store import Store
from .engine import Engine
from .queries import whole
from .query_tables import QUERY_VIEWS, describe_views

__all__ = ["QueryOperations"]

#: Queries of an environment that run at once.
AT_ONCE = 3

RowsLimit = Annotated[int, Meta(ge=1, le=MOST_ROWS)]


class Told(Protocol):
    """Where lines and spans are kept."""

    @property
    def path(self) -> Path | None: ...

    def flush(self) -> bool: ...


class QueryOperations:
    """Queries.

    Parameters:
      engine: whose runs. `telemetry`: their lines and spans, where they are kept.
      redactor: gives what takes secrets out of what users wrote.
    """

    def __init__(self, engine: Engine, telemetry: Told | None, redactor: Callable[[], Redactor] | None = None) -> None:
        self._engine = engine
        self._redactor = redactor
        self._telemetry = telemetry
        #: Made with the first query: what one over PostgreSQL needs takes a while to load.
        self._sandbox: Sandbox | None = None
        self._room = BoundedSemaphore(AT_ONCE)

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {"query": self.ask, "query.schema": self.describe}

    def ask(
        self,
        *,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        limit: RowsLimit = MOST_ROWS,
    ) -> dict[str, Any]:
        """The rows of one SELECT over the views runs, attempts, spans and logs.

        `parameters` stand for ``?`` (a list) or ``:name`` (an object) in it. At most 10 s, 10,000 rows, 10 MB; three
        at once.

        Errors: `InvalidOptions` with near names; `LimitExceeded`.
        """
        if not isinstance(sql, str):
            raise InvalidOptions(f"sql must be a text, got {sql!r}")
        if isinstance(parameters, str) or not isinstance(parameters, Sequence | Mapping):
            raise InvalidOptions(f"parameters must be a list or an object, got {parameters!r}")
        most = whole("limit", limit, 1, MOST_ROWS)
        if not self._room.acquire(blocking=False):
            raise LimitExceeded(f"{AT_ONCE} queries of this environment run already; ask again when one has ended")
        begun = time.perf_counter()
        try:
            if self._telemetry is not None:
                self._telemetry.flush()
            redactor = None if self._redactor is None else self._redactor()
            if self._sandbox is None:
                file = None if self._telemetry is None else self._telemetry.path
                self._sandbox = _sandbox(self._engine.store, file)
            answered = self._sandbox.ask(self._engine.env, sql, parameters, redactor=redactor, most_rows=most)
        finally:
            self._room.release()
        return {
            "columns": answered.columns,
            "rows": answered.rows,
            "is_cut": answered.is_cut,
            "took_ms": round((time.perf_counter() - begun) * 1000, 1),
        }

    def describe(self) -> dict[str, Any]:
        """The views that a query can name, with their columns."""
        return {"views": describe_views()}


def _sandbox(store: Store, telemetry: Path | None) -> Sandbox:
    if isinstance(store, SqliteStore):
        return SqliteSandbox(store.path, telemetry, QUERY_VIEWS)
    from ..store.postgresql import PostgresStore

    if not isinstance(store, PostgresStore):
        raise InvalidOptions("queries are asked of SQLite and PostgreSQL only; this server has another store")
    try:
        from ..store.sandbox_postgresql import PostgresSandbox
        from .query_copies import COPIED_VIEWS, RELATIONS
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"queries over PostgreSQL need {error.name}; install it with `pip install 'detent[postgres]'`"
        ) from None
    return PostgresSandbox(store.url, COPIED_VIEWS, RELATIONS)
