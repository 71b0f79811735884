from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.project import Project

from detent.server.http import HttpServer


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path / ".detent")
    yield project
    project.close()


@pytest.fixture
def server(project: Project) -> Iterator[HttpServer]:
    server = project.serve()
    yield server
    server.stop()
