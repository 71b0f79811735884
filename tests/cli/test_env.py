"""`detent env`: values come in without being seen, and secrets never come out."""

from __future__ import annotations

from tests.cli.conftest import Project

VALUE = "canary-2b9d7e6f"


def test_a_secret_is_read_from_standard_input_and_never_shown(project: Project) -> None:
    done = project.detent("env", "set", "API_KEY", input=f"{VALUE}\n")
    assert (done.returncode, done.stdout) == (0, "API_KEY made (secret)\n")
    assert "workers that start from now on" in done.stderr
    shown = [project.detent("env", *words) for words in (["list"], ["list", "--json"], ["get", "API_KEY"])]
    assert [one.returncode for one in shown] == [0, 0, 0]
    assert VALUE not in "".join(one.stdout + one.stderr for one in (done, *shown))
    assert project.json("env", "list")["items"][0]["value"] is None


def test_a_plain_one_is_shown_and_a_secret_on_the_command_line_is_warned_of(project: Project) -> None:
    assert project.detent("env", "set", "LEVEL=debug=1", "--plain").stderr.count("warning") == 0
    assert project.detent("env", "get", "LEVEL").stdout == "debug=1\n"
    assert "stays in the shell's history" in project.detent("env", "set", f"KEY={VALUE}").stderr


def test_a_file_is_imported_and_one_variable_is_removed(project: Project) -> None:
    (project.root / ".env").write_text("A=1\nB=2\n")
    assert project.json("env", "import", "--plain")["created"] == ["A", "B"]
    again = project.detent("env", "import")
    assert again.stdout == "0 made, 0 changed, 2 left as they are\n"
    assert "--override" in again.stderr
    assert project.detent("env", "unset", "A").returncode == 0
    gone = project.detent("env", "unset", "A")
    assert (gone.returncode, "no variable 'A'" in gone.stderr) == (1, True)
