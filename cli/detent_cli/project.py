"""The project that a command works on: reached through its engine, or read from its files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, NamedTuple

from detent.config import Config, load_config
from detent.errors import ConfigError
from detent_cli.remote import profile_in_use, remote

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.views import TaskProblem, TaskView
    from detent.sdk.task import Task

__all__ = ["Local", "client_of", "connected", "find_tasks", "is_served", "tell_problems"]


@contextmanager
def connected() -> Iterator[Detent]:
    """A client of the server of the profile in use, else of the project; closed at the end.

    Errors: `ConfigError`; `StoreError`; `ServerUnreachable`; `NotFound` and `Unauthorized` for the profile.
    """
    there = remote()
    if there is not None:
        with client_of(there.url, there.key, there.project, there.environment, _folder_project()) as client:
            yield client
        return
    from detent.client import Detent
    from detent.connection import forget_connections

    config = load_config()
    if is_served(config):
        _import_httpx()
    elif not _is_project(config):
        raise ConfigError(
            f"{config.root} is no detent project; make it one with `detent init`, "
            "or name the project's folder: detent --project DIR …"
        )
    try:
        with Detent() as client:
            yield client
    finally:
        forget_connections()


@contextmanager
def client_of(
    url: str,
    key: str | None = None,
    project: str | None = None,
    environment: str | None = None,
    folder_project: str | None = None,
) -> Iterator[Detent]:
    """A client of a server, closed at the end. The parameters are those of `HttpTransport`.
    Errors: `ConfigError`; `ServerUnreachable`."""
    _import_httpx()
    from detent.client import Detent
    from detent.client.http import HttpTransport

    advice = "see to it that it runs and can be reached from here, or speak to another one: detent switch PROFILE"
    transport = HttpTransport(
        url, key, project=project, environment=environment, folder_project=folder_project, advice=advice
    )
    try:
        yield Detent(transport)
    finally:
        transport.close()


def _folder_project() -> str | None:
    """The project that this folder says that it is; None where it says none, or nothing that can be read."""
    try:
        return load_config().slug
    except ConfigError:
        return None


def _is_project(config: Config) -> bool:
    """Whether somebody made this folder a project, so that looking at it leaves no new files anywhere."""
    return config.file is not None or bool(config.dirs) or config.state_dir.is_dir()


def is_served(config: Config) -> bool:
    """Whether a server answers for the project, here or elsewhere. Errors: those of the profile."""
    if config.api_url is not None or profile_in_use() is not None:
        return True
    from detent.embedded import running_server

    return running_server(config.state_dir) is not None


class Local(NamedTuple):
    """What the project's files declare."""

    config: Config
    tasks: list[Task[Any, Any]]
    views: list[TaskView]
    problems: list[TaskProblem]


def find_tasks() -> Local:
    """Import the project's task files and describe what they declare. Their prints go to standard error."""
    from detent.model.views import TaskProblem, TaskView
    from detent.worker.discovery import discover
    from detent.worker.manifest import make_manifest

    config = load_config()
    with _silent_stdout():
        found = discover(config)
        manifest, tasks = make_manifest(found.tasks, found.problems, config)
    views = [TaskView.model_validate(spec, from_attributes=True) for spec in manifest.tasks]
    faults = [TaskProblem.model_validate(fault, from_attributes=True) for fault in manifest.problems]
    return Local(config, tasks, views, faults)


def tell_problems(problems: list[TaskProblem]) -> None:
    """Say on standard error which task files cannot be used, and what to do."""
    from detent_cli.console import clean

    for problem in problems:
        sys.stderr.write(f"problem: {clean(f'{problem.file}:{problem.line}: {problem.message}')}\n")


def _import_httpx() -> None:
    """Import httpx without its own command line, which it would load (click, pygments) for 0.17 s, in vain."""
    if "httpx" in sys.modules:
        return
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # how Python marks what cannot be imported
    try:
        import httpx  # noqa: F401
    finally:
        del sys.modules["httpx._main"]


@contextmanager
def _silent_stdout() -> Iterator[None]:
    """Within the block whatever is written to standard output, by whatever means, goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
