"""Resources, prompts, completions, and word of runs that have changed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference
from tests.mcp.conftest import Assistant
from tests.server.project import Project, Worker

from detent.client.detent import Detent
from detent_mcp.prompts import PROMPTS
from mcp import Client


def started(project: Project) -> tuple[str, Worker, Any]:
    worker = project.worker()
    run_id = Detent(project.transport).tasks.trigger("plain", {"n": 1}).id
    [grant] = worker.claim()
    return run_id, worker, grant


def test_runs_tasks_and_pages_are_read_by_their_address(everywhere: Assistant, project: Project) -> None:
    run_id, worker, grant = started(project)
    worker.finish(grant, output='{"sum": 3}')

    async def work(client: Client) -> None:
        templates = (await client.list_resource_templates()).resource_templates
        assert [each.uri_template for each in templates] == ["run://{id}", "task://{id}", "docs://{page}"]
        pages = {str(each.uri) for each in (await client.list_resources()).resources}
        assert {"docs://queues", "docs://tasks"} <= pages
        run = await read(client, f"run://{run_id}")
        assert (run["status"], run["output"]) == ("COMPLETED", {"sum": 3})
        assert (await read(client, "task://typed"))["example_payload"] == {"title": "text"}
        assert (await read(client, "task://with%2Fslash"))["id"] == "with/slash"
        page = (await client.read_resource("docs://queues")).contents[0]
        assert page.text.startswith("# Queues")
        part = (await client.read_resource("docs://queues#fair-turns")).contents[0]
        assert part.text.startswith("## Fair turns")
        for missing in ("run://run_nope", "task://nope", "docs://nope", "strange://x", "run://"):
            with pytest.raises(MCPError) as refused:
                await client.read_resource(missing)
            assert refused.value.error.code == -32602

    everywhere.run(work)


async def read(client: Client, uri: str) -> Any:
    [content] = (await client.read_resource(uri)).contents
    return json.loads(content.text)


@pytest.mark.parametrize("way", ["memory", "stdio", "http"])
def test_a_change_of_a_watched_run_is_told(assistant: Assistant, project: Project, way: str) -> None:
    assistant.way = way
    run_id, worker, grant = started(project)
    uri = f"run://{run_id}"

    async def work(client: Client) -> None:
        async with client.listen(resource_subscriptions=[uri, "run://run_nope"]) as changes:
            # Then how it stands is told, and each change
            statuses = []
            async with asyncio.timeout(10):
                async for change in changes:
                    assert change.uri == uri
                    statuses.append((await read(client, uri))["status"])
                    if statuses == ["DEQUEUED"]:
                        worker.finish(grant, output="1")
                    if statuses[-1] == "COMPLETED":
                        break
            assert statuses[0] == "DEQUEUED"

    assistant.run(work)


@pytest.mark.filterwarnings("ignore:resources/:mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("way", ["memory", "stdio", "http"])
def test_clients_of_before_subscribe_to_one_run_after_the_other(
    assistant: Assistant, project: Project, way: str
) -> None:
    assistant.way = way
    run_id, worker, grant = started(project)
    uri = f"run://{run_id}"
    assistant.era = "legacy"
    told: list[str] = []

    async def work(client: Client) -> None:
        heard.clear()
        await client.subscribe_resource(uri)
        await client.subscribe_resource("docs://queues")
        worker.finish(grant, output="1")
        async with asyncio.timeout(10):
            while (await read(client, uri))["status"] != "COMPLETED" or not told:
                await heard.wait()
                heard.clear()
        await client.unsubscribe_resource(uri)
        await client.unsubscribe_resource("run://run_never_subscribed")

    heard = asyncio.Event()

    async def listen(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/resources/updated":
            told.append(str(message.params.uri))
            heard.set()

    assistant.run(work, message_handler=listen)
    assert told
    assert set(told) == {uri}


def test_every_prompt_names_tools_that_are_there(assistant: Assistant) -> None:
    async def work(client: Client) -> None:
        listed = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
        assert set(listed) == set(PROMPTS) == {
            "debug_failed_run", "write_task", "health_report", "review_before_deploy",
        }  # fmt: skip
        for name, prompt in listed.items():
            assert prompt.arguments is not None
            for given in ({}, {prompt.arguments[0].name: "a\nb"}):
                got = await client.get_prompt(name, given)
                [message] = got.messages
                assert len(message.content.text) > 200
                assert "a b" in message.content.text or not given
        with pytest.raises(MCPError, match="debug_failed_run"):
            await client.get_prompt("debug_failed_runs")
        with pytest.raises(MCPError, match="period"):
            await client.get_prompt("health_report", {"periods": "1h"})

    assistant.run(work)


def test_ids_and_names_are_completed(assistant: Assistant, project: Project) -> None:
    failed, worker, grant = started(project)
    worker.finish(grant, "FAILED", error='{"type": "E", "message": "m"}')
    waiting = Detent(project.transport).tasks.trigger("typed", {"title": "x"}).id

    async def work(client: Client) -> None:
        async def values(reference: Any, name: str, begun: str) -> list[str]:
            return (await client.complete(reference, {"name": name, "value": begun})).completion.values

        prompt = PromptReference(name="debug_failed_run")
        assert await values(prompt, "run", "run_") == [failed]
        assert await values(ResourceTemplateReference(uri="run://{id}"), "id", "") == [waiting, failed]
        assert await values(ResourceTemplateReference(uri="task://{id}"), "id", "slash") == ["with/slash"]
        assert "queues" in await values(ResourceTemplateReference(uri="docs://{page}"), "page", "que")
        assert await values(PromptReference(name="health_report"), "period", "2") == ["24h"]
        assert await values(PromptReference(name="nope"), "nope", "") == []

    assistant.run(work)
    alone = assistant.but()
    alone.url = "http://127.0.0.1:9"

    async def without_a_server(client: Client) -> None:
        found = await client.complete(ResourceTemplateReference(uri="run://{id}"), {"name": "id", "value": ""})
        assert found.completion.values == []

    alone.run(without_a_server)
