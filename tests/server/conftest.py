from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.project import Project
from tests.servers.databases import emptied

from detent.server.http import HttpServer


@pytest.fixture
def dialect() -> str:
    """What the project is kept in; a module that is for all of them overrides it."""
    return "sqlite"


@pytest.fixture
def database(dialect: str) -> str:
    """The URL of the project's database."""
    return "sqlite:///" if dialect == "sqlite" else emptied()


@pytest.fixture
def project(tmp_path: Path, database: str) -> Iterator[Project]:
    project = Project(tmp_path / ".detent", url=database)
    yield project
    project.close()


@pytest.fixture
def server(project: Project) -> Iterator[HttpServer]:
    server = project.serve()
    yield server
    server.stop()
