"""The skills: valid, small enough to be loaded, and naming only what there is."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from skills_ref import validate
from tests.docs.blocks import ROOT

import detent
from detent_cli.app import make_command

SKILLS = sorted(path.parent for path in (ROOT / "skills").glob("*/SKILL.md"))
PAGES = sorted((ROOT / "skills").rglob("*.md"))
#: Every topic that the assistants have to know.
TOPICS = {
    "detent-ai-steps-and-agents",
    "detent-authoring-tasks",
    "detent-cost-and-performance",
    "detent-debugging-runs",
    "detent-deploying",
    "detent-errors-and-retries",
    "detent-fan-out",
    "detent-migrating-from-celery-and-dramatiq",
    "detent-operating-by-mcp",
    "detent-queues-and-concurrency",
    "detent-schedules",
    "detent-testing-tasks",
    "detent-waits-steps-replay",
}


def version() -> str:
    project: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return project


def test_there_is_a_skill_for_every_topic() -> None:
    assert {folder.name for folder in SKILLS} == TOPICS


@pytest.mark.parametrize("folder", SKILLS, ids=lambda folder: folder.name)
def test_a_skill_is_valid_and_small(folder: Path) -> None:
    assert validate(folder) == []
    text = (folder / "SKILL.md").read_text()
    assert text.count("\n") < 500
    assert len(text) // 4 < 5_000
    assert f'version: "{version()}"' in text
    assert "Load " in text.split("---")[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_skill_refers_to_is_there_one_level_deep(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#\s]+)\)", text):
        assert (page.parent / link).is_file(), link
        assert link.count("/") <= 1, link
    for name in re.findall(r"`(docs/[\w-]+\.md)`", text):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_tools_and_names_of_a_skill_exist(page: Path) -> None:
    from detent_mcp.catalogue import all_tools

    text = page.read_text()
    tools = {tool.name for tool in all_tools()}
    for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)\(", text) if "mcp" in page.parts[-2] else []:
        assert name in tools, name
    for command in re.findall(r"`detent ([a-z-]+(?: [a-z-]+)?)", text):
        assert known(command.split()), command
    for module, names in re.findall(r"^from (detent[\w.]*) import (.+)$", text, re.MULTILINE):
        if module == "detent":
            assert all(hasattr(detent, name.strip()) for name in names.split(","))


def known(words: list[str]) -> bool:
    """Whether these are a command, or a command and what it takes."""
    command: Any = make_command()
    for word in words:
        if not hasattr(command, "resolve_command"):
            return True
        if word not in command.commands:
            return False
        command = command.resolve_command(command.make_context("detent", [word], resilient_parsing=True), [word])[1]
    return True


def test_the_plugin_is_of_this_version_and_brings_the_skills() -> None:
    plugin = json.loads((ROOT / ".claude-plugin/plugin.json").read_text())
    market = json.loads((ROOT / ".claude-plugin/marketplace.json").read_text())
    assert plugin["version"] == version()
    assert plugin["mcpServers"]["detent"]["args"][-2:] == ["detent", "mcp"]
    assert [each["name"] for each in market["plugins"]] == [plugin["name"]]
    assert (ROOT / market["plugins"][0]["source"] / "skills").is_dir()
