from __future__ import annotations

from tests.cli.conftest import Project

from detent.model.status import Status


def ids(project: Project, *filters: str) -> list[str]:
    return [run["id"] for run in project.json("runs", "list", *filters)["items"]]


def test_runs_are_listed_newest_first_and_filtered(project: Project) -> None:
    # Given three runs
    ada = project.trigger("greet", {"name": "Ada"}, "--tag", "early")
    bob = project.trigger("greet", {"name": "Bob"}, "--queue", "other", "--tag", "late")
    eve = project.trigger("fail", "no", "--delay", "1h")
    # Then each filter finds its own
    assert ids(project) == [eve, bob, ada]
    assert ids(project, "--task", "greet") == [bob, ada]
    assert ids(project, "--tag", "early") == [ada]
    assert ids(project, "--tag", "early", "--tag", "late") == [bob, ada]
    assert ids(project, "--queue", "other") == [bob]
    assert ids(project, "--status", "delayed") == [eve]
    assert ids(project, "--search", "fail") == [eve]
    assert ids(project, "--since", "1h") == [eve, bob, ada]
    assert ids(project, "--until", "1h") == []
    assert ids(project, "--parent", ada) == []


def test_a_list_goes_on_where_the_page_before_ended(project: Project) -> None:
    # Given three runs
    made = [project.trigger("greet", {"name": name}) for name in ("a", "b", "c")]
    # When they are read in pages
    first = project.json("runs", "list", "--limit", "2")
    rest = project.json("runs", "list", "--limit", "2", "--cursor", first["next_cursor"])
    # Then none is missing and none is twice
    found = [run["id"] for run in [*first["items"], *rest["items"]]]
    assert found == made[::-1]
    assert rest["next_cursor"] is None
    assert f"--cursor {first['next_cursor']}" in project.detent("runs", "list", "--limit", "2").stderr


def test_a_table_that_is_not_for_a_terminal_has_whole_ids(project: Project) -> None:
    made = project.trigger("greet", {"name": "Ada"}, "--tag", "with-a-long-name" * 6)
    shown = project.detent("runs", "list").stdout
    assert made in shown
    assert "with-a-long-name" * 6 in shown


def test_a_run_is_found_by_the_beginning_of_its_id(project: Project) -> None:
    made = project.trigger("greet", {"name": "Ada"})
    for beginning in (made[:20], made[4:16], f"{made[:20]}…", made.upper()):
        assert project.json("runs", "get", beginning)["id"] == made


def test_a_beginning_of_several_ids_is_refused_with_the_candidates(project: Project) -> None:
    made = [project.trigger("greet", {"name": name}) for name in "ab"]
    done = project.detent("runs", "get", "run_0")
    assert done.returncode == 2
    assert all(run in done.stderr for run in made)


def test_the_latest_run_needs_no_id(project: Project) -> None:
    assert "no runs yet" in project.detent("runs", "get", "latest").stderr
    project.trigger("greet", {"name": "Ada"})
    second = project.trigger("greet", {"name": "Bob"})
    assert project.json("runs", "get", "latest")["id"] == second


def test_a_run_that_waits_says_why(project: Project) -> None:
    # Given a run that nobody runs
    made = project.trigger("greet", {"name": "Ada"}, "--tag", "vip")
    # When somebody looks at it
    shown = project.detent("runs", "get", made).stdout
    # Then
    assert shown.startswith(f"{made}  QUEUED  greet\n")
    assert "Not running: no worker is connected; start `detent dev`" in shown
    assert '{"name": "Ada"}' in shown
    assert "vip" in shown
    assert "└── queued" in shown


def test_the_payload_alone_is_json_to_go_on_with(project: Project) -> None:
    project.trigger("greet", {"name": "Ada"})
    assert project.detent("runs", "get", "latest", "--payload").stdout == '{\n  "name": "Ada"\n}\n'
    assert project.detent("runs", "get", "latest", "--payload", "--output").returncode == 2


def test_a_large_payload_is_cut_for_people_unless_they_ask(project: Project) -> None:
    project.trigger("greet", {"name": "x" * 5_000})
    short = project.detent("runs", "get", "latest").stdout
    assert "--full" in short
    assert "x" * 2_000 not in short
    assert "x" * 5_000 in project.detent("runs", "get", "latest", "--full").stdout


def test_control_characters_of_users_do_not_reach_the_terminal(project: Project) -> None:
    project.trigger("greet", {"name": "Ada"}, "--tag", "\x1b]0;owned\x07", "--concurrency-key", "a\x1b[2Jb")
    shown = project.detent("runs", "get", "latest").stdout + project.detent("runs", "list").stdout
    assert "\x1b" not in shown
    assert "\\x1b]0;owned\\x07" in shown


def test_a_queued_run_is_canceled_at_once_and_only_once(project: Project) -> None:
    # Given a queued run
    made = project.trigger("greet", {"name": "Ada"})
    # When it is cancelled
    assert project.json("runs", "cancel", made) == {"id": made, "status": "CANCELED"}
    # Then waiting for it ends at once, and not well
    waited = project.detent("runs", "wait", made)
    assert waited.returncode == 1
    assert "CANCELED" in waited.stderr
    assert project.json("runs", "logs", made) == {"items": []}


def test_waiting_has_an_end_when_one_is_set(project: Project) -> None:
    # Given a run that nobody runs
    made = project.trigger("greet", {"name": "Ada"})
    # When somebody waits for a moment
    done = project.detent("runs", "wait", made, "--timeout", "100ms")
    # Then they are told, and why
    assert done.returncode == 1
    assert "no worker is connected" in done.stderr
    assert f"run {made} had not ended after 100ms" in done.stderr
    assert project.json("runs", "wait", made, "--timeout", "50ms")["error"]["code"] == "timeout"


def test_an_unknown_status_is_refused_with_all_that_there_are(project: Project) -> None:
    done = project.detent("runs", "list", "--status", "bogus")
    assert done.returncode == 2
    named = done.stderr.strip().rpartition("there are: ")[2].split(", ")
    assert named == [status.value.lower() for status in Status]
    assert len(named) == 13
