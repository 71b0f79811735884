from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.clients.assistants import ASSISTANTS, Assistant
from tests.clients.packages import PACKAGES, Missing, program
from tests.clients.results import Results

#: Without these nothing is proven; others may be skipped, with the reason.
NEEDED = ("claude", "codex", "gemini", "inspector", "conformance")


@pytest.fixture(scope="session")
def results() -> Iterator[Results]:
    """What was seen, written to the file that DETENT_CLIENTS_RESULTS names."""
    found = Results()
    yield found
    if path := os.environ.get("DETENT_CLIENTS_RESULTS"):
        found.write(Path(path))


@pytest.fixture
def had(results: Results) -> Callable[[str], Path]:
    """The program of a client that can be had here; else the test is skipped, or fails for one that is needed."""

    def find(client: str) -> Path:
        try:
            return program(client)
        except Missing as error:
            if client in NEEDED:
                raise
            results.skip(PACKAGES[client].name, str(error))
            pytest.skip(str(error))

    return find


@pytest.fixture(params=list(ASSISTANTS))
def assistant(request: pytest.FixtureRequest, had: Callable[[str], Path]) -> Assistant:
    """Each assistant that can be had here."""
    had(request.param)
    return ASSISTANTS[request.param]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home without settings or logins."""
    place = tmp_path / "home"
    place.mkdir()
    return place
