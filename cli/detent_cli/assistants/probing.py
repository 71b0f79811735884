"""Whether a written command really is an MCP server: it is started, and its tools are listed."""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detent_cli.assistants.command import Command

__all__ = ["Probe", "probe"]

#: How long a server may take to answer, in seconds: uvx may have to download it.
_PATIENCE_S = 60.0
_TAIL = 400

_HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "detent install-mcp", "version": "1"},
}


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of it: how many tools, or why not."""

    tools: int = 0
    problem: str | None = None


def probe(command: Command, folder: Path) -> Probe:
    """Start `command` in `folder`, say hello, and list its tools; it ends afterwards."""
    return asyncio.run(_probe(command, folder))


async def _probe(command: Command, folder: Path) -> Probe:
    with tempfile.TemporaryFile() as errors:
        try:
            process = await asyncio.create_subprocess_exec(
                command.program,
                *command.args,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                cwd=folder,
                limit=2**24,
            )
        except OSError as error:
            return Probe(problem=f"{command.program} cannot be started: {error.strerror or error}")
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return Probe(tools=await _list(process))
        except TimeoutError:
            return Probe(problem=f"no answer within {_PATIENCE_S:g} seconds{_said(errors)}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            return Probe(problem=f"it does not answer as an MCP server ({error}){_said(errors)}")
        finally:
            assert process.stdin is not None
            process.stdin.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _list(process: asyncio.subprocess.Process) -> int:
    await _ask(process, 1, "initialize", _HELLO)
    assert process.stdin is not None
    process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    answer = await _ask(process, 2, "tools/list", {})
    return len(answer["tools"])


async def _ask(process: asyncio.subprocess.Process, number: int, method: str, params: dict[str, Any]) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"
    )
    with suppress(ConnectionError):
        await process.stdin.drain()
    while line := await process.stdout.readline():
        message = json.loads(line)
        if message.get("id") == number:
            if "error" in message:
                raise ValueError(message["error"].get("message", "an error"))
            return message["result"]
    raise ValueError("it ended")


def _said(errors: Any) -> str:
    errors.seek(0)
    text = errors.read().decode(errors="replace").strip()
    return f": {text[-_TAIL:]}" if text else ""
