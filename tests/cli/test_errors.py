from __future__ import annotations

from tests.cli.conftest import Project


def test_an_error_is_listed_shown_resolved_and_ignored(served: Project) -> None:
    # Given a run that fails, which the server counts a moment later
    run_id = served.trigger("fail", "pigs can fly")
    row = ""
    while "ValueError: cannot: " not in row:
        row = served.detent("errors", "list", "--search", "cannot:", "--task", "fail", "--status", "unresolved").stdout
    error_id = row.splitlines()[1].split()[0]
    # Then it is shown
    shown = served.detent("errors", "show", error_id).stdout
    assert all(part in shown for part in (error_id, "UNRESOLVED", "fail (", "help_to_fail", run_id))
    # And what is said of it counts
    assert served.detent("errors", "resolve", error_id).stdout == f"{error_id} RESOLVED\n"
    assert served.json("errors", "ignore", error_id, "--for", "7d", "--occurrences", "9")["status"] == "IGNORED"
    assert served.detent("errors", "unresolve", error_id).stdout == f"{error_id} UNRESOLVED\n"


def test_an_unknown_error_fails_with_what_to_do(project: Project) -> None:
    assert "No errors yet." in project.detent("errors", "list").stderr
    done = project.detent("errors", "show", "0123456789abcdef")
    assert done.returncode == 1
    assert "detent errors list" in done.stderr
