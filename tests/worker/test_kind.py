"""What commands and settings say of workers, as their processes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from detent.config import WorkerSettings, load_config
from detent.errors import InvalidOptions
from detent.model.machine import OFFERED
from detent.worker.kind import Kind

USUAL = [f"--offer={name}" for name in OFFERED]


def test_a_worker_that_is_told_nothing_offers_all_but_labels() -> None:
    assert Kind().arguments(WorkerSettings()) == USUAL
    assert Kind().count(WorkerSettings(processes=3)) == 3


def test_concurrency_is_both_sizes_where_they_are_not_said() -> None:
    said = Kind(concurrency=2, threads=5, machines=["*"]).arguments(WorkerSettings())
    assert said == ["--threads", "5", "--async-limit", "2"]


def test_options_go_before_settings() -> None:
    settings = WorkerSettings(machines=("gpu-l4", "default"), queues=("mail",))
    assert Kind().arguments(settings) == ["--offer=gpu-l4", "--offer=default", "--queue=mail"]
    said = Kind(machines=["gpu-a100", "gpu-a100"], queues=["-x"]).arguments(settings)
    assert said == ["--offer=gpu-a100", "--queue=-x"]


def test_names_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(InvalidOptions, match="--machine: got ''"):
        Kind(machines=[""]).arguments(WorkerSettings())
    with pytest.raises(InvalidOptions, match="--queues: got ' '"):
        Kind(queues=[" "]).arguments(WorkerSettings())


def test_the_settings_of_workers_hold_their_kind(tmp_path: Path) -> None:
    (tmp_path / "detent.toml").write_text(
        '[worker]\nconcurrency = 4\nasync_limit = 9\nmachines = ["gpu-l4"]\nqueues = ["mail"]\n'
    )
    found = load_config(tmp_path, {}).worker
    assert found == WorkerSettings(threads=4, async_limit=9, machines=("gpu-l4",), queues=("mail",))
