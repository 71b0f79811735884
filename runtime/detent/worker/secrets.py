"""The secrets that this process knows, so that nothing that it writes about a run shows one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

from ..config import Config, own_secrets
from ..embedded import running_server
from ..model.redaction import Redactor, is_secret_name

__all__ = ["RedactingFormatter", "learn", "redactor"]


class _Known:
    redactor = Redactor()


def redactor() -> Redactor:
    """What takes secrets out of texts in this process."""
    return _Known.redactor


def learn(secret: Iterable[str], config: Config) -> None:
    """Take the secrets from where this process has them.

    Parameters:
      secret: names of variables whose values are secrets, besides those whose names say so.
      config: its `redact` adds names; detent's own keys are secrets, too.
    """
    names = set(secret)
    values = [value for name, value in os.environ.items() if name in names or is_secret_name(name)]
    server = running_server(config.state_dir)
    if server is not None and server.key is not None:
        values.append(server.key)
    _Known.redactor = Redactor([*values, *own_secrets(config)], config.redact)


class RedactingFormatter(logging.Formatter):
    """A formatter whose lines show no secret."""

    def format(self, record: logging.LogRecord) -> str:
        return redactor().text(super().format(record))
