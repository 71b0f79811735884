"""Ask a process of its own what a project can run: its files are imported by the Python that workers will have."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from ..config import load_config
from ..errors import DeployError
from .description import Description
from .problems import Problem

__all__ = ["read_project"]

#: What the process may take besides, before it is killed: it ends itself when the time is over.
_GRACE_S = 20.0
_SHOWN_LINES = 30
_SHOWN_BYTES = 256 * 1024
_FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+)', re.MULTILINE)
#: Set for this process, they would change what another Python imports.
_OF_PYTHON = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSAFEPATH",
    "PYTHONSTARTUP",
    "PYTHONPLATLIBDIR",
    "PYTHONINSPECT",
    "__PYVENV_LAUNCHER__",
)


def read_project(
    root: Path,
    python: Path,
    *,
    variables: Mapping[str, str] | None = None,
    seconds: float | None = None,
    stand_ins: bool = False,
    on_line: Callable[[str], None] | None = None,
) -> Description:
    """Import the tasks of a project in a clean process.

    Parameters:
      root: the project's folder, in which the process works.
      python: the interpreter, which has detent and the project's packages.
      variables: of the environment, besides those of this process. None that begin with ``DETENT_`` is passed on.
      seconds: the most that the imports may take; `import_timeout` of the project's settings when None.
      stand_ins: packages that the settings name in `external` need not be here.
      on_line: is called with each line that the files write while they are imported.

    Returns:
      What is in it, faults included: `check_project` judges them.

    Errors: `DeployError` when the process does not get that far: it crashes, hangs, or has no detent; `ConfigError`.
    """
    limit = load_config(env={"DETENT_PROJECT_DIR": str(root)}).deploy.import_timeout if seconds is None else seconds
    with tempfile.TemporaryDirectory(prefix="detent-describe-") as folder:
        result, output = Path(folder) / "description.json", Path(folder) / "output"
        command = [str(python), "-m", "detent.deploy.describe", str(result), str(limit)]
        with output.open("wb") as stream:
            more = ["stand-ins"] if stand_ins else []
            status = _run([*command, *more], root, stream.fileno(), variables, limit)
        said = _tail(output)
        if on_line is not None:
            for line in said.splitlines():
                on_line(line)
        if result.exists():
            return msgspec.json.decode(result.read_bytes(), type=Description)
        raise _failed(root.resolve(), python, status, said, limit)


def _run(
    command: list[str], root: Path, output: int, variables: Mapping[str, str] | None, seconds: float
) -> int | None:
    """Run it to its end, and take what it started with it. None: it did not end by itself."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("DETENT_") and name not in _OF_PYTHON
    }
    kept |= variables or {}
    kept |= {"DETENT_PROJECT_DIR": str(root.resolve()), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        process = subprocess.Popen(  # noqa: S603 - an interpreter that the caller names
            command, cwd=root, env=kept, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    except OSError as error:
        raise DeployError(f"{command[0]} cannot be started: {error.strerror}") from error
    try:
        return process.wait(seconds + _GRACE_S)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(output: Path) -> str:
    with output.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _SHOWN_BYTES))
        return stream.read().decode(errors="replace")


def _failed(root: Path, python: Path, status: int | None, said: str, seconds: float) -> DeployError:
    """Why there is no description, at the line of the project where the process was."""
    if "No module named detent" in said or "No module named 'detent" in said:
        return DeployError(
            f"{python} has no detent that can deploy; add detent to the project's packages, in the version that you "
            "deploy with",
            output=said,
        )
    file, line = _place(root, said)
    if status is None or "Timeout (" in said:
        what = f"the imports take longer than {seconds:g} s; do what takes long inside of a task, or set import_timeout"
    elif status < 0:
        what = f"the process that imports the tasks was ended by {_signal(-status)}"
    else:
        what = (
            f"the process that imports the tasks ended by itself with status {status}; put what ends it under: "
            'if __name__ == "__main__":'
        )
    # Where the place is known, nobody needs the frames of Python and of detent.
    written = re.split(r"^(?:Timeout \(|Fatal Python error)", said, maxsplit=1, flags=re.MULTILINE)[0] if file else said
    lines = [line for line in written.splitlines() if line.strip()][-_SHOWN_LINES:]
    shown = "".join(f"\n  {line}" for line in lines)
    problem = Problem(file, line, f"{what}. It wrote:{shown}" if shown else what, "import_failed")
    return DeployError(f"the project cannot be described: {problem}", problems=[problem], output=said)


def _place(root: Path, said: str) -> tuple[str, int | None]:
    """The innermost line of the project in what `faulthandler` wrote, where the innermost comes first."""
    for found in _FRAME.finditer(said):
        path = Path(found[1])
        inside = path.is_relative_to(root)
        if inside and not any(part == "site-packages" or part.startswith(".") for part in path.relative_to(root).parts):
            return path.relative_to(root).as_posix(), int(found[2])
    return "", None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
