"""`detent` commands as real processes in some 30 ms each, forked from one that has imported what they need."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["CommandForks", "ForkedCommand"]

ROOT = Path(__file__).parents[2]


class CommandForks:
    """Runs `detent` commands. They end when it is closed."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._pids: dict[int, Future[int]] = {}
        self._codes: dict[int, Future[int]] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forks"],
            cwd=ROOT,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def run(self, args: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path, **streams: str) -> ForkedCommand:
        """Begin ``detent ARGS``; what it says goes to the file `log`, or to that of `streams`: ``in``, ``err``."""
        number = next(self._numbers)
        request = {"id": number, "args": list(args), "cwd": str(cwd), "env": dict(env), "log": str(log), **streams}
        started: Future[int] = Future()
        with self._lock:
            self._pids[number] = started
            self._codes[number] = ended = Future[int]()
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        return ForkedCommand(started.result(30), ended, log)

    def finish(
        self, args: Sequence[str], cwd: Path, env: Mapping[str, str], *, input: bytes = b"", timeout_s: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run ``detent ARGS`` to its end, as `subprocess.run` would."""
        with tempfile.TemporaryDirectory() as folder:
            given, said, told = (Path(folder) / name for name in ("in", "out", "err"))
            given.write_bytes(input)
            streams = {"in": str(given), "err": str(told)}
            command = self.run(args, cwd, env, said, **streams)
            try:
                code = command.wait(timeout_s)
            except TimeoutError:
                command.kill()
                raise subprocess.TimeoutExpired(
                    ["detent", *args], timeout_s, said.read_bytes(), told.read_bytes()
                ) from None
            return subprocess.CompletedProcess(["detent", *args], code, said.read_bytes(), told.read_bytes())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._reader.join(30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "pid" in said:
                self._pids.pop(said["id"]).set_result(said["pid"])
            else:
                self._codes.pop(said["id"]).set_result(said["code"])


class ForkedCommand:
    """A command that runs, in a session of its own."""

    def __init__(self, pid: int, ended: Future[int], log: Path) -> None:
        self.pid = pid
        self.log = log
        self._ended = ended

    def wait(self, timeout_s: float) -> int:
        """The exit code, negative for a signal. Errors: `TimeoutError`."""
        return self._ended.result(timeout_s)

    def kill(self) -> None:
        """SIGKILL to all of its group, and wait for its end."""
        if not self._ended.done():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._ended.result(30)


def main() -> None:
    """Fork a command for each line of JSON on standard input, until it closes."""
    _import_what_servers_need()
    wake, waker = os.pipe()
    for end in (wake, waker):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    numbers: dict[int, int] = {}
    text = b""
    while True:
        readable, _, _ = select.select([0, wake], [], [])
        if wake in readable:
            with suppress(BlockingIOError):
                os.read(wake, 4096)
        if 0 in readable:
            heard = os.read(0, 65_536)
            if not heard:
                break
            *lines, text = (text + heard).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    _become(request, (wake, waker))
                numbers[pid] = request["id"]
                _say(id=request["id"], pid=pid)
        _reap(numbers)
    for pid in numbers:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _reap(numbers: dict[int, int]) -> None:
    while numbers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        _say(id=numbers.pop(pid), code=os.waitstatus_to_exitcode(status))


def _say(**words: Any) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def _become(request: dict[str, Any], pipe: tuple[int, int]) -> None:
    code = 70
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in pipe:
            os.close(end)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        os.dup2(os.open(request.get("in", os.devnull), os.O_RDONLY), 0)
        log = _opened(request["log"])
        os.dup2(log, 1)
        os.dup2(_opened(request["err"]) if "err" in request else log, 2)
        if request["env"].get("PYTHONWARNINGS") == "error":
            warnings.simplefilter("error")
        from detent_cli.__main__ import run

        code = run(request["args"])
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _import_what_servers_need() -> None:
    """What they would import one by one when they are asked for the first time, too."""
    import tomllib  # noqa: F401

    import uvicorn.lifespan.off
    import uvicorn.loops.auto
    import uvicorn.protocols.http.auto
    import uvicorn.protocols.websockets.auto  # noqa: F401

    import detent.client
    import detent.dev
    import detent.engine.operations
    import detent.objects
    import detent.worker.run  # noqa: F401
    import detent_cli.app
    import detent_cli.dev

    detent_cli.app.make_command()


if __name__ == "__main__":
    main()
