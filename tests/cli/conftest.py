from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.cli.near import Near
from tests.faults.forks import CommandForks

DETENT = Path(sys.executable).parent / "detent"

TASKS = '''\
import asyncio
import sys
from pathlib import Path

from pydantic import BaseModel

from detent import Retry, logger, queue, task

print("printed at import")
sys.__stdout__.write("written at import\\n")

once = queue("one-by-one", concurrency_limit=1)


class Greeting(BaseModel):
    name: str


@task(id="greet")
async def greet(payload: Greeting) -> str:
    """Greet somebody.

    Politely.
    """
    logger.info("greeting", name=payload.name)
    logger.debug("in detail")
    print("printed by greet")
    return f"Hello, {payload.name}!"


@task(id="fail", retry=Retry(max_attempts=1))
def fail(payload: str) -> None:
    help_to_fail(payload)


def help_to_fail(reason: str) -> None:
    raise ValueError(f"cannot: {reason}")


@task(id="greet-all")
async def greet_all(payload: list[str]) -> list[str]:
    return (await greet.batch_trigger_and_wait([Greeting(name=name) for name in payload])).unwrap()


@task(id="wait-for-file", queue=once)
async def wait_for_file(payload: str) -> str:
    logger.info("waiting")
    while not Path(payload).exists():
        await asyncio.sleep(0.02)
    logger.warn("found it")
    return "found"
'''


@cache
def commands() -> CommandForks:
    """The commands of this process's tests: real ones, which need not import everything anew."""
    made = CommandForks()
    atexit.register(made.close)
    return made


@dataclass(frozen=True)
class Project:
    """A project in a folder of its own, and the real command in it."""

    root: Path

    def detent(
        self, *arguments: str, input: str | bytes = b"", cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        content = input.encode() if isinstance(input, str) else input
        env, folder = environment() | variables, cwd or self.root
        done: subprocess.CompletedProcess[bytes]
        if any(name.startswith("PYTHON") for name in variables):
            # What Python reads as it starts.
            done = subprocess.run(
                [DETENT, *arguments], cwd=folder, env=env, input=content, capture_output=True, timeout=60
            )
        else:
            done = commands().finish(arguments, folder, env, input=content)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def json(self, *arguments: str, **more: Any) -> Any:
        """What the command printed with `--json`; it is all that it printed."""
        return json.loads(self.detent(*arguments, "--json", **more).stdout)

    def trigger(self, task: str, payload: Any, *options: str) -> str:
        done = self.detent("tasks", "trigger", task, "--payload", json.dumps(payload), *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("DETENT_", "COLUMNS"))} | {
        "PYTHONWARNINGS": "error",
        "TERM": "xterm-256color",
        # Where nobody is logged in to any server.
        "XDG_CONFIG_HOME": "/nonexistent",
    }


def make_project(root: Path, tasks: str = TASKS) -> Project:
    (root / "tasks").mkdir(parents=True)
    (root / "detent.toml").write_text('project = "shop"\ndirs = ["tasks"]\n')
    (root / "tasks" / "shop.py").write_text(tasks)
    return Project(root)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "shop")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with a running `detent dev`."""
    project = make_project(tmp_path_factory.mktemp("served") / "shop")
    dev = subprocess.Popen(
        [DETENT, "dev", "--port", "0", "--no-reload"],
        cwd=project.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert dev.stdout is not None
    said = []
    for line in dev.stdout:
        said.append(line)
        if "worker ready" in line:
            break
    else:
        pytest.fail(f"detent dev ended: {''.join(said)}")
    yield project
    dev.send_signal(signal.SIGINT)
    rest, _ = dev.communicate(timeout=30)
    assert dev.returncode == 0, rest


@pytest.fixture
def near(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Near]:
    """A project with a server in this process."""
    monkeypatch.setenv("DETENT_PROJECT_DIR", str(tmp_path))
    # Of the process that runs the tests.
    monkeypatch.delenv("COLUMNS", raising=False)
    near = Near(tmp_path, capsys)
    yield near
    near.host.stop()
