"""A project that an assistant brings to an environment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.project import task, write
from tests.deploy.this_python import ThisPython
from tests.mcp.test_dev_server import ask, within

from detent.config import load_config
from detent.deploy import venvs
from detent.server.host import Host
from detent_mcp.tools import deploying
from mcp import Client


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a project whose server runs."""
    root = write(tmp_path, {"detent.toml": 'project = "shop"\ndirs = ["tasks"]\n'})
    write(root, {"tasks/shop.py": task("mcp-deployed")})
    for name in ("DETENT_API_URL", "DETENT_SECRET_KEY", "CLAUDE_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DETENT_PROJECT_DIR", str(root))
    monkeypatch.setattr(venvs, "Environments", lambda *_args, **_more: ThisPython())
    host = Host(load_config(root, {}), port=0)
    host.start()
    yield root
    host.stop()


def test_a_project_is_deployed_listed_promoted_and_rolled_back(shop: Path) -> None:
    async def work(client: Client) -> None:
        # When a project is deployed to staging
        told: list[str | None] = []

        async def on_progress(_done: float, _total: float | None, message: str | None) -> None:
            told.append(message)

        first = await client.call_tool("deploy", {"env": "staging", "message": "first"}, progress_callback=on_progress)
        made: Any = first.structured_content

        # Then the result says where, and which steps it took
        assert not first.is_error, made
        assert (made["project"], made["environment"], made["status"]) == ("shop", "staging", "DEPLOYED")
        assert made["current"] is True
        assert {"build", "upload"} <= made["steps"].keys()
        assert told

        # And without a change nothing is deployed
        assert "unchanged" in await ask(client, "deploy", env="staging")

        # And another version is there when it is promoted, and gone when it is rolled back
        write(shop, {"tasks/shop.py": task("mcp-deployed") + "# two\n"})
        second = await ask(client, "deploy", env="staging", skip_promotion=True)
        assert f'promote_deploy(version="{second["version"]}"' in second["next"]
        promoted = await ask(client, "promote_deploy", version=second["version"], env="staging")
        assert promoted["current"] is True
        back = await ask(client, "promote_deploy", version="previous", env="staging")
        assert back["version"] == made["version"]
        listed = await ask(client, "list_deploys", env="staging")
        assert [each["version"] for each in listed["deploys"]] == [second["version"], made["version"]]

    within(work)


def test_what_cannot_be_deployed_is_told_with_its_place_and_nothing_changes(shop: Path) -> None:
    async def work(client: Client) -> None:
        # Given a task file that cannot be imported
        write(shop, {"tasks/broken.py": "import there_is_no_such_module\n"})

        # When it is deployed
        refused = await ask(client, "deploy", env="staging")

        # Then the file is named, and no version is there
        assert "broken.py" in refused["message"]
        assert "there_is_no_such_module" in refused["message"]
        assert "deploy(" in refused["next"]
        assert "was changed" in refused["message"]

    within(work)


def test_the_environment_is_always_named_and_prod_is_confirmed(shop: Path) -> None:
    async def work(client: Client) -> None:
        # Then there is no default, dev takes none, and prod asks first
        missing = await ask(client, "deploy")
        assert "staging, prod" in missing["message"]
        assert "dev_server" in (await ask(client, "deploy", env="dev"))["next"]
        asked = await ask(client, "deploy", env="prod")
        assert asked["code"] == "confirmation_needed"
        done = await ask(client, "deploy", env="prod", confirm=True)
        assert (done["environment"], done["status"]) == ("prod", "DEPLOYED")

        # And the environment of a branch is made where it is not there
        branch = await ask(client, "deploy", env="preview/new-look")
        assert (branch["environment"], branch["status"]) == ("preview/new-look", "DEPLOYED")
        assert "was made" in branch["notes"][0]

    within(work)


def test_a_deployment_that_is_given_up_is_canceled(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a deployment whose environment takes long
    building = asyncio.Event()

    async def work(client: Client) -> Any:
        loop = asyncio.get_running_loop()

        class Slow(ThisPython):
            def ensure(self, project: Path, **more: Any) -> Path:
                loop.call_soon_threadsafe(building.set)
                assert all(each.stop.wait(30) for each in deploying.under_way())
                return super().ensure(project, **more)

        monkeypatch.setattr(venvs, "Environments", lambda *_args, **_more: Slow())
        call = asyncio.ensure_future(client.call_tool("deploy", {"env": "staging"}))
        await building.wait()

        # When its client gives the call up
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.to_thread(deploying.give_up, 30)

        # Then it is canceled
        return (await ask(client, "list_deploys", env="staging"))["deploys"][0]["status"]

    assert within(work) == "CANCELED"


def test_a_server_for_dev_only_and_one_that_reads_do_not_deploy(shop: Path) -> None:
    async def work(client: Client) -> str:
        return str((await ask(client, "deploy", env="staging"))["message"])

    assert "--dev-only" in within(work, dev_only=True)
    assert "--readonly" in within(work, readonly=True)
