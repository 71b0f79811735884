"""Links to large values, and the objects of workers that have no access to the store."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.server.project import KEY, Project
from tests.servers.s3 import shared_s3

from detent import AsyncDetent, Detent
from detent.engine.object_operations import ObjectOperations
from detent.errors import Forbidden, InvalidPayload, LimitExceeded, NotFound, ServerUnreachable
from detent.model.ids import new_id
from detent.model.limits import OUTPUT_BYTES
from detent.objects import ObjectStore, open_store
from detent.objects.remote import RemoteObjects
from detent.server.http import HttpServer

LARGE = "x" * 200_000


BOTH = pytest.mark.parametrize("store", ["folder", "s3"], indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if getattr(request, "param", "folder") == "folder":
        return open_store(tmp_path / "objects")
    server = shared_s3()
    return open_store(server.url(server.bucket()))


@pytest.fixture
def project(tmp_path: Path, store: ObjectStore) -> Iterator[Project]:
    project = Project(tmp_path / ".detent", store)
    yield project
    project.close()


@pytest.fixture
def remote(server: HttpServer) -> Iterator[RemoteObjects]:
    """What a worker has that was given the server's own key."""
    with RemoteObjects(server.url, KEY) as remote:
        yield remote


@pytest.fixture
def anyone() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def finished(project: Project, client: Detent, payload: object, output: str) -> str:
    """The id of a run that got `payload` and ended with `output`, JSON, as a worker writes it."""
    worker = project.worker()
    run = client.tasks.trigger("plain", payload).id
    [grant] = worker.claim()
    if len(output) < len(LARGE):
        worker.finish(grant, output=output)
    else:
        project.objects.put(f"outputs/{run}.json", output.encode())
        worker.finish(grant, output_ref=f"outputs/{run}.json")
    return run


def client_of(server: HttpServer) -> Detent:
    server_url = server.url
    return Detent(api_url=server_url, secret_key=KEY)


@BOTH
def test_large_values_come_inline_and_with_links_that_anybody_can_read(
    project: Project, server: HttpServer, anyone: httpx.Client
) -> None:
    project.engine.callbacks.base = server.url
    with client_of(server) as client:
        run = finished(project, client, {"text": LARGE}, json.dumps(LARGE))

        detail = client.runs.retrieve(run)

    assert (detail.payload, detail.output) == ({"text": LARGE}, LARGE)
    assert detail.payload_presigned_url is not None
    assert detail.output_presigned_url is not None
    answer = anyone.get(detail.output_presigned_url)
    assert (answer.status_code, answer.json()) == (200, LARGE)
    assert anyone.get(detail.payload_presigned_url).json() == {"text": LARGE}

    async def scenario() -> None:
        async with AsyncDetent(api_url=server.url, secret_key=KEY) as other:
            again = await other.runs.retrieve(run)
            assert again.output == LARGE
            assert again.output_presigned_url is not None

    asyncio.run(scenario())


def test_small_values_have_no_links(project: Project, server: HttpServer) -> None:
    with client_of(server) as client:
        detail = client.runs.retrieve(finished(project, client, {"a": 1}, "2"))
    assert (detail.payload_presigned_url, detail.output_presigned_url) == (None, None)


def test_a_value_that_holds_a_secret_has_no_link(project: Project, server: HttpServer) -> None:
    with client_of(server) as client:
        run = finished(project, client, {"password": "x", "text": LARGE}, json.dumps(LARGE))
        detail = client.runs.retrieve(run)
    assert detail.payload["password"] != "x"
    assert detail.payload_presigned_url is None
    assert detail.output_presigned_url is not None


def test_a_link_of_the_server_is_for_one_object_and_ends(
    project: Project, server: HttpServer, anyone: httpx.Client
) -> None:
    project.engine.callbacks.base = server.url
    project.objects.put("outputs/a.json", b"1")
    project.objects.put("outputs/b.json", b"2")
    link = project.operations.objects.link("outputs/a.json")
    assert link is not None
    assert anyone.get(link).content == b"1"
    assert anyone.get(link).headers["x-content-type-options"] == "nosniff"

    over = ObjectOperations(project.engine, project.objects, 0.001).link("outputs/a.json")
    for wrong in (
        link.replace("a.json", "b.json"),
        link.replace("expires=", "expires=9"),
        link[:-1] + ("0" if link[-1] != "0" else "1"),
        link.partition("signature=")[0] + "signature=%C3%BC",
        str(over),
    ):
        assert anyone.get(wrong).status_code == 404, wrong
    assert anyone.get(link.partition("?")[0]).status_code == 401
    assert anyone.get(link.replace("outputs/a", "outputs/%2e%2e/outputs/a")).status_code == 401
    assert anyone.post(link).status_code == 401
    project.objects.delete("outputs/a.json")
    assert anyone.get(link).status_code == 404


def named(env: str, name: str, data: bytes) -> str:
    return f"envs/{env}/outputs/{name}.{hashlib.sha256(data).hexdigest()[:32]}.json"


@BOTH
def test_a_worker_with_only_a_key_writes_and_reads_objects_of_its_environment(
    project: Project, remote: RemoteObjects
) -> None:
    data = json.dumps("y" * 1_000_000).encode()
    key = named("dev", "run_1", data)

    remote.put(key, data)
    remote.put(key, data)

    assert remote.get(key) == data == project.objects.get(key)
    with pytest.raises(NotFound):
        remote.get(named("dev", "run_2", data))


def test_a_worker_reads_what_rows_of_its_environment_name_and_nothing_else(
    project: Project, server: HttpServer, remote: RemoteObjects
) -> None:
    staging = project.operations.call("keys.create", name="w", environment="staging")["secret"]
    with client_of(server) as client:
        run = finished(project, client, {"text": LARGE}, json.dumps(LARGE))
    [row] = project.store.read("find_run", id=run, env="dev")
    for key in (row["payload_ref"], row["output_ref"]):
        assert remote.get(key)
        with RemoteObjects(server.url, staging) as other, pytest.raises(Forbidden, match="not one of this environment"):
            other.get(key)
    project.objects.put("audio/private.mp3", b"1")
    with pytest.raises(Forbidden):
        remote.get("audio/private.mp3")
    key = named("dev", "run_1", b"1")
    remote.put(key, b"1")
    with RemoteObjects(server.url, staging) as other:
        for act in (lambda: other.get(key), lambda: other.put(key, b"1")):
            with pytest.raises(Forbidden):
                act()


def test_what_a_worker_writes_is_what_its_key_says_and_not_too_large(project: Project, remote: RemoteObjects) -> None:
    wrong = named("dev", "run_1", b"1")
    with pytest.raises(InvalidPayload, match="not what its key says"):
        remote.put(wrong, b"2")
    large = b"1" * (OUTPUT_BYTES + 1)
    with pytest.raises(LimitExceeded, match="10 MiB"):
        remote.put(named("dev", "run_2", large), large)
    for key in ("outputs/x.json", "envs/dev/x", f"envs/dev/../prod/x.{'0' * 32}.json", f"envs/dev/a/b.{'g' * 32}.json"):
        with pytest.raises((Forbidden, NotFound)):
            remote.put(key, b"1")
    assert list(project.objects.list()) == []


def test_a_key_without_the_right_to_run_workers_reads_no_objects(project: Project, server: HttpServer) -> None:
    viewer = project.operations.call("keys.create", name="v", scopes=["runs:read"])["secret"]
    with RemoteObjects(server.url, viewer) as remote, pytest.raises(Forbidden, match="workers:write"):
        remote.get(named("dev", "run_1", b"1"))


def test_a_server_that_comes_back_is_asked_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    server = project.serve()
    port = int(server.url.rpartition(":")[2])
    remote = RemoteObjects(server.url, KEY)
    project.objects.put("envs/dev/a", b"1")
    assert remote.get("envs/dev/a") == b"1"
    server.stop()
    pauses: list[float] = []
    started: list[HttpServer] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        started.append(project.serve(port=port))

    monkeypatch.setattr("detent.objects.remote.time.sleep", sleep)
    assert remote.get("envs/dev/a") == b"1"
    started[0].stop()
    monkeypatch.setattr("detent.objects.remote.time.sleep", pauses.append)
    with pytest.raises(ServerUnreachable, match="does not answer"):
        remote.get(new_id("run"))
    remote.close()
