"""Logging in to a real server from another folder, and what commands do then."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import DETENT, Project, environment

KEYRING = """\
import json, os, pathlib
from keyring.backend import KeyringBackend

class FileKeyring(KeyringBackend):
    priority = 1
    path = pathlib.Path(os.environ["RING"])

    def _all(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def get_password(self, service, username):
        return self._all().get(f"{service}/{username}")

    def set_password(self, service, username, password):
        self.path.write_text(json.dumps(self._all() | {f"{service}/{username}": password}))

    def delete_password(self, service, username):
        left = self._all()
        del left[f"{service}/{username}"]
        self.path.write_text(json.dumps(left))
"""


@dataclass(frozen=True)
class Person:
    """Somebody in a folder that is no project, with settings of their own."""

    place: Path
    url: str

    @property
    def settings(self) -> Path:
        return self.place / "settings" / "detent"

    def variables(self, *, ring: bool = False) -> dict[str, str]:
        own = {"XDG_CONFIG_HOME": str(self.settings.parent)}
        if not ring:
            return own | {"DETENT_NO_KEYRING": "1"}
        (self.place / "file_keyring.py").write_text(KEYRING)
        paths = [str(self.place), *filter(None, [os.environ.get("PYTHONPATH")])]
        return own | {
            "PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring",
            "RING": str(self.place / "ring.json"),
            "PYTHONPATH": os.pathsep.join(paths),
        }

    def detent(self, *arguments: str, ring: bool = False, **more: Any) -> subprocess.CompletedProcess[str]:
        return Project(self.place).detent(*arguments, **self.variables(ring=ring) | more)

    def json(self, *arguments: str, **more: Any) -> Any:
        return json.loads(self.detent(*arguments, "--json", **more).stdout)


@pytest.fixture
def person(served: Project, tmp_path: Path) -> Iterator[Person]:
    yield Person(tmp_path, json.loads((served.root / ".detent" / "server.json").read_text())["url"])


def test_an_assistant_logs_in_with_two_calls(served: Project, person: Person) -> None:
    # Given an assistant that gets a code
    codes = json.loads(person.detent("login", "--url", person.url, "--profile", "work", "--no-wait").stdout)
    assert codes["continue_with"] == f"detent login --device-code {codes['device_code']}"
    go_on = codes["continue_with"].split()[1:]
    assert person.json(*go_on, "--no-wait") == {"status": "pending"}
    # When the owner agrees on the server's machine
    assert served.detent(*codes["approve_with"].split()[1:]).returncode == 0
    # Then the next call is logged in
    done = person.json(*go_on)
    assert (done["status"], done["profile"], done["kind"], done["role"]) == ("approved", "work", "personal", "owner")
    # And commands speak to that server from anywhere
    assert "greet" in {task["id"] for task in person.json("tasks", "list")["items"]}
    who = person.json("--env", "staging", "whoami")
    assert (who["profile"], who["url"], who["environment"]) == ("work", person.url, "staging")
    # And no file that others may read holds the key
    assert sorted(path.name for path in person.settings.iterdir()) == ["keys.json", "lock", "profiles.json"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in [*person.settings.iterdir(), person.settings])
    (key,) = json.loads((person.settings / "keys.json").read_text()).values()
    assert key.startswith("dt_pat_")
    assert key not in (person.settings / "profiles.json").read_text()
    # When they log out
    gone = person.json("logout")
    # Then the key is forgotten here, and refused there
    assert gone == {"profile": "work", "revoked": True, "current": "local"}
    assert key not in (person.settings / "keys.json").read_text()
    refused = person.detent("whoami", DETENT_API_URL=person.url, DETENT_SECRET_KEY=key)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "error: this key has been revoked; use another one\n"


def test_where_there_is_a_keyring_the_key_is_in_no_file(served: Project, person: Person) -> None:
    key = (served.root / ".detent" / "key").read_text().strip()
    done = person.detent("login", "--url", person.url, "--token", key, ring=True)
    assert (done.returncode, "in the keyring of the system" in done.stderr) == (0, True)
    assert list(json.loads((person.place / "ring.json").read_text()).values()) == [key]
    assert sorted(path.name for path in person.settings.iterdir()) == ["lock", "profiles.json"]
    assert key not in (person.settings / "profiles.json").read_text()
    assert person.json("whoami", ring=True)["kind"] == "local"
    # A key that is gone is told, with what to do
    (person.place / "ring.json").unlink()
    gone = person.detent("whoami", ring=True)
    assert (gone.returncode, gone.stderr.count("\n")) == (1, 1)
    assert f"detent login --url {person.url} --profile" in gone.stderr


@pytest.mark.parametrize("deny", [False, True])
def test_a_log_in_waits_for_a_person_with_plain_lines(served: Project, person: Person, deny: bool) -> None:
    # Given a log-in that waits, without a terminal
    waiting = subprocess.Popen(
        [DETENT, "login", "--url", person.url, "--json"],
        cwd=person.place,
        env=environment() | person.variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stderr is not None
    command = next(line.split() for line in waiting.stderr if line.startswith("    detent"))
    # When a person decides
    decided = served.detent(*command[1:], *(["--deny"] if deny else []))
    assert decided.returncode == 0
    assert decided.stderr.startswith(f"{command[-1]}, detent on ")
    assert decided.stderr.endswith("is refused.\n" if deny else "is logged in.\n")
    # Then it ends
    said, _ = waiting.communicate(timeout=30)
    if deny:
        assert waiting.returncode == 1
        assert json.loads(said)["error"]["message"] == "the log-in was refused"
        return
    assert waiting.returncode == 0
    assert json.loads(said)["profile"] == person.url.removeprefix("http://").replace(":", "-")
    # And its code is good once
    again = served.detent(*command[1:])
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "one decision" in again.stderr


def test_a_program_logs_in_with_a_key_and_keeps_it_when_it_logs_out(served: Project, person: Person) -> None:
    # Given a key for CI, which is all that is printed
    made = served.detent("keys", "create", "--name", "ci", "--env", "prod", "--scope", "runs:read", "-q")
    key = made.stdout.strip()
    assert (made.stdout, made.stderr) == (f"{key}\n", "")
    assert key.startswith("dt_prod_")
    # When it comes by standard input
    done = person.detent("login", "--url", person.url, "--profile", "ci", "--token", "-", input=f"{key}\n")
    assert (done.returncode, done.stdout) == (0, "")
    assert key not in done.stderr
    # Then it is used, for what it may do
    assert person.json("whoami")["scopes"] == ["runs:read"]
    assert person.detent("keys", "list").stderr.startswith("error: this key does not have the scope keys:read")
    other = person.detent("--env", "dev", "runs", "list")
    assert (other.returncode, "this key is for 'prod', not for 'dev'" in other.stderr) == (1, True)
    # And the environment of the process goes before it
    local = (served.root / ".detent" / "key").read_text().strip()
    first = person.detent("--profile", "ci", "whoami", DETENT_API_URL=person.url, DETENT_SECRET_KEY=local)
    assert "(local)" in first.stdout
    assert first.stderr == "DETENT_API_URL is set, and goes before the profile ci.\n"
    # And the profile is chosen by name
    assert person.detent("switch", "local").returncode == 0
    assert person.detent("runs", "list").returncode == 1
    assert person.json("--profile", "ci", "runs", "list")["items"] == []
    listed = person.json("list-profiles")["items"]
    assert [(row["name"], row["is_current"]) for row in listed] == [("local", True), ("ci", False)]
    # When it logs out, the key that it brought is still good
    assert person.json("logout", "--profile", "ci")["revoked"] is False
    assert person.json("whoami", DETENT_API_URL=person.url, DETENT_SECRET_KEY=key)["kind"] == "key"


def test_what_cannot_be_is_told_in_one_sentence(person: Person) -> None:
    there = ["login", "--url", person.url]
    for arguments, status, said in (
        ([*there, "--token", "dt_prod_wrong_key"], 1, "the key is missing or wrong"),
        ([*there, "--token", "a", "--approve", "b"], 2, "are two ways to log in"),
        (["login"], 2, "which server?"),
        (["login", "--url", "http://127.0.0.1:1"], 1, "no detent server answers at http://127.0.0.1:1"),
        (["login", "--url", person.url, "--profile", "local"], 2, "choose another name"),
        (["--profile", "nope", "runs", "list"], 1, "no profile named 'nope'"),
        (["logout"], 2, "nothing to log out of"),
    ):
        done = person.detent(*arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1), done
        assert said in done.stderr
    assert not (person.settings / "keys.json").exists()
    (person.settings / "profiles.json").write_text("{")
    assert "is not as detent writes it" in person.detent("runs", "list").stderr
