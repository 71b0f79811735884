"""Assistants find the skills that detent installs, and the plugin that carries them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.clients.assistants import ASSISTANTS, Seat
from tests.clients.packages import surroundings
from tests.clients.results import Results
from tests.clients.test_connecting import AppServer

from detent_cli.assistants.skill_files import skills

pytestmark = pytest.mark.clients

CHECKOUT = Path(__file__).parents[2]
#: What each is asked for its skills.
LISTINGS = {
    "gemini": ("skills", "list", "--all"),
    "opencode": ("debug", "skill"),
    "copilot": ("skill", "list"),
}
#: How each gets a plugin from a marketplace that is a folder, and where it tells what it has.
PLUGINS = {
    "claude": ("install", ("plugin", "list")),
    "codex": ("add", ("mcp", "list")),
    "copilot": ("install", ("plugin", "list")),
}


@pytest.fixture
def names() -> list[str]:
    """The skills of this version."""
    found = [skill.name for skill in skills()]
    if not found:
        pytest.skip("this version has no skills")
    return found


@pytest.fixture
def taught(tmp_path: Path, home: Path, names: list[str]) -> Seat:
    """A project with the skills installed, as a person does it."""
    root = tmp_path / "project"
    root.mkdir()
    subprocess.run(["git", "init", "--quiet", root], check=True)
    (root / "detent.toml").touch()
    seat = Seat(home, root)
    seat.write(".copilot/config.json", {"trusted_folders": [str(root)]})
    done = subprocess.run(
        [seat.entry["command"], "skills", "add"],
        cwd=root,
        env=surroundings(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return seat


@pytest.fixture
def marketplace(tmp_path: Path) -> Iterator[Path]:
    """The marketplace of the checkout, with what its plugin consists of."""
    if not (CHECKOUT / ".claude-plugin/marketplace.json").exists():
        pytest.skip("this version has no plugin")
    place = tmp_path / "marketplace"
    place.mkdir()
    for name in (".claude-plugin", "plugins", "skills", ".mcp.json"):
        found = CHECKOUT / name
        if found.is_dir():
            shutil.copytree(found, place / name, symlinks=False)
        elif found.is_file():
            shutil.copy(found, place / name)
    yield place


@pytest.mark.parametrize("client", LISTINGS)
def test_an_assistant_lists_every_skill(
    client: str, had: Callable[[str], Path], taught: Seat, names: list[str], results: Results
) -> None:
    """Given the skills in a project, when an assistant lists what it knows, then each is there."""
    had(client)
    done = replace(ASSISTANTS[client], settle=lambda _seat: None).run(taught, *LISTINGS[client])
    assert done.returncode == 0, done.stderr
    assert [name for name in names if name not in done.stdout] == []
    results.see(client, f"`{' '.join(LISTINGS[client])}`", f"all {len(names)} skills")


def test_codex_lists_every_skill(had: Callable[[str], Path], taught: Seat, names: list[str], results: Results) -> None:
    """Given the skills in a project, when codex is asked for those of its folder, then each is there, and no error."""
    codex = AppServer(had("codex"), taught)
    codex.ask("initialize", {"clientInfo": {"name": "test", "version": "1"}})
    [found] = codex.ask("skills/list", {"cwds": [str(taught.root)]})["data"]
    codex.close()
    assert set(names) <= {skill["name"] for skill in found["skills"] if skill["enabled"]}
    assert found.get("errors", []) == []
    results.see("codex", "`app-server`: `skills/list`", f"all {len(names)} skills")


def test_claude_finds_the_skills_right(had: Callable[[str], Path], taught: Seat, results: Results) -> None:
    """Given the skills in a project, when Claude Code looks at its folder there, then it finds nothing wrong."""
    had("claude")
    done = ASSISTANTS["claude"].run(taught, "plugin", "validate", ".claude", "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    results.see("claude", "`plugin validate .claude --strict`", "passed")


@pytest.mark.parametrize("client", PLUGINS)
def test_the_plugin_is_installed_from_a_checkout(
    client: str, had: Callable[[str], Path], marketplace: Path, home: Path, results: Results
) -> None:
    """Given a checkout, when it is added as a marketplace and its plugin installed, then the assistant has it."""
    had(client)
    about = json.loads((marketplace / ".claude-plugin/marketplace.json").read_text())
    plugin = f"{about['plugins'][0]['name']}@{about['name']}"
    verb, listing = PLUGINS[client]
    seat = Seat(home, home)
    assistant = replace(ASSISTANTS[client], settle=lambda _seat: None)
    for command in (("plugin", "marketplace", "add", str(marketplace)), ("plugin", verb, plugin)):
        done = assistant.run(seat, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    done = assistant.run(seat, *listing)
    assert about["plugins"][0]["name"] in done.stdout, done.stdout + done.stderr
    results.see(client, f"`plugin marketplace add`, `plugin {verb}`", f"in `{' '.join(listing)}`")


def test_claude_finds_the_plugin_right(
    had: Callable[[str], Path], marketplace: Path, home: Path, results: Results
) -> None:
    """Given the marketplace, when Claude Code is strict about it and its plugin, then it finds nothing wrong."""
    had("claude")
    about = json.loads((marketplace / ".claude-plugin/marketplace.json").read_text())
    seat = Seat(home, marketplace)
    for place in {".", about["plugins"][0]["source"]}:
        done = ASSISTANTS["claude"].run(seat, "plugin", "validate", place, "--strict")
        assert done.returncode == 0, done.stdout + done.stderr
    results.see("claude", "`plugin validate --strict`", "passed")


def test_npx_skills_lists_every_skill_of_a_checkout(
    had: Callable[[str], Path], marketplace: Path, home: Path, names: list[str], results: Results
) -> None:
    """Given a checkout, when `npx skills add . --list` is run in it, then each skill is offered."""
    done = subprocess.run(
        [had("skills"), "add", ".", "--list"],
        cwd=marketplace,
        env=surroundings(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name in names if name not in done.stdout] == []
    results.see("skills", "`skills add . --list`", f"all {len(names)} skills")


def test_the_validator_of_the_specification_finds_the_skills_right(names: list[str]) -> None:
    """Given the skills, when the validator of the specification reads each, then it finds nothing wrong."""
    validator = Path(sys.executable).with_name("agentskills")
    if not validator.exists():
        pytest.skip("skills-ref is not installed")
    for name in names:
        done = subprocess.run(
            [validator, "validate", CHECKOUT / "skills" / name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
