"""The command that a project wants to be run before its bundle is made."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ..config import Config
from ..errors import DeployError

__all__ = ["run_pre_build"]

_LINES_KEPT = 200
_LINES_SHOWN = 20


def run_pre_build(config: Config, on_line: Callable[[str], None]) -> None:
    """Run `pre_build` of the settings in the project's folder; nothing when there is none.

    Standard output and standard error
    go to `on_line` line by line; its standard input is empty.

    Errors: `DeployError` when it cannot be started or ends with anything but 0; its last lines are in the message.
    """
    command = config.deploy.pre_build
    if not command:
        return
    shown = shlex.join(command)
    on_line(f"pre_build: {shown}")
    place = config.deploy.place
    try:
        process = subprocess.Popen(  # noqa: S603 - the project's own command, without a shell
            command,
            cwd=config.root,
            env={**os.environ, "DETENT_PROJECT_DIR": str(config.root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise DeployError(
            f"pre_build in {place} cannot be started: {shown}: {error.strerror}; correct it, or install the program"
        ) from error
    lines: deque[str] = deque(maxlen=_LINES_KEPT)
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                text = line.rstrip("\r\n")
                lines.append(text)
                on_line(text)
        except BaseException:
            # What it has started goes with it.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        ended = f"status {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
        last = "".join(f"\n  {line}" for line in list(lines)[-_LINES_SHOWN:]) or " it wrote nothing"
        raise DeployError(
            f"pre_build in {place} ended with {ended}: {shown}; its last lines:{last}", output="\n".join(lines)
        )
