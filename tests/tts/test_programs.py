"""`detent demo` and `detent tts`, from the call to the file."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import av
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from speech_server import SpeechServer, refusal

from detent.config import load_config
from detent.dev.local_service import LocalService
from detent.tts.command import run_tts
from detent.tts.demo import run_demo
from detent.tts.local import Service


def serve(root: Path) -> AbstractContextManager[Service]:
    return LocalService(load_config(root))


def refuse(root: Path) -> AbstractContextManager[Service]:
    raise AssertionError("nothing should have been started")


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DETENT_API_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("DETENT_DEMO_TEXT", raising=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpeechServer]:
    with SpeechServer() as running:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


def test_the_demo_speaks_a_text_of_ones_own_and_tells_what_it_did(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.txt").write_text("A first sentence.\n\nAnd a second one.", "utf-8")
    monkeypatch.setenv("DETENT_DEMO_TEXT", "own.txt")

    status = run_demo(serve=serve)

    said = capfd.readouterr().out
    assert status == 0
    assert "36 characters of own.txt, into detent-demo/" in said
    assert "voice: offline/en-us/1 (no account, no network" in said
    assert "chunk 1 of 1 spoken in" in said
    assert "tts-generate-audio" in said
    assert "merge" in said
    assert ", 1 chunk\n" in said
    assert f"{tmp_path}/detent-demo/speech.mp3" in said
    assert "What to try next:" in said
    with av.open(str(tmp_path / "detent-demo" / "speech.mp3")) as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) > 22050
    assert os.environ["DETENT_API_URL"] == "http://127.0.0.1:9"


def test_tts_answers_programs_with_one_document_and_speaks_a_text_once(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: SpeechServer,
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfHello.")))
    first = run_tts(serve=serve, file="-", out=Path("a/x.mp3"), voice="nova", speed=1.5, json=True)
    one = json.loads(capfd.readouterr().out)
    (tmp_path / "same.txt").write_text("Hello.", "utf-8")
    second = run_tts(serve=serve, file="same.txt", out=Path("y.mp3"), voice="nova", speed=1.5, json=True)
    other = json.loads(capfd.readouterr().out)

    assert (first, second) == (0, 0)
    assert one["status"] == "COMPLETED"
    assert one["path"] == str(tmp_path / "a" / "x.mp3")
    assert (one["chunks"], one["reused"], other["reused"]) == (1, False, True)
    assert (tmp_path / "a" / "x.mp3").read_bytes() == (tmp_path / "y.mp3").read_bytes()
    assert server.asked == {"Hello.": 1}
    assert server.bodies[0]["speed"] == 1.5
    assert list((tmp_path / "a").iterdir()) == [tmp_path / "a" / "x.mp3"]


def test_a_run_that_fails_is_said_to_have_failed_and_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], server: SpeechServer
) -> None:
    server.script.append(refusal(401, "Incorrect API key provided"))
    (tmp_path / "a.txt").write_text("Hello.", "utf-8")

    status = run_tts(serve=serve, file="a.txt", out=Path("a.mp3"))

    assert status == 1
    assert "refused with 401: Incorrect API key provided" in capfd.readouterr().out
    assert not (tmp_path / "a.mp3").exists()


@pytest.mark.parametrize(
    ("content", "wishes", "reason"),
    [
        (None, {}, "error: a.txt cannot be read: No such file or directory"),
        (b"caf\xe9", {}, "error: a.txt is not UTF-8: byte 3 is 0xe9"),
        (b"  \n", {}, "error: text: it is empty"),
        (b"Hi.", {"voice": "nobody"}, "error: voice: no offline voice named 'nobody'"),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_anything_starts(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    content: bytes | None,
    wishes: dict[str, str],
    reason: str,
) -> None:
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)

    status = run_tts(serve=refuse, file="a.txt", out=Path("a.mp3"), voice=wishes.get("voice"))

    assert status == 1
    assert reason in capfd.readouterr().out


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ({"speed": 99.0}, "error: speed: got 99, expected a number from 0.25 to 4"),
        ({"speed": 0.1}, "error: speed: got 0.1, expected a number from 0.25 to 4"),
        ({"speed": float("nan")}, "error: speed: got nan, expected a number from 0.25 to 4"),
        ({"instructions": "x" * 5_000}, "error: instructions: it has 5,000 characters, the most is 4,096"),
        ({"out": Path("a.wav")}, "error: --out: a.wav is not an .mp3; MP3 is the one format that is written"),
    ],
)
def test_a_wish_out_of_its_limits_is_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], wishes: dict[str, Any], reason: str
) -> None:
    (tmp_path / "a.txt").write_text("Hello.", "utf-8")

    status = run_tts(**{"serve": refuse, "file": "a.txt", "out": Path("a.mp3")} | wishes)

    assert status == 1
    assert capfd.readouterr().out == f"{reason}\n"


def test_the_demo_writes_no_other_format_either(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_demo(serve=refuse, out=Path("a.ogg")) == 1
    assert "--out: a.ogg is not an .mp3" in capfd.readouterr().out


def test_a_key_that_is_set_is_not_used_offline(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], server: SpeechServer
) -> None:
    (tmp_path / "a.txt").write_text("Hello.", "utf-8")

    status = run_tts(serve=serve, file="a.txt", out=Path("a.mp3"), offline=True, json=True)

    assert status == 0
    assert "voice: offline/en-us/1" in capfd.readouterr().err
    assert server.bodies == []
