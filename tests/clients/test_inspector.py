"""The Inspector: schemas that every client can take, and each kind of request, over standard input and over HTTP."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.clients.assistants import Seat
from tests.clients.packages import surroundings
from tests.clients.results import Results
from tests.clients.test_agent_loops import TASKS
from tests.faults.project import Project

from detent.embedded import running_server

pytestmark = pytest.mark.clients


class Inspector:
    """The Inspector, at a server that is reached in one way."""

    def __init__(self, program: Path, home: Path, target: list[str], root: Path) -> None:
        self._program, self._home, self._target, self._root = program, home, target, root

    def ask(self, method: str, *options: str, status: int = 0) -> Any:
        """The result of a request. `status`: the exit status that is expected."""
        done = subprocess.run(
            [self._program, "--cli", *self._target, "--method", method, *options, "--format", "json", "-q"],
            cwd=self._root,
            env=surroundings(self._home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == status, f"{method}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        found = json.loads(done.stdout) if done.stdout.strip() else None
        return found["result"] if found is not None and "result" in found else found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that is served."""
    with Project(tmp_path_factory.mktemp("inspected") / "p", TASKS) as found:
        found.dev()
        yield found


@pytest.fixture(params=[(way, era) for way in ("stdio", "http") for era in ("legacy", "modern")], ids="-".join)
def inspector(request: pytest.FixtureRequest, had: Callable[[str], Path], home: Path, project: Project) -> Inspector:
    """The Inspector over each way, in each era."""
    way, era = request.param
    if way == "stdio":
        entry = Seat(home, project.root, flags=("--toolsets", "all")).entry
        target = {"type": "stdio", **entry}
    else:
        server = running_server(project.root / ".detent")
        assert server is not None
        headers = {"Authorization": f"Bearer {server.key}"}
        target = {"type": "streamable-http", "url": f"{server.url}/mcp?toolsets=all", "headers": headers}
    (home / "inspected.json").write_text(json.dumps({"mcpServers": {"detent": target}}))
    options = ["--config", str(home / "inspected.json"), "--server", "detent", "--protocol-era", era]
    return Inspector(had("inspector"), home, options, project.root)


def test_every_kind_of_request_is_answered(
    inspector: Inspector, results: Results, request: pytest.FixtureRequest
) -> None:
    """Given all toolsets, when the Inspector lists and calls, then schemas have no problem for any client, results are
    there, and what is wrong is said."""
    tools = inspector.ask("tools/list", "--strict")["tools"]
    assert {"trigger_task", "query", "get_query_schema"} <= {tool["name"] for tool in tools}

    called = inspector.ask("tools/call", "--tool-name", "list_runs", "--tool-arg", "limit=5")
    assert called["structuredContent"]["runs"] == []
    refused = inspector.ask("tools/call", "--tool-name", "list_runs", "--tool-arg", "statuses=FAILED", status=5)
    assert refused is None or "status" in json.dumps(refused)

    templates = inspector.ask("resources/templates/list")["resourceTemplates"]
    assert {"docs://{page}", "run://{id}", "task://{id}"} <= {each["uriTemplate"] for each in templates}
    inspector.ask("resources/list")
    page = inspector.ask("resources/read", "--uri", "docs://mcp")
    assert "detent mcp" in page["contents"][0]["text"]

    prompts = inspector.ask("prompts/list")["prompts"]
    assert len(prompts) >= 4
    way, era = request.node.callspec.params["inspector"]
    seen = f"{len(tools)} tools of all toolsets, no schema problem; a call, a refused one, resources, prompts"
    results.see("inspector", f"`--cli --strict`, {way}, {era} era", seen)
