"""Links over HTTP: who may open one, and what forged frames come to."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from detent.config import load_config
from detent.errors import Forbidden, ServerUnreachable, Unauthorized
from detent.model.links import LINK_PROTOCOL, LINKS, DownReader, up_piece, up_pieces
from detent.model.manifest import Manifest, TaskSpec
from detent.model.protocol import (
    Answer,
    Assign,
    Beat,
    Claim,
    Claimed,
    CompleteToken,
    Done,
    DutyDone,
    Emit,
    Entry,
    Failure,
    Finish,
    FromEngine,
    Gone,
    Grant,
    Hello,
    Leave,
    MetadataOp,
    NewRun,
    Park,
    Pause,
    Peek,
    Recall,
    Record,
    Release,
    Said,
    ToEngine,
    Trigger,
    Wait,
    Watch,
    Welcome,
)
from detent.server.host import Host
from detent.worker.remote import run_remote_workers

TASKS = Manifest([TaskSpec("secret-work", "q"), TaskSpec("child", "q")])
_LENGTH = struct.Struct("!I")


class Forger:
    """Says whatever a test wants over a link of its own."""

    def __init__(self, host: Host, key: str) -> None:
        self.http = httpx.Client(base_url=host.url, headers={"authorization": f"Bearer {key}"})
        self.link = ""
        self.posted = self.got = self._frames = 0
        self._reader = DownReader()
        self._heard: dict[int, bytearray] = {}

    def open(self, **values: Any) -> httpx.Response:
        wanted = {"protocol": LINK_PROTOCOL, "version": "0", "host": "forged", "now": _now()} | values
        answer = self.http.post(LINKS, json=wanted)
        self.link = answer.json().get("id", "")
        return answer

    def post(self, body: bytes, number: int | None = None) -> httpx.Response:
        self.posted = self.posted + 1 if number is None else number
        return self.http.post(f"{LINKS}/{self.link}/up", params={"n": self.posted, "got": self.got}, content=body)

    def say(self, *requests: Said, channel: int = 1, variables_of: str | None = None) -> FromEngine:
        """Send one frame, and wait for its answer."""
        self._frames += 1
        body = msgspec.json.encode(ToEngine(self._frames, list(requests), variables_of))
        assert self.post(up_piece(channel, _LENGTH.pack(len(body)) + body)).status_code == 204
        while True:
            for frame in self._frames_of(channel):
                if frame.reply_to == self._frames:
                    return frame
            self._listen()

    def ask(self, request: Said, channel: int = 1) -> Answer:
        [answer] = self.say(request, channel=channel).answers
        return answer

    def _listen(self) -> None:
        answer = self.http.get(f"{LINKS}/{self.link}/down", params={"after": self.got, "poll": 1})
        for number, channel, data in self._reader.feed(answer.content):
            self.got = max(self.got, number)
            self._heard.setdefault(channel, bytearray()).extend(data)

    def _frames_of(self, channel: int) -> Iterator[FromEngine]:
        heard = self._heard.setdefault(channel, bytearray())
        while len(heard) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(heard)
            body = bytes(heard[_LENGTH.size : _LENGTH.size + length])
            del heard[: _LENGTH.size + length]
            yield msgspec.json.decode(body, type=FromEngine)


def _now() -> int:
    return int(time.time() * 1000)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "detent.toml").write_text('project = "links"\n')
    made = Host(load_config(tmp_path, {}), port=0)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def forgers(host: Host) -> Iterator[list[Forger]]:
    made: list[Forger] = []
    yield made
    for forger in made:
        forger.http.close()


def new_key(host: Host, environment: str, scopes: Sequence[str] | None = None) -> str:
    with httpx.Client(base_url=host.url, headers={"authorization": f"Bearer {host.key}"}) as http:
        values = {"name": "k", "environment": environment} | ({} if scopes is None else {"scopes": scopes})
        return str(http.post("/api/v1/keys", json=values).json()["secret"])


def forger_of(host: Host, forgers: list[Forger], key: str) -> Forger:
    forger = Forger(host, key)
    forgers.append(forger)
    return forger


def test_only_a_key_that_may_run_workers_opens_a_link(host: Host, forgers: list[Forger]) -> None:
    for scopes, status in (
        (["workers:write"], 201),
        (None, 201),
        (["runs:*", "workers:read"], 403),
        (["runs:read"], 403),
    ):
        assert forger_of(host, forgers, new_key(host, "dev", scopes)).open().status_code == status
    refused = forger_of(host, forgers, "dt_dev_guessed").open()
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    with httpx.Client(base_url=host.url, headers={"authorization": f"Bearer {host.key}"}) as http:
        made = http.post("/api/v1/auth/public-tokens", json={"scopes": ["tasks:write:child"]}).json()
    assert forger_of(host, forgers, made["token"]).open().status_code == 403


def test_what_cannot_work_is_said_in_a_sentence(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETENT_SECRET_KEY", "")
    config = load_config(tmp_path, {})
    with pytest.raises(Unauthorized):
        run_remote_workers(config, host.url, "dt_dev_wrong")
    with pytest.raises(Forbidden, match="workers:write"):
        run_remote_workers(config, host.url, new_key(host, "dev", ["runs:read"]))
    with pytest.raises(ServerUnreachable, match="no detent server answers at http"):
        run_remote_workers(config, "http://127.0.0.1:9", "dt_dev_any")


def test_another_protocol_and_a_wrong_clock_are_refused_with_what_to_do(host: Host, forgers: list[Forger]) -> None:
    forger = forger_of(host, forgers, new_key(host, "dev"))
    newer = forger.open(protocol=LINK_PROTOCOL + 1, version="9.9")
    assert newer.status_code == 400
    assert "install the same version on both" in newer.json()["detail"]
    late = forger.open(now=_now() - 3_600_000)
    assert late.status_code == 400
    assert "behind the server's; set it right" in late.json()["detail"]


def test_what_is_posted_twice_is_taken_once_and_a_gap_ends_the_link(host: Host, forgers: list[Forger]) -> None:
    forger = forger_of(host, forgers, new_key(host, "dev"))
    forger.open()
    assert isinstance(forger.ask(Hello("worker_1", TASKS, 1, 1.0, "h")), Welcome)
    host.engine.trigger([NewRun("run_1", "child"), NewRun("run_2", "child")])
    body = msgspec.json.encode(ToEngine(70, [Claim(async_=1)]))
    piece = up_piece(1, _LENGTH.pack(len(body)) + body)
    assert forger.post(piece).status_code == 204
    assert forger.post(piece, forger.posted).status_code == 204
    assert forger.ask(Beat()) == Done()
    assert [host.engine.result(run).status for run in ("run_1", "run_2")] == ["EXECUTING", "QUEUED"]  # type: ignore[union-attr]
    assert forger.post(b"", forger.posted + 2).status_code == 409
    assert forger.post(b"", 2).status_code == 404


def test_a_link_is_for_the_key_that_opened_it(host: Host, forgers: list[Forger]) -> None:
    owner = forger_of(host, forgers, new_key(host, "dev"))
    other = forger_of(host, forgers, new_key(host, "dev"))
    owner.open()
    other.link = owner.link
    assert other.post(b"").status_code == 404
    assert other.http.get(f"{LINKS}/{owner.link}/down", params={"after": 0, "poll": 1}).status_code == 404


def test_forged_frames_of_another_environment_change_and_tell_nothing(host: Host, forgers: list[Forger]) -> None:
    theirs = forger_of(host, forgers, new_key(host, "dev"))
    theirs.open()
    assert isinstance(theirs.ask(Hello("worker_dev", TASKS, 1, 1.0, "h")), Welcome)
    host.engine.trigger([NewRun("run_held", "secret-work", payload='"secret"'), NewRun("run_free", "secret-work")])
    claimed = theirs.ask(Claim(async_=1))
    assert isinstance(claimed, Claimed)
    [grant] = claimed.grants
    run, epoch = grant.run_id, grant.epoch
    assert theirs.ask(Wait(run, epoch, "t", 1, "token", target="waitpoint_none")) != Done()
    before = _facts(host, grant)

    forger = forger_of(host, forgers, new_key(host, "staging"))
    forger.open()
    # The worker of another, and one that claims to serve another environment.
    taken = forger.ask(Hello("worker_dev", TASKS, 1, 1.0, "h", env=host.engine.env), channel=7)
    assert isinstance(taken, Failure)
    taken = forger.ask(Hello("worker_cell", TASKS, 1, 1.0, "h", parent="worker_dev"), channel=8)
    assert isinstance(taken, Failure)
    assert isinstance(forger.ask(Hello("worker_evil", TASKS, 1, 1.0, "h", env=host.engine.env)), Welcome)
    assert forger.ask(Claim(sync=50, async_=50)) == Claimed()
    forged: list[Said] = [
        Finish(run, epoch, "COMPLETED", output='"forged"'),
        Record(run, epoch),
        Recall(run, epoch),
        Trigger(run, epoch, "k", [NewRun("run_new", "child")]),
        Wait(run, epoch, "k", 1, "time", for_ms=1),
        Park(run, epoch, ["k"]),
        Watch(run, epoch, "t"),
        Leave(run, epoch, "t"),
        Pause(run, epoch, "k", "a", "b", "forged"),
        Peek(run, epoch, "s"),
        Emit(run, epoch, metadata=[MetadataOp("self", "set", "a", "1")], tags=["forged"]),
        Assign(run, epoch, "worker_evil_cell"),
        Gone("worker_dev", "forged"),
        CompleteToken("waitpoint_guessed", "forged", "1"),
    ]
    for request in forged:
        answer = forger.ask(request)
        assert isinstance(answer, Failure), (request, answer)
        assert "secret" not in answer.message.replace("'secret-work'", "")
    assert forger.ask(DutyDone(run, epoch)) == Done()
    assert forger.ask(Release([(run, epoch)], evicted=[(run, epoch)])) == Done()
    gone = forger.ask(Gone("worker_dev", "forged", stopped=True), channel=9)
    assert isinstance(gone, Failure)

    assert _facts(host, grant) == before
    assert theirs.ask(Beat()) == Done()
    assert theirs.ask(Finish(run, epoch, "COMPLETED", output='"mine"')) == Done()
    assert host.engine.result(run).output == '"mine"'  # type: ignore[union-attr]


def test_a_run_cannot_show_an_object_of_another_as_its_own(host: Host, forgers: list[Forger]) -> None:
    forger = forger_of(host, forgers, new_key(host, "dev"))
    forger.open()
    forger.ask(Hello("worker_1", TASKS, 1, 1.0, "h"))
    host.engine.trigger([NewRun("run_own", "child")])
    claimed = forger.ask(Claim(async_=1))
    assert isinstance(claimed, Claimed)
    epoch = claimed.grants[0].epoch
    stolen: list[Said] = [
        Finish("run_own", epoch, "COMPLETED", output_ref="outputs/run_other"),
        Record("run_own", epoch, [Entry("k", "step", "t", 1, value_ref="envs/env_other/runs/x.json")]),
        Trigger("run_own", epoch, "k", [NewRun("run_new", "child", payload_ref="payloads/run_other")]),
        CompleteToken("waitpoint_1", "by", output_ref="outputs/run_other"),
    ]
    for request in stolen:
        answer = forger.ask(request)
        assert isinstance(answer, Failure)
        assert answer.code == "forbidden"
    assert forger.ask(Finish("run_own", epoch, "COMPLETED", output_ref=f"envs/{host.engine.env}/o.json")) == Done()


def test_a_worker_is_given_the_variables_of_its_own_environment_alone(host: Host, forgers: list[Forger]) -> None:
    with httpx.Client(base_url=host.url, headers={"authorization": f"Bearer {host.key}"}) as http:
        http.post("/api/v1/envvars", json={"name": "SECRET_OF_DEV", "value": "dev"}).raise_for_status()
    staging = forger_of(host, forgers, new_key(host, "staging"))
    staging.open()
    for env in (host.engine.env, ""):
        found = staging.say(variables_of=env, channel=3 + len(env)).variables
        assert found is not None
        assert "SECRET_OF_DEV" not in found.values
    dev = forger_of(host, forgers, new_key(host, "dev"))
    dev.open()
    found = dev.say(variables_of="").variables
    assert found is not None
    assert found.values["SECRET_OF_DEV"] == "dev"


def test_pieces_are_put_together_however_they_were_cut() -> None:
    body = up_piece(1, b"abc") + up_piece(2, b"")
    assert list(up_pieces(body)) == [(1, b"abc"), (2, b"")]
    with pytest.raises(ValueError, match="ends within a piece"):
        list(up_pieces(body[:-1]))


def _facts(host: Host, grant: Grant) -> list[Any]:
    rows = host.store.read("find_run", id=grant.run_id) + host.store.read("find_run", id="run_free")
    return [dict(zip(row.keys(), row, strict=True)) for row in rows]
