from __future__ import annotations

import json

from tests.cli.conftest import Project


def test_a_token_is_made_looked_at_and_completed(project: Project) -> None:
    # Given a project without tokens
    assert project.json("tokens", "list") == {"items": [], "next_cursor": None}
    assert "No tokens yet" in project.detent("tokens", "list").stderr
    # When one is made
    made = project.detent("tokens", "create", "--timeout", "1h", "--tag", "approval", "--tag", "mail")
    token, url = made.stdout.split()
    # Then its address leads to it, and it waits
    assert url.startswith(f"http://127.0.0.1:8377/api/v1/waitpoints/tokens/{token}/callback/")
    shown = project.detent("tokens", "retrieve", token).stdout
    assert all(part in shown for part in (token, "WAITING", url, "#approval #mail"))
    row = project.detent("tokens", "list").stdout.splitlines()[1]
    assert row.split()[:2] == [token, "WAITING"]
    assert row.split()[-2:] == ["#approval", "#mail"]
    # When it is completed
    done = project.detent("tokens", "complete", token, '{"approved": true}')
    assert done.stdout == f"{token} COMPLETED\n"
    # Then
    assert project.json("tokens", "retrieve", token)["output"] == {"approved": True}
    assert '"approved": true' in project.detent("tokens", "retrieve", token).stdout
    again = project.detent("tokens", "complete", token)
    assert (again.returncode, again.stdout, again.stderr.count("\n")) == (1, "", 1)
    assert 'with {"approved":true}; the first outcome counts' in again.stderr


def test_tokens_are_listed_by_status_tag_and_key_and_page_by_page(project: Project) -> None:
    first = project.json("tokens", "create", "--idempotency-key", "k", "--tag", "a")["id"]
    again = project.detent("tokens", "create", "--idempotency-key", "k")
    assert (again.stdout.split()[0], "has made it before" in again.stderr) == (first, True)
    second = project.json("tokens", "create", "--tag", "b")["id"]
    assert project.json("tokens", "complete", second, "-", input="7")["output"] == 7

    def ids(*arguments: str) -> list[str]:
        return [token["id"] for token in project.json("tokens", "list", *arguments)["items"]]

    assert ids() == [second, first]
    assert ids("--status", "waiting") == ids("--tag", "a") == ids("--idempotency-key", "k") == [first]
    assert ids("--status", "waiting", "--status", "completed") == [second, first]
    page = project.detent("tokens", "list", "--limit", "1")
    cursor = page.stderr.split()[-1]
    assert ids("--limit", "1", "--cursor", cursor) == [first]
    assert "No token fits" in project.detent("tokens", "list", "--tag", "c").stderr


def test_what_is_not_there_or_not_right_is_told_in_one_line(project: Project) -> None:
    for arguments, status, said in (
        (["retrieve", "waitpoint_nope"], 1, "no token 'waitpoint_nope' in this project"),
        (["complete", "waitpoint_nope"], 1, "no token 'waitpoint_nope' in this project"),
        (["create", "--timeout", "soon"], 2, "timeout: 'soon' is not a length of time"),
        (["list", "--status", "wating"], 2, "did you mean 'WAITING'"),
    ):
        done = project.detent("tokens", *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1), done
        assert said in done.stderr
        told = project.detent("tokens", *arguments, "--json")
        assert said in json.loads(told.stdout)["error"]["message"]
    misused = project.detent("tokens", "complete", "waitpoint_nope", "{approved: true}")
    assert (misused.returncode, "is not JSON" in misused.stderr) == (2, True)


def test_texts_of_others_do_not_steer_the_terminal(project: Project) -> None:
    token = project.json("tokens", "create", "--tag", "[red]\x1b[31m")["id"]
    project.detent("tokens", "complete", token, '"\\u001b[31m\\u009b"')
    for arguments in (["list"], ["retrieve", token]):
        assert not {"\x1b", "\x9b"} & set(project.detent("tokens", *arguments).stdout)
