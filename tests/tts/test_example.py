from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from detent.client import Detent
from detent.config import load_config
from detent.dev.local_service import LocalService

EXAMPLE = Path(__file__).parents[2] / "examples" / "tts"


def test_the_example_orders_a_speech_and_polls_until_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    project = tmp_path / "tts"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".detent", "__pycache__"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DETENT_", "OPENAI_"))}

    with LocalService(load_config(project)) as service:
        ordered = subprocess.run(
            [sys.executable, "order.py"],
            cwd=project,
            env=kept,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        client = Detent(service.transport)
        article = {"title": "On tides", "paragraphs": ["They come.", "They go."]}
        run = client.tasks.trigger("read-article", article)
        read = client.runs.poll(run.id, timeout=30)

    assert ordered.returncode == 0, ordered.stderr
    assert "is queued" in ordered.stdout
    assert "succeeded" in ordered.stdout
    assert ".detent/objects/tts/audio/" in ordered.stdout
    assert read.ok
    assert read.output["duration_s"] > 1
