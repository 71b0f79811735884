from __future__ import annotations

from tests.cli.conftest import Project


def test_batches_are_listed_and_shown_with_their_results(served: Project) -> None:
    # Given a run that triggers two others together
    served.trigger("greet-all", ["Ada", "Bob"], "--wait")
    # When
    [batch] = served.json("batches", "list")["items"]
    # Then
    assert (batch["status"], batch["total"], batch["counts"]) == ("COMPLETED", 2, {"COMPLETED": 2})
    assert batch["id"] in served.detent("batches", "list").stdout
    shown = served.json("batches", "show", batch["id"], "--results")
    assert [result["output"] for result in shown["results"]] == ["Hello, Ada!", "Hello, Bob!"]
    assert shown["runs"][0] in served.detent("batches", "show", batch["id"], "--limit", "1").stdout
    assert "Hello, Bob!" in served.detent("batches", "show", batch["id"], "--results").stdout
    assert served.detent("batches", "show", "batch_1").returncode == 1
