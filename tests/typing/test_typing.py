"""The types of tasks reach their callers."""

from __future__ import annotations

from pathlib import Path

from mypy import api

ROOT = Path(__file__).parent.parent.parent


def test_a_strict_checker_infers_outputs_and_refuses_wrong_payloads() -> None:
    sample = Path(__file__).with_name("sample.py")
    settings = ["--strict", "--warn-unused-ignores", "--config-file", str(ROOT / "pyproject.toml")]
    report, faults, _ = api.run([*settings, str(sample)])
    assert (report.splitlines()[-1:], faults) == (["Success: no issues found in 1 source file"], "")
