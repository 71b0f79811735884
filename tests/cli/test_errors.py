from __future__ import annotations

from tests.cli.near import Near


def test_an_error_is_listed_shown_resolved_and_ignored(near: Near) -> None:
    # Given a run that has failed
    assert "No errors yet." in near.detent("errors", "list").err
    near.fail("run_1", "cannot: pigs can fly")
    row = near.detent("errors", "list", "--status", "unresolved", "--task", "near-fail", "--since", "1h").out
    assert "ValueError: cannot: pigs can fly" in row
    [error] = near.json("errors", "list", "--search", "cannot")["items"]
    error_id = error["id"]
    assert error_id in row
    # Then it is shown
    shown = near.detent("errors", "show", error_id).out
    assert all(part in shown for part in (error_id, "UNRESOLVED", "near-fail (1)", "Traceback of it", "run_1"))
    assert near.json("errors", "show", error_id)["count"] == 1
    # And what is said of it counts
    assert near.detent("errors", "resolve", error_id).out == f"{error_id} RESOLVED\n"
    assert near.json("errors", "ignore", error_id, "--for", "7d", "--occurrences", "9")["status"] == "IGNORED"
    assert "or until there are 10 failures" in near.detent("errors", "show", error_id).out
    assert near.detent("errors", "unresolve", error_id).out == f"{error_id} UNRESOLVED\n"
    assert "No error fits." in near.detent("errors", "list", "--search", "nowhere to be found").err


def test_a_long_list_of_errors_says_where_it_goes_on(near: Near) -> None:
    for n, word in enumerate(("apple", "pear", "plum")):
        near.fail(f"run_{n}", word)
    first = near.detent("errors", "list", "--limit", "2")
    cursor = first.err.split("--cursor ")[1].strip()
    rest = near.json("errors", "list", "--cursor", cursor)
    assert (len(rest["items"]), rest["next_cursor"]) == (1, None)


def test_an_unknown_error_fails_with_what_to_do(near: Near) -> None:
    done = near.detent("errors", "show", "0123456789abcdef")
    assert (done.status, "detent errors list" in done.err) == (1, True)
