"""`print` and the standard `logging` module inside a run are kept with the run."""

from __future__ import annotations

import io
import logging
import sys
from contextvars import ContextVar
from typing import Any, TextIO

from ..sdk.current import ActiveRun, current_run
from .secrets import redactor

__all__ = ["Capture", "RunLogHandler", "capture", "close_run", "renew"]

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"), (0, "debug"))
#: A line without end is cut into lines of so many characters.
_LINE_CHARS = 16_384
_handling: ContextVar[bool] = ContextVar("detent_handling_log", default=False)


class Capture:
    """What runs of this process print and log is kept with them, until `close`."""

    def __init__(self, level: int, *, echo: bool) -> None:
        self._echo = echo
        self._handler = RunLogHandler(level)
        root = logging.getLogger()
        self._level_before = root.level
        root.addHandler(self._handler)
        if root.level == logging.NOTSET or root.level > level:
            root.setLevel(level)
        self.renew()

    def renew(self) -> None:
        """Take the streams again, if somebody (a test runner, say) has set others."""
        if not isinstance(sys.stdout, _Capturing):
            sys.stdout = _Capturing(sys.stdout, "stdout", "info", echo=self._echo)
        if not isinstance(sys.stderr, _Capturing):
            sys.stderr = _Capturing(sys.stderr, "stderr", "warn", echo=self._echo)

    def close(self) -> None:
        """Capture no more."""
        _active.remove(self)
        root = logging.getLogger()
        root.removeHandler(self._handler)
        if root.level == self._handler.level:
            root.setLevel(self._level_before)
        if not _active:
            sys.stdout = _uncovered(sys.stdout)
            sys.stderr = _uncovered(sys.stderr)


_active: list[Capture] = []


def capture(level: int = logging.INFO, *, echo: bool) -> Capture:
    """Capture in this process from now on.

    Parameters:
      level: of the standard logging that is kept.
      echo: also let through what runs print.
    """
    made = Capture(level, echo=echo)
    _active.append(made)
    return made


def renew() -> None:
    """A run starts: what captures goes on doing so."""
    if _active:
        _active[-1].renew()


def close_run(run: ActiveRun) -> None:
    """The run has ended: what it printed without an end of line becomes a line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, _Capturing):
            stream.close_run(run)


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

    def __init__(self, through: TextIO, source: str, level: str, *, echo: bool) -> None:
        self.through = through
        self._source = source
        self._level = level
        self._echo = echo
        self._open_lines: dict[str, list[str]] = {}
        self._lengths: dict[str, int] = {}

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there
        return self.through.encoding

    @property
    def buffer(self) -> Any:
        return self.through.buffer

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self.through.fileno()

    def flush(self) -> None:
        self.through.flush()

    def write(self, text: str) -> int:
        run = current_run.get()
        if run is None:
            self.through.write(redactor().text(text))
            return len(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._write_to(run, text)
        if self._echo:
            self.through.write(redactor().text(text))
        return len(text)

    def _write_to(self, run: ActiveRun, text: str) -> None:
        run_id = run.run_id
        if "\n" in text:
            first, *lines = text.split("\n")
            run.log(self._level, self._taken(run_id) + first, None, self._source)
            text = lines.pop()
            for line in lines:
                run.log(self._level, line, None, self._source)
        if text:
            self._open_lines.setdefault(run_id, []).append(text)
            length = self._lengths[run_id] = self._lengths.get(run_id, 0) + len(text)
            if length >= _LINE_CHARS:
                long = self._taken(run_id)
                for start in range(0, length, _LINE_CHARS):
                    run.log(self._level, long[start : start + _LINE_CHARS], None, self._source)

    def _taken(self, run_id: str) -> str:
        self._lengths.pop(run_id, None)
        return "".join(self._open_lines.pop(run_id, ()))

    def close_run(self, run: ActiveRun) -> None:
        """Write what the run left without an end of line."""
        if rest := self._taken(run.run_id):
            run.log(self._level, rest, None, self._source)


def _uncovered(stream: TextIO) -> TextIO:
    return stream.through if isinstance(stream, _Capturing) else stream


def _level(number: int) -> str:
    return next(name for least, name in _LEVELS if number >= least)
