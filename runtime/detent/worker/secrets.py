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
from ..process_logs import JsonFormatter
from ..sdk.current import current_run

__all__ = ["RedactingFormatter", "RedactingJsonFormatter", "conceal", "learn", "redactor", "reveal"]


#: Variables of the shell that are named like a password and hold a folder.
_FOLDERS = frozenset({"PWD", "OLDPWD"})
#: Secrets of one payload that are looked out for.
_MOST = 64


class _Known:
    """What this process knows: `own` are its own secrets, `of_runs` those in the payloads of the runs that are here,
    each with the names of the frames that hold it. `together` is for text of which nobody knows whose it is."""

    own = Redactor()
    of_runs: dict[str, tuple[Redactor, set[str], set[str]]] = {}
    together: Redactor | None = own
    lock = Lock()


def redactor() -> Redactor:
    """What takes secrets out of the texts of the run that is executed here, or of no run."""
    if not _Known.of_runs:
        return _Known.own
    run = current_run.get()
    if run is not None:
        held = _Known.of_runs.get(run.run_id)
        return _Known.own if held is None else held[0]
    return _Known.together or _combined()


def conceal(name: str, payload: str) -> None:
    """Until `reveal`, take out of the texts of a run what stands under the name of a secret in its payload.

    Parameters:
      name: of the run's frame.
    """
    if "{" not in payload:
        return
    try:
        found = _Known.own.secrets_in(msgspec.json.decode(payload), _MOST)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return  # whoever reads it for the task says what is wrong with it
    if not found:
        return
    run_id = name.partition("/")[0]
    with _Known.lock:
        held = _Known.of_runs.get(run_id)
        names = {name} if held is None else held[2] | {name}
        _Known.of_runs[run_id] = (_Known.own.with_values(found), found, names)
        _Known.together = None


def reveal(name: str) -> None:
    """The frame is not here any more."""
    if not _Known.of_runs:
        return
    run_id = name.partition("/")[0]
    with _Known.lock:
        held = _Known.of_runs.get(run_id)
        if held is not None:
            held[2].discard(name)
            if not held[2]:
                del _Known.of_runs[run_id]
                _Known.together = None


def _combined() -> Redactor:
    with _Known.lock:
        found = set().union(*(values for _, values, _ in _Known.of_runs.values()))
        _Known.together = _Known.own.with_values(found) if found else _Known.own
        return _Known.together


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
        _Known.together = None


class RedactingFormatter(logging.Formatter):
    """A formatter whose lines show no secret."""

    def format(self, record: logging.LogRecord) -> str:
        return redactor().text(super().format(record))


class RedactingJsonFormatter(JsonFormatter):
    """The same for lines of JSON."""

    def shown(self, text: str) -> str:
        return redactor().text(text)
