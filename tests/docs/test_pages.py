"""The pages leave nothing out, and lead nowhere that is not there."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from tests.docs.blocks import ROOT

import detent
from detent import errors
from detent.config import Config, DeploySettings, QueueSettings, WorkerSettings
from detent.model.options import TriggerOptions
from detent.model.retry import RetryPolicy
from detent.model.status import Status
from detent_cli.app import make_command

DOCS = ROOT / "docs"
SOURCES = ("runtime", "cli")
#: What `Config` holds that is no key of the settings, or is spelled otherwise there.
NOT_KEYS = {"root", "file", "retries", "worker", "queues", "deploy"}
FROM_ENVIRONMENT = {
    "api_url",
    "project_slug",
    "environment",
    "secret_key",
    "database_url",
    "encryption_keys",
    "broker_url",
    "object_store_url",
    "sqlite_sync",
    "lease_ms",
    "smtp_url",
    "smtp_from",
}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def missing(names: set[str], text: str) -> set[str]:
    """Those that the text does not show as code."""
    return {name for name in names if not re.search(rf"`[^`\n]*(?<![\w-]){re.escape(name)}(?![\w-])[^`\n]*`", text)}


def test_every_key_of_the_settings_is_described() -> None:
    keys = {field.name for field in dataclasses.fields(Config)} - NOT_KEYS - FROM_ENVIRONMENT
    for kind in (QueueSettings, WorkerSettings, RetryPolicy):
        keys |= {field.name for field in dataclasses.fields(kind)}
    keys |= {field.name for field in dataclasses.fields(DeploySettings)} - {"place"}
    assert not missing(keys | {"[retries.default]", "[worker]", "[queues.NAME]"}, page("configuration.md"))


def test_every_variable_of_the_environment_is_described() -> None:
    names = {
        name
        for source in SOURCES
        for path in (ROOT / source).rglob("*.py")
        for name in re.findall(r"\bDETENT_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert len(names) > 5
    assert not missing(names, page("configuration.md"))


def test_every_trigger_option_is_described() -> None:
    assert not missing(set(TriggerOptions.__annotations__), page("triggering.md"))


def test_every_status_is_described() -> None:
    assert not missing({status.value for status in Status}, page("runs.md"))


def test_every_public_name_is_in_the_documentation() -> None:
    everything = "".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md")))
    assert not missing(set(detent.__all__), everything)


def test_every_error_is_described() -> None:
    assert not missing(set(errors.__all__) - {"by_answer", "by_code"}, page("errors-and-retries.md"))


def _parameters(command: Any, path: str) -> set[str]:
    """The command and its options, and those of the commands below it, as they are typed."""
    found = {path}
    for parameter in command.params:
        found |= {name for name in parameter.opts if name.startswith("--")}
    if hasattr(command, "list_commands"):
        context = command.make_context("detent", [], resilient_parsing=True)
        for name in command.list_commands(context):
            _, inner, _ = command.resolve_command(context, [name])
            found |= _parameters(inner, f"{path} {name}")
    return found


def test_every_command_and_option_is_described() -> None:
    assert not missing(_parameters(make_command(), "detent"), page("cli.md"))


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        aimed = (path.parent / file).resolve() if file else path
        if target.startswith(("http://", "https://")):
            continue
        if not aimed.exists() or (anchor and anchor not in _anchors(aimed)):
            dead.append(target)
    assert not dead


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_the_index_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\((\w[\w-]*\.md)\)", page("index.md")))
    assert {path.name for path in DOCS.glob("*.md")} - {"index.md"} <= linked
