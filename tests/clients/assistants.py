"""Assistants: where each keeps its MCP servers, how it lists them, and how it is asked to do something by itself."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clients.packages import program, surroundings

__all__ = ["ASSISTANTS", "Assistant", "Seat"]

#: How long a client may take for one command, in seconds.
_PATIENCE_S = 240.0


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a client sits: a home of its own, the project it works in, and the model it calls.

    Parameters:
      flags: what `detent mcp` is started with.
    """

    home: Path
    root: Path
    model: str = "http://127.0.0.1:9"
    flags: tuple[str, ...] = ()

    @property
    def entry(self) -> dict[str, Any]:
        """How detent is started: by a program, as when it is installed, for some clients pass on no PYTHONPATH."""
        detent = self.home / "bin" / "detent"
        if not detent.exists():
            detent.parent.mkdir(parents=True)
            paths = shlex.quote(":".join(path for path in sys.path if path))
            detent.write_text(f'#!/bin/sh\nPYTHONPATH={paths} exec {shlex.quote(sys.executable)} -m detent_cli "$@"\n')
            detent.chmod(0o755)
        return {"command": str(detent), "args": ["mcp", *self.flags]}

    def write(self, path: str, told: dict[str, Any]) -> None:
        """A JSON file in the home."""
        place = self.home / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(told, indent=2))


@dataclass(frozen=True, slots=True)
class Assistant:
    """A client. `settle` writes its files; `connected` stands in its listing when it has reached detent.

    `ask`: what its program is given to do something by itself, the prompt put in place of ``PROMPT``; empty when it
    needs an account for that, as `asks_not` tells. `env`: what it needs around it.
    """

    name: str
    settle: Callable[[Seat], None]
    connected: str
    ask: tuple[str, ...] = ()
    env: Callable[[Seat], dict[str, str]] = field(default=lambda _seat: {})
    asks_not: str = ""

    def run(self, seat: Seat, *command: str) -> subprocess.CompletedProcess[str]:
        """Run its program in the project, with its files written."""
        self.settle(seat)
        return subprocess.run(
            [program(self.name), *command],
            cwd=seat.root,
            env=surroundings(seat.home, **self.env(seat)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )

    def work(self, seat: Seat, prompt: str) -> subprocess.CompletedProcess[str]:
        """Let it do what the prompt says."""
        return self.run(seat, *(prompt if word == "PROMPT" else word for word in self.ask))


def _claude(seat: Seat) -> None:
    seat.write(".claude.json", {"mcpServers": {"detent": seat.entry}, "hasCompletedOnboarding": True})


def _claude_env(seat: Seat) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": seat.model,
        "ANTHROPIC_API_KEY": "none",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def _codex(seat: Seat) -> None:
    entry = seat.entry
    place = seat.home / ".codex" / "config.toml"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(
        f"""
model = "scripted"
model_provider = "local"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.local]
name = "local"
base_url = "{seat.model}/v1"
wire_api = "responses"
env_key = "LOCAL_KEY"
[mcp_servers.detent]
command = {json.dumps(entry["command"])}
args = {json.dumps(entry["args"])}
startup_timeout_sec = 60
tool_timeout_sec = 120
required = true
default_tools_approval_mode = "approve"
"""
    )


def _gemini(seat: Seat) -> None:
    settings = {
        "mcpServers": {"detent": seat.entry},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    seat.write(".gemini/settings.json", settings)


def _gemini_env(seat: Seat) -> dict[str, str]:
    return {
        "GEMINI_API_KEY": "none",
        "GOOGLE_GEMINI_BASE_URL": seat.model,
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }


def _qwen(seat: Seat) -> None:
    settings = {
        "mcpServers": {"detent": seat.entry},
        "security": {"auth": {"selectedType": "openai"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    seat.write(".qwen/settings.json", settings)


def _qwen_env(seat: Seat) -> dict[str, str]:
    return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{seat.model}/v1", "OPENAI_MODEL": "scripted"}


def _opencode(seat: Seat) -> None:
    entry = seat.entry
    settings = {
        "mcp": {"detent": {"type": "local", "command": [entry["command"], *entry["args"]], "enabled": True}},
        "autoupdate": False,
        "share": "disabled",
        "model": "local/scripted",
        "small_model": "local/scripted",
        "provider": {
            "local": {
                "npm": "@ai-sdk/openai-compatible",
                "options": {"baseURL": f"{seat.model}/v1", "apiKey": "none"},
                "models": {"scripted": {"name": "scripted", "tool_call": True}},
            }
        },
    }
    seat.write(".config/opencode/opencode.json", settings)


def _opencode_env(_seat: Seat) -> dict[str, str]:
    return {
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }


def _copilot(seat: Seat) -> None:
    seat.write(".copilot/mcp-config.json", {"mcpServers": {"detent": {"type": "stdio", "tools": ["*"], **seat.entry}}})


def _copilot_env(seat: Seat) -> dict[str, str]:
    return {
        "COPILOT_PROVIDER_BASE_URL": f"{seat.model}/v1",
        "COPILOT_MODEL": "scripted",
        "COPILOT_OFFLINE": "true",
        "COPILOT_AUTO_UPDATE": "false",
    }


def _droid(seat: Seat) -> None:
    seat.write(".factory/mcp.json", {"mcpServers": {"detent": {"type": "stdio", **seat.entry}}})


ASSISTANTS = {
    each.name: each
    for each in (
        Assistant(
            "claude",
            _claude,
            "✔ Connected",
            ("--print", "PROMPT", "--output-format", "json", "--allowedTools", "mcp__detent"),
            _claude_env,
        ),
        Assistant(
            "codex",
            _codex,
            "enabled",
            ("exec", "--json", "--skip-git-repo-check", "PROMPT"),
            lambda _seat: {"LOCAL_KEY": "none"},
        ),
        Assistant("gemini", _gemini, "Connected", ("--prompt", "PROMPT", "--yolo", "--model", "scripted"), _gemini_env),
        Assistant("qwen", _qwen, "Connected", ("PROMPT", "--yolo"), _qwen_env),
        Assistant("opencode", _opencode, "connected", ("run", "--auto", "PROMPT"), _opencode_env),
        Assistant("copilot", _copilot, "detent", ("--prompt", "PROMPT", "--allow-all-tools"), _copilot_env),
        # `droid exec` with a model of one's own: "Authentication failed. Please log in using /login or set a valid
        # FACTORY_API_KEY environment variable."
        Assistant("droid", _droid, "connected", asks_not="`droid exec` asks its maker's server who is logged in"),
    )
}
