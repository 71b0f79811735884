"""The code in the documentation does what the pages say."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from tests.docs.blocks import ROOT, Block, Module, blocks, modules

from detent import Detent
from detent.config import load_config
from detent.sdk.hooks import Hooks
from detent.sdk.registry import registry
from detent.testing import harness
from detent_cli.app import make_command

#: For detent what `make check` says, so that what it keeps of its modules is good here, too; blocks are less strict.
MYPY = """\
[mypy]
strict = True
warn_unreachable = True
mypy_path = runtime:cli:mcp_server

[mypy-fastapi.*,regex.*,obstore.*,espeakng_loader.*,lameenc.*]
ignore_missing_imports = True

[{blocks}]
disallow_untyped_defs = False
disallow_incomplete_defs = False
disallow_untyped_calls = False
disallow_any_generics = False
disallow_subclassing_any = False
disallow_untyped_decorators = False
warn_return_any = False
warn_unreachable = False
strict_equality = False
extra_checks = False
implicit_reexport = True
"""


def test_every_python_block_fits_the_type_checker(tmp_path: Path) -> None:
    written = {module.name: str(module.block) for module in modules()}
    folder = tmp_path / "blocks"
    folder.mkdir()
    for module in modules():
        (folder / f"{module.name}.py").write_text(module.source, encoding="utf-8")
    settings = tmp_path / "mypy.ini"
    settings.write_text(MYPY.format(blocks=f"mypy-{','.join(written)}"), encoding="utf-8")
    cache = copied_cache(tmp_path / "cache")
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(settings),
            "--cache-dir",
            str(cache),
            "--no-error-summary",
            str(folder),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = checked.stdout
    for name, place in written.items():
        said = said.replace(f"{name}.py", f"{place} ({name}.py)")
    assert checked.returncode == 0, f"{said}{checked.stderr}"


def copied_cache(folder: Path) -> Path:
    """What the type checker has kept of this checkout, also while another one writes it; an empty folder without it."""
    for file in (ROOT / ".mypy_cache").glob("*/cache.*.db"):
        copy = folder / file.parent.name / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as kept, closing(sqlite3.connect(copy)) as other:
            kept.backup(other)
    return folder


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "declared", [])
    monkeypatch.setattr(registry, "queues", {})
    monkeypatch.setattr(registry, "hooks", Hooks())


@pytest.mark.usefixtures("fresh_registry")
@pytest.mark.parametrize("module", [each for each in modules() if each.runs], ids=lambda each: str(each.block))
def test_a_block_that_is_marked_to_run_runs(module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with _imported(module, tmp_path) as loaded:
        tests = [value for name, value in vars(loaded).items() if name.startswith("test_")]
        for test in tests:
            _call(test)
        if not tests:
            with harness() as h:
                if hasattr(loaded, "main"):
                    _call(loaded.main)
                h.drain()
                ended = [(run.task, run.status, run.error) for run in Detent().runs.list(limit=100)]
                assert all(status == "COMPLETED" for _, status, _ in ended), ended


class _imported:
    """The block as a module, for as long as it is used: annotations are looked up in ``sys.modules``."""

    def __init__(self, module: Module, folder: Path) -> None:
        self._name = module.name
        self._file = folder / f"{module.name}.py"
        self._file.write_text(module.source, encoding="utf-8")

    def __enter__(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location(self._name, self._file)
        assert spec is not None and spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[self._name] = loaded
        spec.loader.exec_module(loaded)
        return loaded

    def __exit__(self, *_: object) -> None:
        del sys.modules[self._name]


def _call(function: Any) -> None:
    result = function()
    if inspect.isawaitable(result):
        asyncio.run(_awaited(result))


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


@pytest.mark.parametrize("block", [block for block in blocks("toml") if block.mark != "skip"], ids=str)
def test_a_block_of_settings_is_read_without_complaint(block: Block, tmp_path: Path) -> None:
    shared = "[tool.detent" in block.code
    (tmp_path / ("pyproject.toml" if shared else "detent.toml")).write_text(block.code, encoding="utf-8")
    assert load_config(tmp_path, env={}).file is not None


def _commands() -> Iterator[Any]:
    for block in blocks("console", "bash", "sh"):
        for line in block.code.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if block.language == "console" and not line.startswith("$ "):
                continue
            while words and "=" in words[0]:
                del words[0]
            if words and words[0] == "detent":
                ends = [place for place, word in enumerate(words) if word in {"|", ">", "&&", "&"}]
                yield pytest.param(words[1 : min(ends, default=None)], id=f"{block}: {line.strip()[:60]}")


@pytest.mark.parametrize("words", list(_commands()))
def test_a_command_that_is_shown_is_known(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the commands name as files is not there; what they name as commands and options has to be.
    monkeypatch.chdir(tmp_path)
    command: Any = make_command()
    name, parent = "detent", None
    while True:
        try:
            context = command.make_context(name, list(words), parent=parent)
        except typer.Exit:  # of --help and --version
            return
        rest = [*context._protected_args, *context.args]
        if not hasattr(command, "resolve_command"):
            assert not rest
            return
        if not rest and command.invoke_without_command:
            return
        name, command, words = command.resolve_command(context, rest)
        parent = context
