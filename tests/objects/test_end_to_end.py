"""Large values on S3 from end to end: trigger, journal, children, output, clients, the command, links, retention."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from tests.faults.project import Project
from tests.servers.s3 import shared_s3

from detent import Detent
from detent.config import load_config
from detent.errors import StoreError
from detent.objects import open_store
from detent.server.host import Host

TASKS = """
from detent import step, task


@task(id="large")
async def large(text: str) -> str:
    made = await step("made", str.upper, text)
    said = await echo.trigger_and_wait(made)
    return said.unwrap()


@task(id="echo")
def echo(text: str) -> str:
    return text
"""
TEXT = "x" * 1_000_000


def test_large_values_pass_through_s3_from_the_trigger_to_their_removal(tmp_path: Path) -> None:
    server = shared_s3()
    bucket = server.bucket()
    url = server.url(f"{bucket}/detent")
    objects = open_store(url)
    with Project(tmp_path / "p", TASKS, 'retention = "1h"\n') as project:
        project.dev(DETENT_OBJECT_STORE_URL=url)
        client = project.client()
        run = client.tasks.trigger("large", TEXT).id
        client.tasks.trigger("echo", "small")
        project.finished(3)

        detail = client.runs.retrieve(run)
        assert (detail.payload, detail.output) == (TEXT, TEXT.upper())
        assert detail.output_presigned_url is not None
        assert httpx.get(detail.output_presigned_url).json() == TEXT.upper()
        assert bucket in detail.output_presigned_url
        shown = subprocess.run(
            [sys.executable, "-m", "detent_cli", "runs", "get", run, "--output"],
            cwd=project.root, env=project.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert json.loads(shown.stdout) == TEXT.upper()
        kinds = sorted(key.split("/")[0] for key in objects.list())
        assert kinds == ["outputs", "outputs", "runs", "runs", "runs"]  # payload, step, payload of the child

        # A store that does not answer holds up large values alone.
        server.pause()
        try:
            late = threading.Thread(target=lambda: client.tasks.trigger("echo", TEXT))
            late.start()
            client.tasks.trigger("echo", "small")
            project.finished(4)
        finally:
            server.resume()
        late.join()
        project.finished(5)

    env = {"DETENT_OBJECT_STORE_URL": url}
    host = Host(load_config(project.root, env), port=0)
    host.start()
    try:
        with closing(sqlite3.connect(project.root / ".detent" / "detent.db")) as db, db:
            db.execute("UPDATE runs SET finished_at = finished_at - 7200000")
        while host.alerting.digest.sweep():  # a run stays until its end has been read
            pass
        while host.engine.remove_old_runs():
            pass
        assert host.engine.delete_removed_objects() == 7
        assert list(objects.list()) == []
    finally:
        host.stop()


def test_without_the_store_small_values_work_and_large_ones_are_refused_with_the_cause(tmp_path: Path) -> None:
    url = "s3://bucket?endpoint=http://127.0.0.1:9&retries=0&access_key_id=a&secret_access_key=hidden-one"
    host = Host(load_config(tmp_path, {"DETENT_OBJECT_STORE_URL": url}), port=0)
    host.start()
    try:
        with Detent(api_url=host.url, secret_key=host.key, max_retries=0) as client:
            client.tasks.trigger("echo", "small")
            with pytest.raises(StoreError, match="cannot be reached; check the endpoint") as caught:
                client.tasks.trigger("echo", TEXT)
            assert "hidden-one" not in str(caught.value)
            assert len(list(client.runs.list())) == 1
    finally:
        host.stop()
