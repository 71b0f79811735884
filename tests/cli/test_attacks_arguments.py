"""Commands that are called carelessly: one sentence that helps, the right exit status, JSON alone with `--json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.near import Near

from detent_cli.__main__ import run
from detent_cli.app import make_command

#: What goes on until somebody ends it, asks, or makes a voice.
_NOT_ASKED = {"mcp", "dev", "server", "worker", "demo", "tts", "init", "login", "env set"}
#: A value for every argument.
_NO_ID = "nothing-has-this-name"


def commands(command: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
    """The commands that do something, by what is typed."""
    command = command or make_command()
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    context = command.make_context("detent", [], resilient_parsing=True)
    for name in command.list_commands(context):
        _, inner, _ = command.resolve_command(context, [name])
        yield from commands(inner, f"{path} {name}".strip())


def asked() -> list[tuple[list[str], Any]]:
    """Each command with a value for each of its arguments that nothing fits."""
    found = []
    for path, command in commands():
        if path not in _NOT_ASKED:
            arguments = [_NO_ID for one in command.params if one.param_type_name == "argument"]
            found.append(([*path.split(), *arguments], command))
    return found


def test_an_option_that_no_command_has_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, _ in asked():
        assert run([*arguments, "--no-such-option"]) == 2, arguments
        said = capsys.readouterr()
        assert "--no-such-option" in said.err, arguments
        assert said.out == "", arguments


def test_names_that_nothing_has_are_told_in_a_sentence_or_as_json(
    near: Near, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    wrong = []
    for arguments, command in asked():
        as_json = any("--json" in option.opts for option in command.params)
        said = near.detent(*arguments, *(["--json"] if as_json else []))
        if said.status not in (0, 1, 2) or "Traceback" in said.out + said.err or "unexpected" in said.out + said.err:
            wrong.append((arguments, said))
        elif as_json:
            try:
                document = json.loads(said.out)
            except ValueError:
                wrong.append((arguments, said))
                continue
            # These say by their status how things are.
            tells = arguments[0] == "report" or arguments[-1] in ("check", "status")
            if said.status and not tells and not document["error"]["message"]:
                wrong.append((arguments, said))
        elif said.status and not said.err.strip():
            wrong.append((arguments, said))
    assert not wrong


def test_a_wrong_key_is_told_with_what_to_do(near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETENT_API_URL", near.host.url)
    for key, advice in (("dt_dev_wrongwrongwrong", "DETENT_SECRET_KEY"), ("dt_dev_\u00e9", "copy it again")):
        monkeypatch.setenv("DETENT_SECRET_KEY", key)
        for arguments in (["runs", "list"], ["queues", "list"], ["keys", "list"], ["runs", "get", _NO_ID]):
            said = near.detent(*arguments)
            assert (said.status, said.out) == (1, ""), arguments
            assert advice in said.err, arguments
            assert key not in said.err, arguments
            told = json.loads(near.detent(*arguments, "--json").out)
            assert advice in told["error"]["message"], arguments
