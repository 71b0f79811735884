"""`detent runs watch`, `stream` and `send`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from tests.cli.conftest import DETENT, Project, environment, make_project

TASKS = """
from __future__ import annotations

from detent import metadata, streams, task


@task(id="cli-chat")
async def chat(question: str) -> str:
    metadata.set("step", "asked")
    async with streams.writer("tokens") as tokens:
        for word in ("It ", "depends.\\n"):
            await tokens.write(word)
        await tokens.write({"done": True})
    return await streams.input("answers").wait(timeout="10m")
"""


@pytest.fixture(scope="module")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with a running `detent dev`."""
    project = make_project(tmp_path_factory.mktemp("chatting") / "shop", TASKS)
    dev = subprocess.Popen(
        [DETENT, "dev", "--port", "0", "--no-reload"],
        cwd=project.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert dev.stdout is not None
    for line in dev.stdout:
        if "worker ready" in line:
            break
    yield project
    dev.terminate()
    dev.communicate(timeout=60)


def test_a_run_is_followed_read_and_answered(chatting: Project) -> None:
    run = chatting.trigger("cli-chat", "why?")
    with subprocess.Popen(
        [DETENT, "runs", "watch", run], cwd=chatting.root, env=environment(), stdout=subprocess.PIPE, text=True
    ) as watch:
        text = chatting.detent("runs", "stream", run, "tokens")
        assert text.stdout == 'It depends.\n{"done": true}\n'
        lines = chatting.detent("runs", "stream", run, "tokens", "--after", "1", "--json").stdout.splitlines()
        assert [json.loads(line)["value"] for line in lines] == ["depends.\n", {"done": True}]

        sent = chatting.json("runs", "send", run, "answers", '"because"')
        assert (sent["stream"], sent["seq"]) == ("answers", 1)
        said, _ = watch.communicate(timeout=30)
    assert watch.returncode == 0
    assert 'step="asked"' in said
    last = said.splitlines()[-1]
    assert "COMPLETED" in last
    assert last.endswith('"because"')

    updates = [json.loads(line) for line in chatting.detent("runs", "watch", run, "--json").stdout.splitlines()]
    assert [update["status"] for update in updates] == ["COMPLETED"]
    late = chatting.detent("runs", "send", run, "answers", "1")
    assert late.returncode == 1
    assert "has ended" in late.stderr
