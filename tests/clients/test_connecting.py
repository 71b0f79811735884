"""Assistants find detent where their own settings name it, reach it, and see its tools."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.clients.assistants import ASSISTANTS, Assistant, Seat
from tests.clients.packages import surroundings
from tests.clients.results import Results
from tests.clients.test_agent_loops import TASKS
from tests.faults.project import Project

from detent.embedded import running_server

pytestmark = pytest.mark.clients


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that nobody serves."""
    with Project(tmp_path / "p", TASKS) as project:
        return project.root


def is_listed(assistant: Assistant, seat: Seat) -> tuple[bool, str]:
    """Whether its listing has detent, connected where it connects; and what it said. One that does not wait until its
    servers have started is asked again."""
    for _ in range(4):
        done = assistant.run(seat, "mcp", "list")
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        lines = [line for line in said.splitlines() if "detent" in line]
        if not any("connecting" in line for line in lines):
            break
    return any(assistant.connected in line for line in lines), said


def test_an_assistant_lists_detent_as_connected(assistant: Assistant, root: Path, home: Path, results: Results) -> None:
    """Given detent in an assistant's own settings, when it lists its servers, then detent is there, and where it tries
    them, connected."""
    found, said = is_listed(assistant, Seat(home, root))
    assert found, said
    seen = "connected" if "onnected" in assistant.connected else "listed (it does not connect for that)"
    results.see(assistant.name, "`mcp list`", seen)


#: Ids of assistants in `detent install-mcp`, where they are other than the names of their programs.
IDS = {"claude": "claude-code", "gemini": "gemini-cli", "copilot": "copilot-cli"}


def test_what_install_mcp_writes_connects(assistant: Assistant, root: Path, home: Path, results: Results) -> None:
    """Given a home without settings, when `detent install-mcp` has written an assistant's entry, then the assistant
    lists detent, and where it tries its servers, connected; `detent uninstall-mcp` takes it out again."""
    seat = Seat(home, root)
    named = ["--client", IDS.get(assistant.name, assistant.name), "--scope", "user", "--yes"]
    listing = replace(assistant, settle=lambda _seat: None)
    for command, expected in (("install-mcp", True), ("uninstall-mcp", False)):
        done = subprocess.run(
            [seat.entry["command"], command, *named],
            cwd=root,
            env=surroundings(home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found, said = is_listed(listing, seat)
        assert found is expected, said
    results.see(assistant.name, "`detent install-mcp`, `uninstall-mcp`", "there after the one, gone after the other")


def test_claude_connects_over_http_with_a_key(
    had: Callable[[str], Path], tmp_path: Path, home: Path, results: Results
) -> None:
    """Given a server with its key, when Claude Code has its address, then it is connected, and with a wrong key it is
    not."""
    had("claude")
    claude = ASSISTANTS["claude"]
    with Project(tmp_path / "p", TASKS) as project:
        project.dev()
        server = running_server(project.root / ".detent")
        assert server is not None
        for key, connected in ((server.key, True), ("dt_dev_wrong", False)):
            entry = {"type": "http", "url": f"{server.url}/mcp", "headers": {"Authorization": f"Bearer {key}"}}
            seat = Seat(home, project.root)
            seat.write(".claude.json", {"mcpServers": {"detent": entry}})
            over_http = Assistant("claude", lambda _seat: None, claude.connected, env=claude.env)
            done = over_http.run(seat, "mcp", "list")
            assert (claude.connected in done.stdout) is connected, done.stdout
    results.see("claude", "`/mcp` over HTTP", "connected with the key; refused with a wrong one")


class AppServer:
    """`codex app-server`, spoken to line by line."""

    def __init__(self, program: Path, seat: Seat) -> None:
        ASSISTANTS["codex"].settle(seat)
        self._n = 0
        self._process = subprocess.Popen(
            [program, "app-server"],
            cwd=seat.root,
            env=surroundings(seat.home, LOCAL_KEY="none"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """The result of a request."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._n += 1
        self._process.stdin.write(json.dumps({"id": self._n, "method": method, "params": params}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self._n and "method" not in answer:
                assert "result" in answer, answer
                return answer["result"]
        raise AssertionError(f"codex ended before it answered {method}")

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def test_codex_lists_the_tools_and_calls_one(
    had: Callable[[str], Path], tmp_path: Path, home: Path, results: Results
) -> None:
    """Given codex as an editor runs it, when it is asked for the state of its MCP servers and to call a tool, then
    detent's tools are there, and the call is answered."""
    program = had("codex")
    with Project(tmp_path / "p", TASKS) as project:
        project.dev()
        codex = AppServer(program, Seat(home, project.root))
        codex.ask("initialize", {"clientInfo": {"name": "test", "version": "1"}})
        [server] = [each for each in codex.ask("mcpServerStatus/list", {})["data"] if each["name"] == "detent"]
        thread = codex.ask("thread/start", {"cwd": str(project.root)})["thread"]["id"]
        call = {"threadId": thread, "server": "detent", "tool": "list_runs", "arguments": {}}
        answer = codex.ask("mcpServer/tool/call", call)
        codex.close()
    assert {"trigger_task", "diagnose_run", "wait_for_run_to_complete"} <= set(server["tools"])
    assert answer["structuredContent"]["runs"] == []
    results.see("codex", "`app-server`", f"{len(server['tools'])} tools listed, `list_runs` called")
