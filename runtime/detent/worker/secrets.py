"""The secrets that this process knows, so that nothing that it writes about a run shows one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from threading import Lock

import msgspec

from ..config import Config, own_secrets
from ..embedded import running_server
from ..model.redaction import Redactor, is_secret_name

__all__ = ["RedactingFormatter", "conceal", "learn", "redactor", "reveal"]


#: Variables of the shell that are named like a password and hold a folder.
_FOLDERS = frozenset({"PWD", "OLDPWD"})
#: Secrets of one payload that are looked out for.
_MOST = 64


class _Known:
    """What this process knows: `own` are its own secrets, `of_runs` those in the payloads of the runs that are here."""

    own = Redactor()
    redactor = own
    of_runs: dict[str, set[str]] = {}
    lock = Lock()


def redactor() -> Redactor:
    """What takes secrets out of texts in this process."""
    return _Known.redactor


def conceal(run: str, payload: str) -> None:
    """Until `reveal`, take out of every text what stands under the name of a secret in the payload of a run."""
    if "{" not in payload:
        return
    try:
        found = _Known.own.secrets_in(msgspec.json.decode(payload), _MOST)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return  # whoever reads it for the task says what is wrong with it
    if found:
        with _Known.lock:
            _Known.of_runs[run] = found
            _combine()


def reveal(run: str) -> None:
    """The run is not here any more."""
    if run in _Known.of_runs:
        with _Known.lock:
            _Known.of_runs.pop(run, None)
            _combine()


def _combine() -> None:
    of_runs = set().union(*_Known.of_runs.values())
    _Known.redactor = _Known.own.with_values(of_runs) if of_runs else _Known.own


def learn(secret: Iterable[str], config: Config) -> None:
    """Take the secrets from where this process has them.

    Parameters:
      secret: names of variables whose values are secrets, besides those whose names say so.
      config: its `redact` adds names; detent's own keys are secrets, too.
    """
    names = set(secret)
    values = [
        value for name, value in os.environ.items() if name in names or (name not in _FOLDERS and is_secret_name(name))
    ]
    server = running_server(config.state_dir)
    if server is not None and server.key is not None:
        values.append(server.key)
    with _Known.lock:
        _Known.own = Redactor([*values, *own_secrets(config)], config.redact)
        _combine()


class RedactingFormatter(logging.Formatter):
    """A formatter whose lines show no secret."""

    def format(self, record: logging.LogRecord) -> str:
        return redactor().text(super().format(record))
