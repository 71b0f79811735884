"""`logger`: lines and spans that are kept with the run."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .current import current_run

__all__ = ["Logger", "logger"]

_outside = logging.getLogger("detent.task")


class Logger:
    """Writes to the run it is called in; outside a run, to the standard logger ``detent.task``.

    Attributes are JSON values, shown and searched beside the message.
    """

    def debug(self, message: str, **attributes: Any) -> None:
        self._write("debug", logging.DEBUG, message, attributes)

    def info(self, message: str, **attributes: Any) -> None:
        self._write("info", logging.INFO, message, attributes)

    def warning(self, message: str, **attributes: Any) -> None:
        self._write("warn", logging.WARNING, message, attributes)

    warn = warning

    def error(self, message: str, **attributes: Any) -> None:
        self._write("error", logging.ERROR, message, attributes)

    def trace(self, name: str, **attributes: Any) -> AbstractContextManager[None]:
        """A span: ``with logger.trace("render", pages=3): ...``; also around ``await``."""
        run = current_run.get()
        return nullcontext() if run is None else run.span(str(name), "user", attributes)

    @staticmethod
    def _write(level: str, number: int, message: str, attributes: dict[str, Any]) -> None:
        run = current_run.get()
        if run is not None:
            run.log(level, str(message), attributes or None, "logger")
        else:
            _outside.log(number, "%s%s", message, f" {attributes}" if attributes else "")


logger = Logger()
