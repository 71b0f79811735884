from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from tests.deploy.project import config, task, write

from detent.deploy import build_bundle
from detent.errors import DeployError
from detent.worker.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path / "cache", "here")
    made.open()
    yield made
    made.close()


def nobody() -> NoReturn:
    raise AssertionError("the bundle is on this machine")


def test_a_machine_that_lacks_a_program_does_not_take_the_version_and_says_which(
    workshop: Workshop, tmp_path: Path
) -> None:
    settings = 'dirs = ["tasks"]\n[deploy]\nsystem_packages = ["sh", "no-such-program", "libnosuch.so.1"]\n'
    root = write(tmp_path / "project", {"detent.toml": settings, "tasks/a.py": task("workshop-a")})
    bundle = build_bundle(config(root), tmp_path / "cache/bundles")

    with pytest.raises(DeployError, match=r"this machine lacks no-such-program, libnosuch.so.1, which system_packages"):
        workshop.prepare("20261122.1", bundle.hash, nobody, variables={}, say=lambda line: None)
