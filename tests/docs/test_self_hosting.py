"""The files of examples/self-hosting are what the tools that read them want."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.blocks import ROOT

from detent.config import load_config
from detent_cli.app import make_command

FOLDER = ROOT / "examples" / "self-hosting"
UNITS = sorted(FOLDER.glob("*.service"))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    return document


def test_the_compose_file_names_images_by_version_and_has_all_parts(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert set(services) == {"postgres", "valkey", "server", "worker", "caddy"}
    images = [service["image"] for service in services.values() if not service["image"].startswith("$")]
    assert all(re.search(r":\d+\.\d+", image) for image in images), images
    assert {name for service in services.values() for name in service.get("depends_on", ())} <= set(services)


def test_the_commands_of_the_compose_file_and_the_units_are_known(compose: dict[str, Any]) -> None:
    commands = [compose["services"][name]["command"] for name in ("server", "worker")]
    for unit in UNITS:
        for found in re.findall(r"^ExecStart(?:Pre)?=\S+/(detent .*)$", unit.read_text(encoding="utf-8"), re.MULTILINE):
            commands.append(found.split())

    assert len(commands) == 5
    root: Any = make_command()
    for words in commands:
        context = root.make_context("detent", list(words[1:]))
        name, command, rest = root.resolve_command(context, [*context._protected_args, *context.args])
        assert command.make_context(name, rest, parent=context).args == []


def test_the_variables_of_the_compose_file_are_settings(compose: dict[str, Any], tmp_path: Path) -> None:
    variables = dict(compose["services"]["server"]["environment"])
    key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    filled = {name: re.sub(r"\$\{\w+[^}]*\}", "word", value) for name, value in variables.items()}
    filled |= {"DETENT_ENCRYPTION_KEY": key, "DETENT_OBJECT_STORE_URL": "s3://bucket/detent"}

    config = load_config(tmp_path, filled)

    assert config.database_url == "postgresql://detent:word@postgres/detent"
    assert config.broker_url == "redis://:word@valkey:6379/0"
    assert config.public_url == "https://word"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    # The programs of the units are not on this machine; the interpreter stands for them.
    text = re.sub(r"/srv/detent/\.venv/bin/detent", sys.executable, unit.read_text(encoding="utf-8"))
    made = tmp_path / unit.name.replace("@.", "@prod.")
    made.write_text(text, encoding="utf-8")

    checked = subprocess.run(["systemd-analyze", "verify", made], capture_output=True, text=True, check=False)

    own = [line for line in (checked.stdout + checked.stderr).splitlines() if unit.name.partition("@")[0] in line]
    assert not own
