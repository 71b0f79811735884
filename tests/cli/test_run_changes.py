from __future__ import annotations

from tests.cli.near import Near

from detent.model.ids import new_id
from detent.model.protocol import NewRun


def test_a_run_is_put_off_tagged_and_its_metadata_changed(near: Near) -> None:
    run = new_id("run")
    near.host.engine.trigger([NewRun(run, "near-fail", delay_ms=3_600_000)])
    assert "starts at" in near.detent("runs", "reschedule", "latest", "3h").out
    assert near.json("runs", "tags", run, "a", "b") == {"id": run, "tags": ["a", "b"]}
    changes = ("--set", 'stage="one"', "--increment", "tries=2", "--delete", "none")
    assert near.json("runs", "metadata", run, *changes)["metadata"] == {"stage": "one", "tries": 2}
    assert '"tries": 2' in near.detent("runs", "metadata", run).out
    assert near.json("runs", "metadata", run, "--replace", "{}")["metadata"] == {}
    refused = near.detent("runs", "metadata", run, "--set", "stage")
    assert (refused.status, "KEY=JSON" in refused.err) == (2, True)
