from __future__ import annotations

import asyncio
import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import av
import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from speech_server import Answer, SpeechServer, refusal, speech

from detent.errors import AbortTaskRunError, InvalidPayload
from detent.tts.voices import BadAudio, SpeechRetry, Voice, pick_voice
from detent.tts.voices.offline import languages
from detent.tts.voices.openai import VOICES, retry_after

SERVER = Path(__file__).with_name("speech_server.py")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpeechServer]:
    with SpeechServer() as running:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def said(voice: Voice, text: str = "Hello.") -> bytes:
    return asyncio.run(voice.speak(text))


def seconds_of(audio: bytes) -> float:
    with av.open(io.BytesIO(audio), format="mp3") as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def test_the_api_is_asked_for_the_words_the_voice_the_speed_and_the_manner(server: SpeechServer) -> None:
    voice = pick_voice("gpt-4o-mini-tts", "nova", 1.5, "calmly")

    audio = said(voice, "Good morning.")

    assert audio == speech("Good morning.")
    assert server.bodies == [
        {
            "model": "gpt-4o-mini-tts",
            "input": "Good morning.",
            "voice": "nova",
            "instructions": "calmly",
            "speed": 1.5,
            "response_format": "mp3",
        }
    ]


def test_a_model_that_takes_no_instructions_is_sent_none(server: SpeechServer) -> None:
    said(pick_voice("tts-1", None, 1.0, "calmly"))

    assert "instructions" not in server.bodies[0]


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (refusal(429, "slow down", retry_after="7"), 7.0),
        (refusal(429, "slow down", retry_after_ms="250", retry_after="7"), 0.25),
        (refusal(429, "slow down"), None),
        (refusal(500, "our fault"), None),
        (refusal(503, "busy", retry_after="2.5"), 2.5),
        (Answer(502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"), None),
        (Answer(body=speech("x"), drop=100), None),
        (Answer(body=speech("x"), drop=0), None),
    ],
    ids=["seconds", "milliseconds", "429", "500", "503", "502 page", "dropped half-way", "dropped at once"],
)
def test_what_may_pass_is_worth_a_retry_and_is_not_retried_here(
    server: SpeechServer, answer: Answer, wait: float | None
) -> None:
    server.script.append(answer)

    with pytest.raises(SpeechRetry) as caught:
        said(pick_voice())

    assert caught.value.retry_after_s == wait
    assert server.asked.total() == 1
    assert said(pick_voice()) == speech("Hello.")


def test_a_server_that_is_not_there_is_worth_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with SpeechServer() as gone:
        monkeypatch.setenv("OPENAI_BASE_URL", gone.url)

    with pytest.raises(SpeechRetry, match="connection"):
        said(pick_voice())


def test_a_date_to_retry_after_is_understood() -> None:
    assert retry_after({"retry-after": formatdate(1_000_012, usegmt=True)}, 1_000_000.0) == 12.0
    assert retry_after({"retry-after": formatdate(999_000, usegmt=True)}, 1_000_000.0) == 0.0
    assert retry_after({"retry-after": "soon"}, 1_000_000.0) is None
    assert retry_after({"retry-after": "-3"}, 1_000_000.0) is None
    assert retry_after({}, 1_000_000.0) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_aborts_with_the_words_of_the_api(server: SpeechServer, status: int) -> None:
    server.script.append(refusal(status, "Incorrect API key provided: sk-test."))

    with pytest.raises(AbortTaskRunError, match=f"{status}: Incorrect API key provided"):
        said(pick_voice())

    assert server.asked.total() == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(headers={"content-type": "text/html"}, body=b"<html>Log in</html>"), "text/html.*Log in"),
        (Answer(headers={"content-type": "application/json"}, body=b'{"ok": true}'), "application/json"),
        (Answer(), "0 bytes"),
        (Answer(body=b"RIFF" + bytes(4000)), "hold no MP3"),
    ],
    ids=["page", "json", "empty", "wav"],
)
def test_an_answer_that_is_no_speech_is_an_error_and_no_file(
    server: SpeechServer, answer: Answer, message: str
) -> None:
    server.script.append(answer)

    with pytest.raises(BadAudio, match=message):
        said(pick_voice())


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"voice": "nuva"}, "did you mean 'nova'"),
        ({"format": "ogg"}, "'ogg'.*mp3"),
        ({"speed": 5}, "got 5, expected a number from 0.25 to 4.0"),
        ({"speed": float("nan")}, "got nan"),
        ({"model": "offline", "voice": "en-uk"}, "did you mean 'en-us'|'en-gb'"),
        ({"model": "offline", "voice": "nova"}, "needs OPENAI_API_KEY"),
        ({"model": "offline", "speed": 0.25}, "from 0.5 to 4.0"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_with_what_is_allowed(
    server: SpeechServer, wishes: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidPayload, match=message):
        pick_voice(**wishes)  # type: ignore[arg-type]

    assert not server.bodies


def test_names_of_voices_tell_all_that_shapes_the_sound(server: SpeechServer) -> None:
    wishes = [(), ("tts-1",), (None, "nova"), (None, None, 2.0), (None, None, 1.0, "calmly"), ("offline",)]

    assert len({pick_voice(*wish).name for wish in wishes}) == len(wishes)
    assert len(set(VOICES)) == 13


def test_without_a_key_the_offline_voice_speaks_at_the_pace_asked_for(no_key: None) -> None:
    text = "The quick brown fox jumps over the lazy dog, and goes home."

    slow, usual, fast = (seconds_of(said(pick_voice(speed=speed), text)) for speed in (0.5, 1.0, 2.0))

    assert 2.5 < usual < 6
    assert slow > 1.7 * usual
    assert fast < 0.6 * usual


def test_languages_sound_different_and_every_one_speaks(no_key: None, capfd: pytest.CaptureFixture[str]) -> None:
    heard = {round(seconds_of(said(pick_voice(voice=name), "1, 2, 3, 4")), 1) for name in ("en", "de", "cy")}

    assert len(heard) == 3
    assert {"en", "en-us", "en-gb", "de", "fr", "es", "hi", "ar", "ja", "cmn"} <= languages().keys()
    for name in languages():
        assert seconds_of(said(pick_voice(voice=name), "1")) > 0.1
    assert capfd.readouterr() == ("", "")


def test_many_threads_speak_at_once_and_each_hears_its_own_words(no_key: None) -> None:
    texts = [f"Number {number}, and {'so on ' * number}." for number in range(12)]
    alone = [seconds_of(said(pick_voice(), text)) for text in texts]

    async def together() -> list[bytes]:
        return await asyncio.gather(*(pick_voice().speak(text) for text in texts))

    # eSpeak's wave form goes on where the last utterance left it, so lengths differ by a pitch period or so.
    assert [seconds_of(audio) for audio in asyncio.run(together())] == pytest.approx(alone, abs=0.06)


@pytest.mark.parametrize("text", ["\0", "\ud800", " ", "...", "\U0001f600", "[[h@'loU]]", "<speak>hi</speak>"])
def test_an_odd_text_still_gives_a_playable_file(no_key: None, text: str) -> None:
    assert seconds_of(said(pick_voice(), text)) > 0


def test_the_server_runs_as_a_process_and_counts_finished_requests(tmp_path: Path) -> None:
    counts = tmp_path / "counts"
    command = [sys.executable, str(SERVER), "--port", "0", "--count-file", str(counts), "--fail-first", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip() + "/audio/speech"
        answers = [httpx.post(url, json={"input": text}) for text in ("one", "one", "two")]
        # A request is counted when its answer is out.
        ends = time.monotonic() + 10
        while len(counts.read_text().split()) < 2 and time.monotonic() < ends:
            time.sleep(0.01)
        process.terminate()

    assert [answer.status_code for answer in answers] == [500, 200, 200]
    assert answers[1].content == speech("one")
    assert counts.read_text().split() == [hashlib.sha256(text).hexdigest() for text in (b"one", b"two")]
