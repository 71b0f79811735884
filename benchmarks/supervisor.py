"""Starts sessions one after the other, hands on what they say, and leaves none of their processes behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from benchmarks.drivers.base import ROOT

SESSION_SECONDS = 180
"""After this a session is taken to hang and is killed with all its processes."""


class SessionFailed(RuntimeError):
    """The session ended without having measured everything; the text says why."""


def run_session(
    system: str,
    folder: Path,
    sizes: Any,
    seed: int,
    *,
    module: str = "benchmarks.session",
    seconds: float = SESSION_SECONDS,
) -> Generator[dict[str, Any], None, None]:
    """Measure one system once; yield the session's events as they come.

    The first event says what is measured; each later one carries a ``measure``. `sizes` is a dataclass that the
    session's `module` understands. Raises :class:`SessionFailed`. Whatever happens, also when the generator is
    closed early, every process of the session is dead afterwards.
    """
    folder.mkdir(parents=True)
    log = folder / "session.log"
    arguments = [
        sys.executable,
        "-m",
        module,
        system,
        str(folder),
        json.dumps(asdict(sizes)),
        str(seed),
    ]
    with log.open("wb") as errors, _process_group(arguments, errors) as process:
        timer = threading.Timer(seconds, process.kill)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                if "error" in event:
                    raise SessionFailed(event["error"])
                yield event
            status = process.wait()
        finally:
            timer.cancel()
    if status:
        tail = log.read_text(errors="replace")[-2000:]
        raise SessionFailed(f"the session of {system} ended with status {status}; its log ends:\n{tail}")


@contextmanager
def _process_group(arguments: list[str], errors: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        arguments,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the group and those descendants that left it, then collect the leader."""
    descendants: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        descendants = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for descendant in descendants:
        with suppress(psutil.NoSuchProcess):
            descendant.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
