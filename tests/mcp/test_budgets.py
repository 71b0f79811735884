"""How much of a model's attention the tools take."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.mcp.conftest import Assistant
from tests.server.project import Project

from detent.model.options import new_run
from detent_mcp.catalogue import all_tools, chosen
from detent_mcp.results import encode, estimate
from detent_mcp.settings import TOOLSETS, Settings

CORE = Settings()


def listed(settings: Settings) -> str:
    """What `tools/list` says, as it goes over the wire."""
    tools = [
        {
            "name": tool.name,
            "description": tool.description,
            "inputSchema": tool.schema(dev_only=settings.dev_only),
            "annotations": tool.annotations,
        }
        for tool in chosen(settings).values()
    ]
    return encode({"tools": tools})


def test_the_core_set_has_at_most_24_tools_in_under_12_kb_and_3000_tokens() -> None:
    # When the core set is listed
    text = listed(CORE)

    # Then it is small
    assert len(chosen(CORE)) <= 24
    assert len(text.encode()) < 12_288
    assert len(text) / 4 < 3_000
    assert estimate(text) < 3_600


@pytest.mark.parametrize("era", ["legacy", "auto"])
def test_what_goes_over_the_wire_is_no_more(assistant: Assistant, era: str) -> None:
    # When a client lists the tools
    told = replace(assistant, era=era).run(lambda client: client.list_tools())

    # Then that is within the budget too
    assert len(told.model_dump_json(by_alias=True, exclude_none=True).encode()) < 12_288


def test_twenty_rows_of_runs_are_under_1200_tokens(assistant: Assistant, project: Project) -> None:
    # Given runs of which some failed with a long error
    worker = project.worker()
    for n in range(20):
        project.operations.trigger([new_run("plain", str(n), {"tags": ["customer-4711"]}, now=0)])
    for grant in worker.claim(20)[:10]:
        error = {"type": "HTTPStatusError", "message": "Client error '429 Too Many Requests' for url " + "x" * 300}
        worker.finish(grant, "FAILED", error=json.dumps(error))

    # When twenty are listed
    told = encode(assistant.ask("list_runs"))

    # Then that is little to read, by bytes and by a count of words, numbers and signs
    assert len(told.encode()) / 4 < 1_200
    assert estimate(told) / 20 < 100


def test_the_readers_are_under_7_kb_and_only_read() -> None:
    # When only readers are shown
    settings = replace(CORE, readonly=True)

    # Then they are small, and none writes
    assert len(listed(settings).encode()) < 7_168
    assert all(tool.reads for tool in chosen(settings).values())


def test_dev_only_leaves_no_word_of_other_environments() -> None:
    # When the server is for dev only
    settings = replace(CORE, dev_only=True, toolsets=TOOLSETS)
    schemas = {name: tool.schema(dev_only=True) for name, tool in chosen(settings).items()}

    # Then no schema takes an environment, nor a word of confirmation
    assert [name for name, schema in schemas.items() if {"env", "confirm"} & schema["properties"].keys()] == []
    assert "staging" not in listed(settings)
    assert "prod" not in listed(settings)


@pytest.mark.parametrize("tool", all_tools(), ids=lambda tool: f"{tool.name}{'-reader' * tool.stands_in}")
def test_each_tool_says_what_it_is_for_and_is_honest_about_what_it_does(tool: Any) -> None:
    # Then it has a title and a description, and its annotations fit
    assert tool.toolset in TOOLSETS
    assert 20 <= len(tool.description) <= 420
    assert tool.title
    assert tool.annotations["readOnlyHint"] == tool.reads
    assert tool.annotations["openWorldHint"] is False
    if not tool.reads:
        assert "destructiveHint" in tool.annotations
        assert tool.needs.endswith(":write") or tool.here
    json.dumps(tool.schema(dev_only=False))
