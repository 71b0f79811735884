"""The examples run, as a reader would run them: in their own folder, with workers of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.docs.blocks import ROOT

from detent import Detent
from detent.config import load_config
from detent.dev import LocalService


def project(name: str, folder: Path) -> Path:
    """A copy of the example, so that no state is left in the checkout."""
    return Path(
        shutil.copytree(
            ROOT / "examples" / name, folder / name, ignore=shutil.ignore_patterns(".detent", "__pycache__")
        )
    )


def test_a_report_has_every_summary_and_names_what_was_refused(tmp_path: Path) -> None:
    root = project("summaries", tmp_path)
    request = json.loads((root / "articles.json").read_text(encoding="utf-8"))
    with LocalService(load_config(root, env={})) as service:
        client = Detent(service.transport)
        started = client.tasks.trigger("write-report", request)
        outcome = client.runs.poll(started.id, "30s")
        summaries = list(client.runs.list(task="summarize"))
        progress = client.runs.retrieve(started.id).metadata

    assert outcome.ok, outcome.error
    assert outcome.output == {
        "title": "Machines that wait",
        "summaries": {
            "catch": "A detent holds a wheel in place until it is released.",
            "escapement": "An escapement lets a wheel move by one tooth at a time.",
            "governor": "A governor keeps an engine at its speed.",
        },
        "left_out": {"blank": "there is nothing to summarize"},
    }
    assert sorted((run.status, run.attempt) for run in summaries) == [("COMPLETED", 2)] * 3 + [("FAILED", 1)]
    assert progress == {"total": 4, "done": 3}


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    root = project("backend", tmp_path)
    process = subprocess.Popen([sys.executable, "backend.py", "0"], cwd=root, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout:
        yield root, process.stdout.readline().strip()
        process.terminate()


def test_a_backend_takes_orders_while_nothing_runs_and_they_are_done_later(backend: tuple[Path, str]) -> None:
    root, url = backend
    with httpx.Client(base_url=url, trust_env=False) as web:
        order = {"order": "17", "text": "hello"}
        first, again = (web.post("/prints", json=order) for _ in range(2))
        assert first.status_code == 202
        assert first.json() == again.json()
        run_id = first.json()["run"]
        assert web.get(f"/prints/{run_id}").json() == {"status": "PENDING_VERSION", "output": None}

        with LocalService(load_config(root, env={})) as service:
            Detent(service.transport).runs.poll(run_id, "30s")
            assert web.get(f"/prints/{run_id}").json() == {"status": "COMPLETED", "output": "*** HELLO ***"}
            refused = web.post("/prints", json={"order": "18", "words": "hello"})
            assert refused.status_code == 400
            assert "text" in refused.json()["error"]
        assert web.get("/prints/run_01a2033e02ff011bd1affd296737560f").status_code == 404
