"""Deployments through the clients, over HTTP and in process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent, HttpTransport
from detent.config import load_config
from detent.deploy import build_bundle
from detent.errors import Conflict, InvalidOptions, NotFound
from detent.model.transport import Transport
from detent.server.http import HttpServer

GIT = {"commit": "c0ffee", "branch": "main", "dirty": True, "message": "Faster", "author": "Ada"}
MANIFEST = {"tasks": [{"id": "deployed-by-clients", "queue": "q"}]}


@pytest.fixture(params=["http", "embedded"])
def transport(request: pytest.FixtureRequest, project: Project, server: HttpServer) -> Iterator[Transport]:
    transport: Transport = project.transport
    if request.param == "http":
        transport = HttpTransport(server.url, KEY)
    yield transport
    transport.close()


@pytest.fixture
def finished(transport: Transport, tmp_path: Path) -> dict[str, Any]:
    """What a deployment is finalized with; its bundle was uploaded."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "detent.toml").write_text('project = "code"\n')
    bundle = build_bundle(load_config(tmp_path / "code", {}), tmp_path)
    transport.put_bundle(bundle.hash, bundle.path)
    facts = {"hash": bundle.hash, "bytes": bundle.bytes, "files": len(bundle.files)}
    return {"manifest": MANIFEST, "bundle": facts, "lock_hash": "l", "python": "3.12.1"}


def test_a_version_is_built_promoted_and_rolled_back(transport: Transport, finished: dict[str, Any]) -> None:
    deployments = Detent(transport).deployments
    with pytest.raises(NotFound, match="nothing was deployed"):
        deployments.retrieve()
    # Given a deployment that is built
    made = deployments.create(git=GIT, detent="1.2.3", by="ada")
    assert (made.status, made.created_by, made.detent, made.is_current) == ("PENDING", "ada", "1.2.3", False)
    assert made.git is not None
    assert made.git.model_dump() == GIT
    assert deployments.progress(made.id, ["one", "two"], building=True).status == "BUILDING"
    # When it is finalized, where nobody has to prepare it
    done = deployments.finalize(made.id, **finished)
    # Then it is current
    assert (done.status, done.is_current, done.tasks) == ("DEPLOYED", True, 1)
    assert deployments.retrieve("current").manifest is not None
    assert [(line.line, line.text) for line in deployments.log(made.version).items] == [(1, "one"), (2, "two")]
    assert [line.text for line in deployments.follow_log("latest", after=1)] == ["two"]
    # When another one is not to be promoted
    other = deployments.finalize(deployments.create(skip_promotion=True).id, **finished)
    assert (other.status, other.is_current) == ("DEPLOYED", False)
    # Then it is when that is asked for, and one can go back
    assert deployments.promote(other.version).is_current
    assert deployments.rollback().version == made.version
    with pytest.raises(Conflict, match="first version"):
        deployments.rollback()
    assert [each.version for each in deployments.list(limit=1)] == [other.version, made.version]


def test_deployments_that_do_not_come_to_their_end_say_why(transport: Transport) -> None:
    deployments = Detent(transport).deployments
    failed = deployments.create()
    told = deployments.fail(failed.id, code="deploy_failed", message="no such package", step="check").error
    assert told is not None
    assert (told.code, told.message, told.step) == ("deploy_failed", "no such package", "check")
    canceled = deployments.cancel(deployments.create().version)
    assert canceled.status == deployments.progress(canceled.id).status == "CANCELED"
    assert [each.id for each in deployments.list(status=["failed", "TIMED_OUT"])] == [failed.id]
    with pytest.raises(Conflict, match="only DEPLOYED ones can"):
        deployments.promote(failed.version)
    with pytest.raises(InvalidOptions, match="did you mean 'FAILED'"):
        deployments.list(status="FAILD")
    with pytest.raises(NotFound, match=f"did you mean .*{failed.version}"):
        deployments.retrieve(f"{failed.version}9")


def test_the_awaited_client_deploys_too(transport: Transport, finished: dict[str, Any]) -> None:
    async def scenario() -> None:
        deployments = AsyncDetent(transport).deployments
        first = await deployments.create()
        assert (await deployments.progress(first.id, ["one"])).version == first.version
        assert (await deployments.finalize(first.id, **finished)).is_current
        second = await deployments.finalize((await deployments.create(skip_promotion=True)).id, **finished)
        assert (await deployments.promote(second.id)).is_current
        assert (await deployments.rollback()).id == first.id
        assert (await deployments.retrieve()).id == first.id
        assert [line.text async for line in deployments.follow_log(first.id)] == ["one"]
        assert (await deployments.log(first.id, limit=1)).next_after is None
        third = await deployments.create()
        assert (await deployments.fail(third.id, code="c", message="m")).status == "FAILED"
        assert (await deployments.cancel((await deployments.create()).id)).status == "CANCELED"
        assert [each.status async for each in deployments.list(limit=2)] == [
            "CANCELED",
            "FAILED",
            "DEPLOYED",
            "DEPLOYED",
        ]
        if isinstance(transport, HttpTransport):
            await transport.aclose()

    asyncio.run(scenario())
