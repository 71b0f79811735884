from __future__ import annotations

from tests.cli.conftest import Project


def test_a_run_is_put_off_tagged_and_its_metadata_changed(project: Project) -> None:
    run = project.trigger("greet", {"name": "Ada"}, "--delay", "1h")
    assert "starts at" in project.detent("runs", "reschedule", "latest", "3h").stdout
    assert project.json("runs", "tags", run, "a", "b") == {"id": run, "tags": ["a", "b"]}
    changed = project.json(
        "runs", "metadata", run, "--set", 'stage="one"', "--increment", "tries=2", "--delete", "none"
    )
    assert changed["metadata"] == {"stage": "one", "tries": 2}
    assert '"tries": 2' in project.detent("runs", "metadata", run).stdout
    assert project.json("runs", "metadata", run, "--replace", "{}")["metadata"] == {}
    refused = project.detent("runs", "metadata", run, "--set", "stage")
    assert (refused.returncode, "KEY=JSON" in refused.stderr) == (2, True)
