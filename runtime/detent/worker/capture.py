"""`print` and the standard `logging` module inside a run are kept with the run."""

from __future__ import annotations

import io
import logging
import sys
from contextvars import ContextVar
from typing import Any, TextIO

from ..sdk.current import ActiveRun, current_run

__all__ = ["RunLogHandler", "capture", "close_run"]

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"), (0, "debug"))
_handling: ContextVar[bool] = ContextVar("detent_handling_log", default=False)


def capture(level: int = logging.INFO, *, echo: bool) -> None:
    """Capture in this process from now on.

    Parameters:
      level: of the standard logging that is kept.
      echo: also let through what runs print.
    """
    sys.stdout = _Capturing(sys.stdout, "stdout", echo=echo)
    sys.stderr = _Capturing(sys.stderr, "stderr", echo=echo)
    root = logging.getLogger()
    root.addHandler(RunLogHandler(level))
    if root.level == logging.WARNING or root.level == logging.NOTSET or root.level > level:
        root.setLevel(level)


class RunLogHandler(logging.Handler):
    """Writes records to the run in which they were made; others are left to the other handlers."""

    def emit(self, record: logging.LogRecord) -> None:
        run = current_run.get()
        if run is None or _handling.get() or record.name.startswith("detent."):
            return
        token = _handling.set(True)
        try:
            message = record.getMessage()
            if record.exc_info:
                message = f"{message}\n{logging.Formatter().formatException(record.exc_info)}"
            attributes = {"logger": record.name, "file": record.filename, "line": record.lineno}
            run.log(_level(record.levelno), message, attributes, "logging")
        except Exception:
            self.handleError(record)
        finally:
            _handling.reset(token)


class _Capturing(io.TextIOBase):
    """A text stream that gives what is written inside a run to that run, line by line."""

    def __init__(self, through: TextIO, source: str, *, echo: bool) -> None:
        self._through = through
        self._source = source
        self._echo = echo
        self._open_lines: dict[str, str] = {}

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._through.encoding

    @property
    def buffer(self) -> Any:
        return self._through.buffer

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._through.fileno()

    def flush(self) -> None:
        self._through.flush()

    def write(self, text: str) -> int:
        run = current_run.get()
        if run is None:
            return self._through.write(text)
        self._write_to(run, text)
        if self._echo:
            self._through.write(text)
        return len(text)

    def _write_to(self, run: ActiveRun, text: str) -> None:
        run_id = run.ctx.run.id
        *lines, rest = (self._open_lines.pop(run_id, "") + text).split("\n")
        for line in lines:
            run.log("info" if self._source == "stdout" else "warn", line, None, self._source)
        if len(rest) > 65_536:
            run.log("info", rest, None, self._source)
        elif rest:
            self._open_lines[run_id] = rest

    def close_run(self, run: ActiveRun) -> None:
        """Write what the run left without an end of line."""
        rest = self._open_lines.pop(run.ctx.run.id, "")
        if rest:
            run.log("info", rest, None, self._source)


def close_run(run: ActiveRun) -> None:
    """The run has ended: what it printed without an end of line becomes a line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, _Capturing):
            stream.close_run(run)


def _level(number: int) -> str:
    return next(name for least, name in _LEVELS if number >= least)
