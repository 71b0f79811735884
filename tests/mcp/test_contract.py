"""What holds over every way and in every era."""

from __future__ import annotations

import json
from typing import Any

from tests.mcp.conftest import Assistant
from tests.server.project import Project

from mcp import Client


def test_a_client_connects_lists_calls_and_is_told_of_its_mistakes(everywhere: Assistant, project: Project) -> None:
    # Given a project with a worker
    project.worker()

    async def work(client: Client) -> None:
        # When it lists the tools, triggers, looks, and makes mistakes
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        made = await client.call_tool("trigger_task", {"task": "plain", "payload": {"n": 1}})
        runs = await client.call_tool("list_runs", {"limit": 5})
        strange = await client.call_tool("list_runs", {"stats": "FAILED"})
        missing = await client.call_tool("list_run", {})

        # Then each is answered, with the same text as structure, and mistakes are told to the model
        assert tools["list_runs"].annotations is not None and tools["list_runs"].annotations.read_only_hint
        assert all(tool.output_schema is None for tool in tools.values())
        assert made.structured_content["environment"] == "dev"
        assert made.structured_content["project"]
        assert [run["id"] for run in runs.structured_content["runs"]] == [made.structured_content["run"]]
        assert json.loads(_text(runs)) == runs.structured_content
        assert strange.is_error
        assert "did you mean status" in _text(strange)
        assert missing.is_error
        assert "list_runs" in _text(missing)

    everywhere.run(work)


def _text(result: Any) -> str:
    return str(result.content[0].text)
