"""Environment variables over the API: written, listed, never read where they are secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.server.project import KEY, Project

from detent import Detent
from detent.engine.variables import seal_all_again, variables_for_worker
from detent.errors import Conflict, InvalidOptions, LimitExceeded, NotFound
from detent.model.manifest import Manifest, TaskSpec
from detent.model.protocol import Hello
from detent.server.http import HttpServer
from detent.vault import Vault

VALUE = "canary-5f2b8e1d"


@pytest.fixture
def client(server: HttpServer) -> Iterator[Detent]:
    with Detent(api_url=server.url, secret_key=KEY) as client:
        yield client


def test_a_secret_is_written_and_its_value_is_never_shown(project: Project, client: Detent, tmp_path: Path) -> None:
    made = client.envvars.create("API_KEY", VALUE)
    assert (made.name, made.is_secret, made.value, made.created) == ("API_KEY", True, None, True)
    assert "workers that start from now on" in made.note
    assert client.envvars.retrieve("API_KEY").value is None
    assert [(v.name, v.value) for v in client.envvars.list()] == [("API_KEY", None)]
    project.close()
    for path in (tmp_path / ".detent").iterdir():
        assert VALUE.encode() not in path.read_bytes()


def test_a_plain_variable_shows_its_value_and_is_sealed_all_the_same(client: Detent) -> None:
    client.envvars.create("LEVEL", "debug", is_secret=False)
    assert client.envvars.retrieve("LEVEL").value == "debug"


def test_one_that_is_there_is_not_made_again_but_changed(client: Detent) -> None:
    client.envvars.create("A", "1", is_secret=False)
    with pytest.raises(Conflict, match="is there already; update it"):
        client.envvars.create("A", "2")
    changed = client.envvars.update("A", "2")
    assert (changed.value, changed.created, changed.is_secret) == ("2", False, False)
    assert client.envvars.update("B", "3").is_secret
    assert client.envvars.update("A", "4", is_secret=True).value is None


def test_one_that_is_removed_is_gone(client: Detent) -> None:
    client.envvars.create("A", "1")
    client.envvars.delete("A")
    assert client.envvars.list() == []
    for act in (client.envvars.delete, client.envvars.retrieve):
        with pytest.raises(NotFound, match="no variable 'A'"):
            act("A")


def test_many_are_written_from_a_mapping_or_a_file_and_kept_unless_overridden(client: Detent) -> None:
    client.envvars.create("A", "1", is_secret=False)
    first = client.envvars.upload("A=2\nB='b c'\n", is_secret=False)
    assert (first.created, first.updated, first.skipped) == (["B"], [], ["A"])
    assert client.envvars.retrieve("A").value == "1"
    second = client.envvars.upload({"A": "3", "C": "c"}, override=True, is_secret=False)
    assert (second.created, second.updated, second.skipped) == (["C"], ["A"], [])
    assert [(v.name, v.value) for v in client.envvars.list()] == [("A", "3"), ("B", "b c"), ("C", "c")]


@pytest.mark.parametrize(
    ("name", "value", "error", "words"),
    [
        ("1A", "x", InvalidOptions, "no digit in front"),
        ("A-B", "x", InvalidOptions, "letters, digits and underscores"),
        ("DETENT_SECRET_KEY", "x", InvalidOptions, "detent's own settings"),
        ("A", "a\0b", InvalidOptions, "NUL"),
        ("A" * 257, "x", LimitExceeded, "256 characters"),
        ("A", "x" * 70_000, LimitExceeded, "65,536"),
    ],
)
def test_a_name_or_a_value_that_no_process_could_have_is_refused(
    client: Detent, name: str, value: str, error: type[Exception], words: str
) -> None:
    for act in (client.envvars.create, client.envvars.update):
        with pytest.raises(error, match=words):
            act(name, value)
    with pytest.raises(error, match=words):
        client.envvars.upload({"GOOD": "1", name: value})
    assert client.envvars.list() == []


def test_an_environment_has_at_most_a_thousand(client: Detent) -> None:
    client.envvars.upload({f"V{n}": "x" for n in range(999)})
    with pytest.raises(LimitExceeded, match="at most 1,000"):
        client.envvars.upload({"V998": "x", "A": "x", "B": "x"})
    client.envvars.create("LAST", "x")


def test_what_stands_at_a_place_of_the_import_must_be_a_mapping_or_a_text(server: HttpServer) -> None:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as http:
        for body in ({}, {"variables": {}, "text": ""}, {"variables": ["A"]}, {"text": 5}, {"variables": {"A": 1}}):
            answer = http.post("/api/v1/envvars/import", json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_options"), body


def test_workers_of_dev_are_given_all_and_told_that_their_own_win(project: Project) -> None:
    vault = Vault.of_this_process()
    from detent.engine.variables import put_variables

    project.engine.write(lambda scene: put_variables(scene, vault, {"A": "1"}, is_secret=True, override=True))
    given = variables_for_worker(project.store, vault, "dev")
    assert (given.values, given.secret, given.yields) == ({"A": "1"}, ["A"], True)
    assert variables_for_worker(project.store, vault, "prod").values == {}
    lost = variables_for_worker(project.store, Vault.of_this_process(), "dev")
    assert lost.values == {}


def test_a_rotation_seals_everything_with_the_newest_key(project: Project) -> None:
    from detent.engine.variables import put_variables

    old, new = b"o" * 32, b"n" * 32
    project.engine.write(
        lambda scene: put_variables(scene, Vault(lambda: [old]), {"A": "1", "B": "2"}, is_secret=True, override=True)
    )
    both = Vault(lambda: [new, old])
    assert seal_all_again(project.store, both) == 2
    assert seal_all_again(project.store, both) == 0
    assert variables_for_worker(project.store, Vault(lambda: [new]), "dev").values == {"A": "1", "B": "2"}


def test_views_hide_secrets_by_name_and_by_value_and_leave_ids_alone(project: Project, client: Detent) -> None:
    client.envvars.create("KEY", VALUE)
    worker = project.worker()
    payload = {"password": "hunter2", "text": f"<{VALUE}>", "total_tokens": 7}
    run = client.tasks.trigger("plain", payload, metadata={"note": VALUE, "token": "t"}, tags=["a"])
    [grant] = worker.claim()
    assert grant.payload is not None
    assert VALUE in grant.payload
    assert "hunter2" in grant.payload
    worker.finish(grant, output=f'{{"api_key": "k", "said": "{VALUE}"}}')
    detail = client.runs.retrieve(run.id)
    assert detail.payload == {"password": "[redacted]", "text": "<[redacted]>", "total_tokens": 7}
    assert detail.metadata == {"note": "[redacted]", "token": "[redacted]"}
    assert detail.output == {"api_key": "[redacted]", "said": "[redacted]"}
    assert client.runs.result(run.id).output == detail.output
    assert detail.id == run.id
    client.envvars.delete("KEY")
    assert client.runs.retrieve(run.id).payload["text"] == f"<{VALUE}>"


def test_what_one_environment_keeps_another_neither_sees_nor_changes(project: Project, server: HttpServer) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as dev:
        assert dev.put("/api/v1/envvars/A", json={"value": "of dev", "is_secret": False}).status_code == 200
        prod = {"x-detent-environment": "prod"}
        assert dev.get("/api/v1/envvars", headers=prod).json()["items"] == []
        for method in ("GET", "DELETE"):
            assert dev.request(method, "/api/v1/envvars/A", headers=prod, json={}).status_code == 404
        made = dev.post("/api/v1/envvars", json={"name": "A", "value": "of prod", "is_secret": False}, headers=prod)
        assert made.json()["created"] is True
        assert dev.get("/api/v1/envvars/A").json()["value"] == "of dev"
        assert dev.get("/api/v1/envvars/A", headers=prod).json()["value"] == "of prod"


def test_the_schema_of_a_payload_is_shown_whatever_its_parts_are_called(project: Project) -> None:
    schema = {"properties": {"payload": {"properties": {"password": {"type": "string"}}}, "token": {"type": "string"}}}
    manifest = Manifest([TaskSpec("schemed", "task/schemed", payload_schema=schema)])
    project.engine.connect(Hello("worker_2", manifest, 1, 1.0, "host"), lambda _push: None)
    assert project.operations.call("tasks.retrieve", id="schemed")["payload_schema"] == schema
