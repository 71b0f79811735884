"""What the processes of detent themselves have to say, on standard error: lines for people, or JSON for collectors."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

__all__ = ["FORMATS", "JsonFormatter", "format_of_logs", "log_to_stderr"]

#: Carries the choice into the processes of workers.
VARIABLE = "DETENT_LOG_FORMAT"
FORMATS = ("text", "json")
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `at` (ISO 8601, UTC), `level`, `logger`, `message`, `pid`; `error` with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.shown(record.getMessage()),
            "pid": record.process,
        }
        if record.exc_info:
            line["error"] = self.shown(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)

    def shown(self, text: str) -> str:
        """`text` as it may be seen."""
        return text


def format_of_logs() -> str | None:
    """``text`` or ``json``, where somebody chose one."""
    chosen = os.environ.get(VARIABLE)
    return chosen if chosen in FORMATS else None


def log_to_stderr(kind: str) -> None:
    """Write what this process and its children have to say to standard error.

    Parameters:
      kind: ``text`` or ``json``.
    """
    os.environ[VARIABLE] = kind
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if kind == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("detent").setLevel(logging.INFO)
