"""A tenant who knows the ids of another one's things, and sends them where they do not belong."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.server.listening import listening
from tests.server.test_tenants import CANARY, Tenants, fill, tenants

from detent.config import load_config
from detent.deploy import build_bundle
from detent.model.ids import new_id

__all__ = ["tenants"]


def as_told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("who", ["staging", "other"])
def test_a_run_that_has_the_id_of_anothers_run_is_refused_and_nothing_is_made(tenants: Tenants, who: str) -> None:
    taken = fill(tenants)["waiting"]
    run = {"payload": 1, "run": {"id": taken, "task": "plain"}}
    before = tenants.ask("ours", "GET", f"/api/v1/runs/{taken}").json()
    assert as_told(tenants.ask(who, "POST", "/api/v1/tasks/plain/trigger", json=run)) == (409, "conflict")
    items = {"items": [{"task": "plain", "payload": 2}, run]}
    assert as_told(tenants.ask(who, "POST", "/api/v1/tasks/batch", json=items)) == (409, "conflict")
    assert tenants.ask(who, "GET", "/api/v1/runs").json()["items"] == []
    own = tenants.ask(who, "POST", "/api/v1/tasks/plain/trigger", json={}).json()["id"]
    for verb in ("replay", "fork"):
        asked = tenants.ask(who, "POST", f"/api/v1/runs/{own}/{verb}", json={"new_id": taken})
        assert as_told(asked) == (409, "conflict"), verb
    assert tenants.ask("ours", "GET", f"/api/v1/runs/{taken}").json() == before


def test_a_run_that_is_sent_again_is_found_and_not_made_again(tenants: Tenants) -> None:
    run = {"payload": 1, "run": {"id": new_id("run"), "task": "plain"}}
    answers = [tenants.ask("staging", "POST", "/api/v1/tasks/plain/trigger", json=run) for _ in range(2)]
    assert [answer.json()["id"] for answer in answers] == [run["run"]["id"]] * 2  # type: ignore[index]  # a mapping


def test_no_run_is_put_into_the_batch_of_another_environment(tenants: Tenants) -> None:
    batch = fill(tenants)["batch"]
    body = {"id": batch, "items": [{"task": "plain", "payload": "theirs"}]}
    for who in ("staging", "other"):
        assert as_told(tenants.ask(who, "POST", "/api/v1/tasks/batch", json=body)) == (409, "conflict")
        assert tenants.ask(who, "GET", "/api/v1/runs").json()["items"] == []
    url, key = str(tenants.client.base_url), tenants.keys["ours"]
    with listening(url, f"/realtime/v1/batches/{batch}", key=key) as listener:
        [first, *_] = listener.until(lambda heard: heard)
    assert (first.data["total"], {run["env"] for run in first.data["runs"]}) == (1, {"dev"})


def test_a_token_with_the_id_of_anothers_token_is_refused(tenants: Tenants) -> None:
    taken = fill(tenants)["token"]
    for who in ("staging", "other"):
        asked = tenants.ask(who, "POST", "/api/v1/waitpoints/tokens", json={"id": taken})
        assert as_told(asked) == (409, "conflict")
        assert tenants.ask(who, "GET", "/api/v1/waitpoints/tokens").json()["items"] == []
    again = tenants.ask("ours", "POST", "/api/v1/waitpoints/tokens", json={"id": taken})
    assert (again.status_code, again.json()["id"]) == (200, taken)


def test_parents_and_batches_of_the_run_that_a_client_sends_are_not_taken(tenants: Tenants) -> None:
    things = fill(tenants)
    for field, value in (("batch_id", things["batch"]), ("payload_ref", f"runs/{things['run']}/payload.json")):
        run = {"id": new_id("run"), "task": "plain", field: value}
        made = tenants.ask("staging", "POST", "/api/v1/tasks/plain/trigger", json={"payload": 1, "run": run}).json()
        shown = tenants.ask("staging", "GET", f"/api/v1/runs/{made['id']}").json()
        assert (shown["batch_id"], shown["parent_id"], shown["payload"]) == (None, None, 1)
    for field in ("parent_id", "root_id", "env", "state"):
        run = {"id": new_id("run"), "task": "plain", field: things["run"]}
        made = tenants.ask("staging", "POST", "/api/v1/tasks/plain/trigger", json={"payload": 1, "run": run})
        shown = tenants.ask("staging", "GET", f"/api/v1/runs/{made.json()['id']}").json()
        assert (shown["parent_id"], shown["root_id"], shown["env"]) == (None, None, "staging"), field


def test_a_deployment_with_the_id_of_anothers_is_refused_and_its_version_is_unknown_there(tenants: Tenants) -> None:
    taken = tenants.ask("ours", "POST", "/api/v1/deployments", json={"id": new_id("dep")}).json()
    for who in ("staging", "other"):
        again = tenants.ask(who, "POST", "/api/v1/deployments", json={"id": taken["id"]})
        assert as_told(again) == (409, "conflict")
        for name in (taken["id"], taken["version"]):
            assert tenants.ask(who, "GET", f"/api/v1/deployments/{name}").status_code == 404
            assert tenants.ask(who, "POST", f"/api/v1/deployments/{name}/promote").status_code == 404


def test_a_bundle_is_found_by_its_hash_in_its_own_environment_alone(tenants: Tenants, tmp_path: Path) -> None:
    (tmp_path / "detent.toml").write_text("")
    content = build_bundle(load_config(tmp_path), tmp_path / "out").path.read_bytes()
    place = f"/api/v1/bundles/{sha256(content).hexdigest()}"
    assert tenants.ask("ours", "PUT", place, content=content).status_code == 204
    assert tenants.ask("ours", "GET", place).content == content
    for who in ("staging", "other"):
        assert tenants.ask(who, "GET", place).status_code == 404
    assert as_told(tenants.ask("ours", "PUT", f"/api/v1/bundles/{'ab' * 32}", content=content))[0] == 422


def test_bulk_actions_on_the_runs_of_others_find_none(tenants: Tenants) -> None:
    things = fill(tenants)
    for who in ("staging", "other"):
        for action in ("cancel", "replay"):
            body = {"action": action, "ids": [things["waiting"], things["run"]]}
            made = tenants.ask(who, "POST", "/api/v1/bulk-actions", json=body).json()
            while tenants.project.engine.work_on_bulk():
                pass
            done = tenants.ask(who, "GET", f"/api/v1/bulk-actions/{made['id']}").json()
            assert (done["succeeded"], done["failed"]) == (0, 2)
            taken = tenants.ask("ours", "GET", f"/api/v1/bulk-actions/{made['id']}")
            assert taken.status_code == 404
            # The id of an action that another has.
            again = tenants.ask("ours", "POST", "/api/v1/bulk-actions", json=body | {"id": made["id"]})
            assert again.status_code == 404
        for query in (f"parent={things['run']}", f"root={things['run']}", f"batch={things['batch']}", f"tag={CANARY}"):
            assert tenants.ask(who, "GET", f"/api/v1/runs?{query}").json()["items"] == [], query
    assert tenants.ask("ours", "GET", f"/api/v1/runs/{things['waiting']}").json()["status"] == "QUEUED"


def test_feeds_of_others_do_not_open_while_their_owners_follow_them(tenants: Tenants) -> None:
    things = fill(tenants)
    url = str(tenants.client.base_url)
    paths = [
        f"/realtime/v1/runs/{things['waiting']}",
        f"/realtime/v1/batches/{things['batch']}",
        f"/realtime/v1/streams/{things['waiting']}/text",
    ]
    for path in paths:
        with listening(url, path, key=tenants.keys["ours"]) as listener:
            assert listener.is_open()
            assert listener.status == 200
            for who in ("staging", "other"):
                for last in (None, "1-0", "9999-0"):
                    headers = {} if last is None else {"last-event-id": last}
                    answer = tenants.client.get(
                        path, headers={"authorization": f"Bearer {tenants.keys[who]}"} | headers
                    )
                    assert answer.status_code in (400, 404), (who, path, last)
    sent = tenants.ask("staging", "POST", f"/realtime/v1/streams/{things['waiting']}/input/text", json={"value": 1})
    assert sent.status_code == 404
    with (
        listening(url, f"/realtime/v1/runs?tags={CANARY}", key=tenants.keys["staging"]) as theirs,
        listening(url, f"/realtime/v1/runs?tags={CANARY}", key=tenants.keys["ours"]) as ours,
    ):
        theirs.until(lambda heard: heard)
        ours.until(lambda heard: heard)
        tenants.ask("ours", "POST", f"/api/v1/runs/{things['waiting']}/cancel", json={})
        ours.until(lambda heard: len(heard) > 1)
        own = {"options": {"tags": [CANARY]}}
        made = tenants.ask("staging", "POST", "/api/v1/tasks/plain/trigger", json=own).json()["id"]
        theirs.until(lambda heard: len(heard) > 1)
        assert {run["id"] for event in theirs.heard for run in event.data["runs"]} == {made}


def test_the_health_of_one_environment_says_nothing_of_the_files_of_another(tenants: Tenants) -> None:
    fill(tenants)
    assert tenants.ask("ours", "GET", "/health").json()["problems"]
    for who in ("staging", "other"):
        for path in ("/health", "/metrics", "/api/v1/report", "/api/v1/tasks", "/api/v1/queues"):
            text = tenants.ask(who, "GET", path).text
            assert "tasks/bad.py" not in text, path
            assert "plain" not in text, path


def test_schedules_of_the_same_key_are_each_ones_own(tenants: Tenants) -> None:
    tenants.project.worker()
    body = {"task": "plain", "cron": "0 0 * * *", "deduplication_key": "same"}
    made = {who: tenants.ask(who, "POST", "/api/v1/schedules", json=body).json()["id"] for who in ("ours", "staging")}
    assert len(set(made.values())) == 2
    for verb, method in (("", "GET"), ("", "PUT"), ("", "DELETE"), ("/activate", "POST"), ("/deactivate", "POST")):
        more: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": {}}
        answer = tenants.ask("staging", method, f"/api/v1/schedules/{made['ours']}{verb}", **more)
        assert answer.status_code == 404, (method, verb)
    assert tenants.ask("ours", "GET", f"/api/v1/schedules/{made['ours']}").json()["active"] is True


def test_alerts_and_their_deliveries_are_each_ones_own(tenants: Tenants) -> None:
    body = {"events": ["run.failed"], "webhook": "https://example.com/hook"}
    alert = tenants.ask("ours", "POST", "/api/v1/alerts", json=body).json()["id"]
    for method, path in [
        ("GET", f"/api/v1/alerts/{alert}"),
        ("PATCH", f"/api/v1/alerts/{alert}"),
        ("DELETE", f"/api/v1/alerts/{alert}"),
        ("POST", f"/api/v1/alerts/{alert}/test"),
        ("POST", f"/api/v1/alerts/{alert}/rotate-secret"),
    ]:
        more: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": {}}
        assert tenants.ask("staging", method, path, **more).status_code == 404, (method, path)
    test = tenants.ask("ours", "POST", f"/api/v1/alerts/{alert}/test", json={}).json()["id"]
    assert tenants.ask("ours", "GET", f"/api/v1/alert-deliveries/{test}").status_code == 200
    assert tenants.ask("staging", "GET", f"/api/v1/alert-deliveries/{test}").status_code == 404
    assert tenants.ask("staging", "POST", f"/api/v1/alert-deliveries/{test}/replay", json={}).status_code == 404
    for path in (f"/api/v1/alert-deliveries?alert={alert}", "/api/v1/alert-deliveries", "/api/v1/alerts"):
        assert alert not in tenants.ask("staging", "GET", path).text.replace(f"alert={alert}", ""), path


def test_queries_and_the_search_of_logs_see_the_own_environment_only(tenants: Tenants) -> None:
    fill(tenants)
    for sql in (
        "SELECT id, tags FROM runs",
        "SELECT count(*) FROM runs WHERE 1 = 1 OR env = 'dev'",
        "SELECT * FROM runs UNION ALL SELECT * FROM runs",
        "WITH runs AS (SELECT * FROM runs) SELECT id, tags FROM runs",
        "SELECT * FROM main.runs",
        "SELECT name FROM sqlite_master",
        "SELECT * FROM temp.runs",
        "SELECT * FROM api_keys",
        "ATTACH DATABASE 'detent.db' AS d",
        "PRAGMA database_list",
        "SELECT 1; SELECT * FROM main.runs",
        "SELECT load_extension('x')",
        "SELECT readfile('detent.db')",
    ):
        answer = tenants.ask("staging", "POST", "/api/v1/query", json={"sql": sql})
        assert answer.status_code in (200, 400, 403), (sql, answer.text)
        assert CANARY not in answer.text, sql
        assert "run_" not in answer.text.replace(sql, ""), sql
    assert tenants.ask("staging", "GET", f"/api/v1/logs?text={CANARY}").json()["items"] == []
