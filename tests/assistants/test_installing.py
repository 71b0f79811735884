"""Every assistant, every scope, every system: in, in again, out, and all else as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detent.errors import ConfigError
from detent_cli.assistants.clients import Client, clients
from detent_cli.assistants.command import Command
from detent_cli.assistants.installing import NAME, Target, apply, plan_install, plan_uninstall, target
from detent_cli.assistants.places import System
from detent_cli.assistants.records import Records

COMMAND = Command("/opt/detent/bin/detent", ["mcp", "--readonly"])
NEWER = Command("/opt/detent/bin/detent", ["mcp"])

#: What stands in files already, by their format. Names of servers are those of each client.
JSON = [
    "",
    "{}",
    "{ }\n",
    '{"theme": "dark"}',
    '{\n  "theme": "dark"\n}\n',
    '{\n\t"KEY": {\n\t\t"other": {"command": "x", "args": []}\n\t},\n\t"z": 1\n}\n',
    '{\r\n    "z": [1, 2],\r\n    "KEY": {}\r\n}\r\n',
]
LENIENT = [
    '// mine\n{\n  "KEY": { // servers\n    "other": {"command": "{x}"}, // last\n  },\n}\n',
    '{\n  /* } */ "a": "// no",\n  "KEY": {"o": {"url": "http://x"}} // end\n}\n',
    '{\n  "KEY": {"a": {}},\n  "KEY": {"other": {"command": "x"}},\n}',
    "// nothing but a comment\n",
]
TOML = [
    "",
    'model = "o3"  # mine\n',
    '[mcp_servers.other]\ncommand = "x"\nargs = [ "a",  "b" ]\n\n[tui]\ntheme = "dark"\n',
    'a = 1\r\n\r\n[mcp_servers.other]\r\ncommand = "x" # y\r\n',
]
YAML = [
    "",
    "# mine\nextensions:\n  other:\n    args:\n      - a\n    enabled: true   # yes\nMODEL: 'x'\n",
    "extensions:\n    other:\n        args:\n        - a\n",
    "MODEL: x\r\n",
]


#: Clients whose files are tried with every document.
EACH_FORMAT = {"claude-code", "zed", "opencode", "codex", "goose"}


def places() -> list[tuple[Client, str, str]]:
    """All that there are."""
    return [
        (client, scope, system)
        for client in clients()
        for scope in client.scopes
        for system in ("linux", "macos", "windows")
    ]


def documents(client: Client, scope: str, project: Path) -> list[bytes]:
    if client.format == "toml":
        return [text.encode() for text in TOML]
    if client.format == "yaml":
        return [text.encode() for text in YAML]
    key = client.key(scope, project)[0]
    texts = [text.replace("KEY", key) for text in JSON + ([] if client.strict else LENIENT)]
    return [text.encode() for text in texts] + [b"\xef\xbb\xbf" + texts[-1].encode()]


@pytest.mark.parametrize("system", ["linux", "macos", "windows"])
def test_what_is_installed_twice_and_taken_out_leaves_every_byte_as_it_was(tmp_path: Path, system: str) -> None:
    machine = System(system, tmp_path / "home", {})
    project = tmp_path / "project"
    records = Records(tmp_path / "state")
    for client, scope, name in places():
        if name != system:
            continue
        place = target(client, scope, machine, project)
        contents = documents(client, scope, project)
        if system != "linux" or client.id not in EACH_FORMAT:
            # Systems differ by their paths, clients of one format by their names.
            contents = contents[-1:]
        for content in [None, *contents]:
            what = (client.id, scope, content)
            put(place, content)
            apply([plan_install(place, COMMAND)], records, "1")
            assert place.read().get(place.keys) == client.entry(scope, *COMMAND), what
            once = place.path.read_bytes()
            again = plan_install(place, COMMAND)
            assert (again.action, again.after) == ("keep", once), what
            apply([plan_install(place, NEWER)], records, "2")
            assert place.read().get(place.keys) == client.entry(scope, *NEWER), what
            apply([plan_uninstall(place, records)], records, "2")
            assert (place.path.read_bytes() if place.path.exists() else None) == content, what
            assert records.find(place.path, list(place.keys)) is None, what


def put(place: Target, content: bytes | None) -> None:
    place.path.unlink(missing_ok=True)
    if content is not None:
        place.path.parent.mkdir(parents=True, exist_ok=True)
        place.path.write_bytes(content)


def here(tmp_path: Path, name: str = "cursor", scope: str = "user") -> Target:
    client = next(client for client in clients() if client.id == name)
    return target(client, scope, System("linux", tmp_path / "home", {}), tmp_path / "project")


def test_what_others_write_meanwhile_stays_when_the_entry_is_taken_out(tmp_path: Path) -> None:
    place, records = here(tmp_path), Records(tmp_path / "state")
    put(place, b'{\n  "mcpServers": {\n    "a": {}\n  }\n}\n')
    apply([plan_install(place, COMMAND)], records, "1")
    text = place.path.read_text()
    place.path.write_text(text.replace('"a": {}', '"a": {"url": "x"}').replace("{\n", '{\n  // new\n  "z": 1,\n', 1))
    apply([plan_uninstall(place, records)], records, "1")
    assert place.path.read_text() == '{\n  // new\n  "z": 1,\n  "mcpServers": {\n    "a": {"url": "x"}\n  }\n}\n'


def test_what_somebody_has_added_to_the_entry_stays_when_it_is_installed_again(tmp_path: Path) -> None:
    place, records = here(tmp_path), Records(tmp_path / "state")
    apply([plan_install(place, COMMAND)], records, "1")
    text = place.path.read_text().replace('"args"', '"env": {"DETENT_PROFILE": "work"},\n      "args"')
    place.path.write_text(text)
    assert plan_install(place, COMMAND).action == "keep"
    apply([plan_install(place, NEWER)], records, "2")
    assert place.read().get(place.keys) == {
        "command": NEWER.program,
        "env": {"DETENT_PROFILE": "work"},
        "args": NEWER.args,
    }


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("cursor", '{\n  "a": [1,\n}\n', ":3:1"),
        ("cursor", '{"mcpServers": ["x"]}', "is no object"),
        ("codex", "a = 1\nb = = 2\n", ":2:"),
        ("codex", 'mcp_servers = { a = { command = "x" } }\n', "nothing can be added"),
        ("goose", "a: [1\n", ":2:1"),
        ("cursor", '{"a": "\\x"}', ":1:7"),
    ],
)
def test_a_file_that_cannot_be_edited_safely_is_left_alone_and_the_place_named(
    tmp_path: Path, name: str, content: str, told: str
) -> None:
    place = here(tmp_path, name)
    put(place, content.encode())
    with pytest.raises(ConfigError) as refused:
        plan_install(place, COMMAND)
    assert str(place.path) in str(refused.value)
    assert told in str(refused.value)
    assert COMMAND.program in str(refused.value)  # to be pasted
    assert place.path.read_text() == content


def test_when_one_file_cannot_be_written_those_before_it_are_as_they_were(tmp_path: Path) -> None:
    first, second = here(tmp_path), here(tmp_path, "zed")
    put(first, b'{"a": 1}')
    changes = [plan_install(first, COMMAND), plan_install(second, COMMAND)]
    (tmp_path / "home/.config").mkdir(parents=True)
    (tmp_path / "home/.config/zed").write_text("no folder")
    with pytest.raises(ConfigError, match="nothing was changed"):
        apply(changes, Records(tmp_path / "state"), "1")
    assert first.path.read_bytes() == b'{"a": 1}'


def test_a_file_that_changes_between_plan_and_writing_is_not_written(tmp_path: Path) -> None:
    place = here(tmp_path)
    put(place, b"{}")
    change = plan_install(place, COMMAND)
    put(place, b'{"theirs": 1}')
    with pytest.raises(ConfigError, match="changed by another program"):
        apply([change], Records(tmp_path / "state"), "1")
    assert place.path.read_bytes() == b'{"theirs": 1}'


def test_a_linked_file_stays_a_link_keeps_its_rights_and_has_a_backup(tmp_path: Path) -> None:
    place, records = here(tmp_path), Records(tmp_path / "state")
    real = tmp_path / "dotfiles/mcp.json"
    real.parent.mkdir()
    real.write_text('{"a": 1}')
    real.chmod(0o600)
    place.path.parent.mkdir(parents=True)
    place.path.symlink_to(real)
    apply([plan_install(place, COMMAND)], records, "1")
    assert place.path.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    record = records.find(place.path, list(place.keys))
    assert record is not None
    assert record.backup is not None
    assert Path(record.backup).read_text() == '{"a": 1}'


def test_the_entry_of_a_project_is_found_where_it_was_written_for_another_machine(tmp_path: Path) -> None:
    """Given a committed file with an entry that no record here knows, then it goes, and what else is there stays."""
    place = here(tmp_path, "cursor", "project")
    put(place, json.dumps({"mcpServers": {"a": {}, NAME: {"command": "uv"}}}).encode())
    apply([plan_uninstall(place, Records(tmp_path / "state"))], Records(tmp_path / "state"), "1")
    assert json.loads(place.path.read_text()) == {"mcpServers": {"a": {}}}
