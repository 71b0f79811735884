from __future__ import annotations

from pathlib import Path

import pytest
from tests.deploy.project import config, write

from detent.config import DeploySettings
from detent.errors import ConfigError


def settings(root: Path, text: str) -> DeploySettings:
    return config(root, f"[deploy]\n{text}\n").deploy


def test_a_project_that_says_nothing_gets_the_usual_settings(tmp_path: Path) -> None:
    usual = config(tmp_path).deploy

    assert usual.max_bytes == 104_857_600
    assert usual.import_timeout == 120.0
    assert (usual.include, usual.exclude, usual.pre_build, usual.external) == ((), (), (), ())


def test_every_setting_is_read_and_its_place_is_known(tmp_path: Path) -> None:
    table = """include = ["data/"]
exclude = ["*.wav"]
allow_secrets = ["tests/*.key"]
max_bytes = 2048
pre_build = ["make", "assets"]
system_packages = ["ffmpeg", "libsndfile.so.1"]
external = ["torch"]
import_timeout = "5m"
"""
    places = ["[deploy] of detent.toml", "[tool.detent.deploy] of pyproject.toml"]
    write(tmp_path, {"one/detent.toml": f"[deploy]\n{table}", "two/pyproject.toml": f"[tool.detent.deploy]\n{table}"})
    for name, place in zip(("one", "two"), places, strict=True):
        assert config(tmp_path / name).deploy == DeploySettings(
            include=("data/",), exclude=("*.wav",), allow_secrets=("tests/*.key",), max_bytes=2048,
            pre_build=("make", "assets"), system_packages=("ffmpeg", "libsndfile.so.1"), external=("torch",),
            import_timeout=300.0, place=place,
        )  # fmt: skip


def test_a_command_in_one_line_is_for_the_shell(tmp_path: Path) -> None:
    assert settings(tmp_path, 'pre_build = "make && ls"').pre_build == ("sh", "-c", "make && ls")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('exlude = ["a"]', "[deploy] of {file}: no setting named 'exlude'; did you mean 'exclude'"),
        ('include = "data"', "{file}: deploy.include is 'data' (text); expected a list of texts"),
        ('include = ["../data"]', "{file}: deploy.include names '../data'; expected patterns as in .gitignore"),
        (
            "max_bytes = 200000000",
            "deploy.max_bytes is 200000000 (a whole number); expected a whole number from 1024 to",
        ),
        ("pre_build = []", "deploy.pre_build is [] (a list); expected a command"),
        ("pre_build = 3", "expected a command, such as"),
        ('external = ["torch>=2"]', "deploy.external names 'torch>=2'; expected names of packages without versions"),
        ('system_packages = ["apt install x"]', "deploy.system_packages names 'apt install x'; expected programs and"),
        ("import_timeout = 0", "deploy.import_timeout is 0 (a whole number); expected a length of time of 1 s or more"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_is_allowed(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)
    assert expected.format(file=tmp_path / "detent.toml") in str(caught.value)
