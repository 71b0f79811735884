"""A project of its own for speech at a terminal: nothing of the user's projects is touched or needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from detent.errors import ConfigError

__all__ = ["Serve", "Service", "alone", "make_project"]

_SETTINGS = """\
project = "speech"
dirs = ["tasks"]
"""
_TASKS = '''\
"""The tasks of detent.tts; the worker finds them here."""

from detent.tts import generate_audio, speak_chunk

__all__ = ["generate_audio", "speak_chunk"]
'''
#: Variables that would lead to another project's data.
_ELSEWHERE = (
    "DETENT_API_URL",
    "DETENT_BROKER_URL",
    "DETENT_DATABASE_URL",
    "DETENT_OBJECT_STORE_URL",
    "DETENT_SECRET_KEY",
)


class Service(Protocol):
    """An engine with workers; `transport` is what `detent.Detent` takes."""

    @property
    def transport(self) -> Any: ...


#: Runs engine and workers of the project in a folder, for the length of a ``with`` block.
Serve = Callable[[Path], AbstractContextManager[Service]]


def make_project(folder: Path) -> None:
    """Make `folder` a project with the tasks of speech; what is there stays. Raises `ConfigError`."""
    try:
        for path, content in ((folder / "detent.toml", _SETTINGS), (folder / "tasks" / "speech.py", _TASKS)):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(content, "utf-8")
    except OSError as error:
        raise ConfigError(
            f"the project {folder} cannot be made: {error.strerror}; go to a folder that you can write to"
        ) from error


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within the block, this process and those that it starts belong to the project in `folder`."""
    before = {name: os.environ.get(name) for name in (*_ELSEWHERE, "DETENT_PROJECT_DIR")}
    for name in _ELSEWHERE:
        os.environ.pop(name, None)
    os.environ["DETENT_PROJECT_DIR"] = str(folder)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
