"""Standard output is the protocol's, from the start to the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detent.errors import InvalidOptions
from detent.server.http import HttpServer
from detent_mcp.catalogue import check_names
from detent_mcp.settings import Settings

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {"roots": {}}, "clientInfo": {"name": "test", "version": "1"}}
NOISE = """
import os, sys
print("printed at import")
sys.__stdout__.write("written at import\\n")
os.write(1, b"written below Python\\n")
"""


class Spoken:
    """`detent mcp` and what is said to it, line by line."""

    def __init__(self, folder: Path, *flags: str, env: dict[str, str] | None = None) -> None:
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("DETENT_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "detent_cli", "mcp", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=surroundings | {"XDG_CONFIG_HOME": str(folder)} | (env or {}),
        )
        self.lines: list[bytes] = []
        self._n = 0

    def say(self, method: str, params: Any = None, *, notify: bool = False) -> None:
        assert self.process.stdin is not None
        self._n += 1
        message = {"jsonrpc": "2.0", "method": method} | ({} if notify else {"id": self._n})
        self.process.stdin.write(json.dumps(message | ({} if params is None else {"params": params})).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        self.lines.append(self.process.stdout.readline())
        return json.loads(self.lines[-1])

    def greet(self) -> Any:
        self.say("initialize", HELLO)
        answer = self.hear()
        self.say("notifications/initialized", notify=True)
        return answer

    def call(self, tool: str, **arguments: Any) -> Any:
        self.say("tools/call", {"name": tool, "arguments": arguments})
        return self.hear_answer()["result"]

    def hear_answer(self) -> Any:
        """What is said next that is an answer."""
        while "result" not in (answer := self.hear()) and "error" not in answer:
            pass
        return answer

    def leave(self) -> tuple[int, bytes]:
        """Close standard input; the exit status, and what was still said."""
        assert self.process.stdin is not None and self.process.stdout is not None and self.process.stderr is not None
        self.process.stdin.close()
        rest = self.process.stdout.read()
        self.process.stderr.read()
        status = self.process.wait(10)
        self.process.stdout.close()
        self.process.stderr.close()
        return status, rest


def test_whatever_is_printed_goes_elsewhere_and_the_end_of_input_ends_it(served: HttpServer, tmp_path: Path) -> None:
    # Given a module that prints when the server imports it
    (tmp_path / "sitecustomize.py").write_text("")
    (tmp_path / "platformdirs.py").write_text(NOISE + "def user_config_path(*_, **__):\n    raise OSError(0, 'none')\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    spoken = Spoken(tmp_path, env={"PYTHONPATH": path})

    # When a client talks with it and leaves
    assert spoken.greet()["result"]["serverInfo"]["name"] == "detent"
    assert spoken.call("list_runs")["isError"]
    status, rest = spoken.leave()

    # Then every line was protocol, and it ended well
    assert status == 0
    assert rest == b""
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in spoken.lines)


def test_a_client_that_offers_roots_and_never_answers_gets_its_answer(tmp_path: Path) -> None:
    # Given a folder that is no project, and a client that says it has roots
    spoken = Spoken(tmp_path)
    spoken.greet()

    # When it calls, is asked for its roots, and says nothing
    spoken.say("tools/call", {"name": "list_runs", "arguments": {}})
    asked = spoken.hear()
    answer = spoken.hear_answer()

    # Then its call is answered all the same, with what to do
    assert asked["method"] == "roots/list"
    assert "is no detent project" in answer["result"]["content"][0]["text"]
    assert "detent init" in answer["result"]["structuredContent"]["error"]["next"]
    assert spoken.leave()[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_ends_it_though_standard_input_is_open(tmp_path: Path) -> None:
    # Given a server that waits for what its client says
    spoken = Spoken(tmp_path)
    spoken.greet()

    # When it is interrupted
    spoken.process.send_signal(signal.SIGINT)

    # Then it ends
    assert spoken.process.wait(10) == 128 + signal.SIGINT
    assert spoken.leave()[1] == b""


def test_flags_that_cannot_be_used_end_it_with_a_word_on_standard_error(tmp_path: Path) -> None:
    # When a toolset or a tool is not there
    done = subprocess.run(
        [sys.executable, "-m", "detent_cli", "mcp", "--toolsets", "cor"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )

    # Then it says which is meant
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"'core'" in done.stderr, done.stderr
    for wrong, word in (({"tools": ("list_run",)}, "'list_runs'"), ({"exclude_tools": ("querry",)}, "'query'")):
        with pytest.raises(InvalidOptions, match=word):
            check_names(Settings(**wrong))  # type: ignore[arg-type]
