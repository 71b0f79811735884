"""The environment variables that a worker process is given before it imports its tasks."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import msgspec

from ..errors import ConfigError, InvalidOptions, ServerUnreachable
from ..model.dotenv import parse_dotenv
from ..model.framing import FrameReader, send_frame
from ..model.protocol import FromEngine, ToEngine, Variables

__all__ = ["own_environment", "take_variables", "variables_of"]

#: Set in the processes that were given variables, and so in those that they start: the names of the secrets. Whoever
#: finds it has the variables already.
_GIVEN = "DETENT_SECRET_VARIABLES"
#: How long the engine may take to answer, in seconds.
_ANSWER_S = 10.0


def take_variables(root: Path, socket_path: str | None, env: str | None = None) -> list[str]:
    """Put the variables of the environment `env` into `os.environ`; the names of those that are secret.

    Where the engine says that the process's own variables win, those of the project's ``.env`` file do so, too.

    Errors: `ServerUnreachable`; `ConfigError` for a ``.env`` file that cannot be read.
    """
    given = os.environ.get(_GIVEN)
    if given is not None or socket_path is None:
        return (given or "").split(",")
    variables = variables_of(socket_path, env)
    if variables.yields:
        os.environ.update(variables.values | _of_file(root / ".env") | dict(os.environ))
    else:
        os.environ.update(variables.values)
    os.environ[_GIVEN] = ",".join(variables.secret)
    return variables.secret


def own_environment() -> dict[str, str]:
    """The environment for a new worker process: without the key of the secrets, which is the server's alone, and
    without the trace of variables that this process was given."""
    return {name: value for name, value in os.environ.items() if name not in (_GIVEN, "DETENT_ENCRYPTION_KEY")}


def variables_of(socket_path: str, env: str | None) -> Variables:
    """The variables of the environment `env`, as the engine at `socket_path` has them. Errors: `ServerUnreachable`."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_S)
            connection.connect(socket_path)
            send_frame(connection, msgspec.json.encode(ToEngine(1, variables_of=env or "")))
            body = FrameReader(connection).read()
        if body is None:
            raise ConnectionError("the engine closed the connection")
        answer = msgspec.json.decode(body, type=FromEngine)
    except (OSError, msgspec.DecodeError) as error:
        raise ServerUnreachable(
            f"no detent server answers at {socket_path} ({error}); start one with `detent dev`"
        ) from None
    return answer.variables or Variables()


def _of_file(path: Path) -> dict[str, str]:
    try:
        found = parse_dotenv(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, InvalidOptions) as error:
        raise ConfigError(f"{path} cannot be used: {error}") from None
    # What begins with DETENT_ is for the whole of detent, and was read by now.
    return {name: value for name, value in found.items() if not name.startswith("DETENT_") and "\0" not in value}
