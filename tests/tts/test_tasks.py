from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from speech_server import SpeechServer, refusal, speech

from detent import objects
from detent.client import Detent
from detent.errors import InvalidPayload
from detent.testing import Harness, harness
from detent.tts import generate_audio, speak_chunk
from detent.tts.chunks import split_text
from detent.tts.parts import key_of
from detent.tts.voices import pick_voice


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETENT_PROJECT_DIR", str(tmp_path))
    monkeypatch.delenv("DETENT_OBJECT_STORE_URL", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpeechServer]:
    with SpeechServer() as running:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


@pytest.fixture
def run_tasks() -> Iterator[Harness]:
    with harness([generate_audio, speak_chunk]) as running:
        yield running


def text_of(chunks: int, seed: str = "word") -> str:
    """A text that makes so many chunks, each different."""
    return "\n\n".join(f"{seed} {number}: " + "one two three. " * 200 for number in range(chunks))


def seconds_of(audio: bytes) -> float:
    with av.open(io.BytesIO(audio), format="mp3") as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def left_over() -> list[str]:
    return [key for key in objects.store().list("tts") if not key.startswith("tts/audio/")]


def eventually(condition: Callable[[], bool]) -> bool:
    ends = time.monotonic() + 10
    while not (met := condition()) and time.monotonic() < ends:
        time.sleep(0.005)
    return met


def trigger(payload: Any, **options: Any) -> Any:
    return generate_audio.sync.trigger(payload, **options)


def test_a_long_text_becomes_one_file_and_the_temporaries_are_gone(server: SpeechServer, run_tasks: Harness) -> None:
    text = text_of(6)

    handle = trigger({"text": text})
    output = run_tasks.output(handle)

    chunks = split_text(text)
    assert len(chunks) == 6
    assert dict(server.finished) == dict.fromkeys(chunks, 1)
    audio = objects.store().get(output["key"])
    assert len(audio) == output["size_bytes"]
    assert output["chunks"] == 6
    assert output["audio_url"].startswith("file://")
    total = sum(seconds_of(speech(chunk)) for chunk in chunks)
    assert output["duration_s"] == pytest.approx(seconds_of(audio), abs=0.01)
    # Each tone carries the codec's own padding, which the merge takes out: under 0.1 s at each seam.
    assert total - 0.12 * 6 < output["duration_s"] <= total
    assert left_over() == []
    assert run_tasks.run(handle).metadata == {"chunks": 6, "chunks_done": 6}


def test_never_more_than_five_chunks_are_spoken_at_once(run_tasks: Harness, server: SpeechServer) -> None:
    server._latency_s = 0.03

    run_tasks.output(trigger({"text": text_of(15)}))

    assert server.most_at_once == 5


def test_the_same_text_by_the_same_voice_is_not_spoken_twice(server: SpeechServer, run_tasks: Harness) -> None:
    first = run_tasks.output(trigger({"text": text_of(3)}))

    again = run_tasks.output(trigger({"text": text_of(3)}))

    assert again == {**first, "reused": True}
    assert set(server.asked.values()) == {1}


def test_a_text_is_spoken_anew_when_that_is_wished(server: SpeechServer, run_tasks: Harness) -> None:
    first = run_tasks.output(trigger({"text": text_of(3)}))

    again = run_tasks.output(trigger({"text": text_of(3), "again": True}))

    assert again == first
    assert set(server.asked.values()) == {2}
    assert left_over() == []


def test_another_voice_speaks_for_itself(server: SpeechServer, run_tasks: Harness) -> None:
    one = run_tasks.output(trigger({"text": "Hello.", "voice": "nova"}))
    other = run_tasks.output(trigger({"text": "Hello.", "voice": "ash"}))

    assert one["key"] != other["key"]
    assert server.asked == {"Hello.": 2}


def test_what_a_text_says_twice_is_spoken_once(server: SpeechServer, run_tasks: Harness) -> None:
    text = "\n\n".join(["the same again. " * 220] * 3)

    output = run_tasks.output(trigger({"text": text}))

    assert output["chunks"] == 3
    assert list(server.asked.values()) == [1]


def test_a_chunk_waits_as_long_as_the_api_asks(server: SpeechServer, run_tasks: Harness) -> None:
    server.script.append(refusal(429, "slow down", retry_after="40"))
    handle = trigger({"text": "Hello."})

    run_tasks.drain(advance=False)
    run_tasks.advance(39)
    assert server.finished == {}
    run_tasks.advance(2)

    assert run_tasks.output(handle)["chunks"] == 1
    assert server.asked == {"Hello.": 2}


@pytest.mark.parametrize("status", [500, 503])
def test_errors_of_the_server_are_retried(server: SpeechServer, run_tasks: Harness, status: int) -> None:
    server.script.extend([refusal(status, "oops"), refusal(status, "oops")])

    output = run_tasks.output(trigger({"text": "Hello."}))

    assert output["chunks"] == 1
    assert server.asked == {"Hello.": 3}


def test_after_three_attempts_the_whole_has_failed_and_nothing_is_left(
    server: SpeechServer, run_tasks: Harness
) -> None:
    server.script.extend([refusal(500, "the disk is full")] * 3)

    handle = trigger({"text": "Hello."})
    run_tasks.drain()

    run = run_tasks.run(handle)
    assert run.status == "FAILED"
    assert run.error is not None
    assert run.error.message.startswith("chunk 1 of 1 failed: the speech API answered 500: the disk is full")
    assert server.asked == {"Hello.": 3}
    assert left_over() == []


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_fails_the_chunk_and_the_whole_at_once_with_the_words_of_the_api(
    server: SpeechServer, run_tasks: Harness, status: int
) -> None:
    server.script.extend([refusal(status, "Incorrect API key provided")] * 5)

    handle = trigger({"text": text_of(30)})
    run_tasks.drain()

    run = run_tasks.run(handle)
    assert run.status == "FAILED"
    assert run.error is not None
    assert f"refused with {status}: Incorrect API key provided" in run.error.message
    assert len(run.attempts) == 1
    # Those at work when the first refusal came; the other chunks were spared.
    assert sum(server.asked.values()) < 15
    assert left_over() == []


def test_a_run_that_is_cancelled_while_it_waits_leaves_nothing(server: SpeechServer, run_tasks: Harness) -> None:
    server.script.extend([refusal(503, "later", retry_after="600")] * 5)
    handle = trigger({"text": text_of(8)})
    run_tasks.drain(advance=False)
    assert run_tasks.run(handle).status == "WAITING"
    assert left_over() != []

    Detent().runs.cancel(handle.id)
    run_tasks.drain()

    assert run_tasks.run(handle).status == "CANCELED"
    # The frame that waited cleans up after the engine has let it go, so `drain` does not wait for it.
    assert eventually(lambda: left_over() == [])


def test_a_part_that_is_there_is_not_asked_for(server: SpeechServer, run_tasks: Harness) -> None:
    text = text_of(3)
    there = split_text(text)[1]
    objects.store().put(key_of(pick_voice().name, there), speech(there))

    run_tasks.output(trigger({"text": text}))

    assert server.asked[there] == 0
    assert sum(server.asked.values()) == 2
    assert left_over() == []


def test_more_than_a_thousand_chunks_go_in_several_batches(run_tasks: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETENT_TTS_MAX_CHARS", "3000000")
    # No two of these paragraphs fit in one chunk. All are spoken already, by the same tone.
    text = "\n\n".join(f"{number} " + "word " * 410 for number in range(1100))
    chunks = split_text(text)
    for chunk in chunks:
        objects.store().put(key_of(pick_voice().name, chunk), speech("a tone"))

    handle = trigger({"text": text})
    output = run_tasks.output(handle)

    assert output["chunks"] == len(chunks) == 1100
    assert run_tasks.run(handle).children_total == 1100
    assert output["duration_s"] == pytest.approx(1100 * seconds_of(speech("a tone")), rel=0.25)
    assert left_over() == []


def test_a_part_that_vanished_is_spoken_again(server: SpeechServer, run_tasks: Harness) -> None:
    server.script.append(refusal(503, "later", retry_after="600"))
    handle = trigger({"text": text_of(3)})
    run_tasks.drain(advance=False)
    [gone, _] = [key for key in left_over() if key.startswith("tts/parts/")]
    objects.store().delete(gone)

    output = run_tasks.output(handle)

    assert output["chunks"] == 3
    assert sorted(server.finished.values()) == [1, 1, 2]
    assert left_over() == []


def test_what_a_dead_run_left_behind_is_cleared_by_the_next(run_tasks: Harness, server: SpeechServer) -> None:
    store = objects.store()
    store.put("tts/parts/" + "0" * 64 + ".mp3", b"orphan")
    store.put("tts/claims/run_00000000000000000000000000.json", b'["tts/parts/' + b"0" * 64 + b'.mp3"]')

    run_tasks.output(trigger({"text": "Hello."}))

    assert left_over() == []


def test_parts_that_another_run_still_needs_stay(server: SpeechServer, run_tasks: Harness) -> None:
    shared, tail = text_of(2), "\n\n" + text_of(1, "tail")
    server.script.extend([refusal(503, "later", retry_after="600")])
    waiting = trigger({"text": text_of(1, "tail") + tail})
    run_tasks.drain(advance=False)

    run_tasks.output(trigger({"text": shared}))
    assert run_tasks.output(waiting)["chunks"] == 2

    assert left_over() == []


REFUSED = [
    ({"text": ""}, "text: it is empty"),
    ({"text": " \n\u2003"}, "text: it is empty"),
    ({"text": "caf\udce9"}, r"character 3 is '\\udce9', half of a character or an undecoded byte"),
    ({"text": b"caf\xe9"}, "byte 3 is 0xe9, which is not UTF-8"),
    ({"text": "x" * 51}, "text: it has 51 characters, the most is 50"),
    ({"text": "Hi.", "voice": "nobody"}, "voice: no offline voice named 'nobody'"),
    ({"text": "Hi.", "format": "wav"}, "format: no format named 'wav'; known are: mp3"),
    ({"text": "Hi.", "speed": 9}, "speed"),
    ({"text": "Hi.", "vioce": "en"}, "vioce"),
]


@pytest.mark.parametrize(("payload", "reason"), REFUSED)
def test_what_cannot_be_spoken_is_refused_when_triggered(
    run_tasks: Harness, monkeypatch: pytest.MonkeyPatch, payload: dict[str, Any], reason: str
) -> None:
    monkeypatch.setenv("DETENT_TTS_MAX_CHARS", "50")

    with pytest.raises(InvalidPayload, match=reason):
        trigger(payload)

    assert Detent().runs.list().page().items == []


@pytest.mark.parametrize(("payload", "reason"), [({"text": " "}, "text"), ({"text": "x", "format": "wav"}, "mp3")])
def test_most_is_refused_too_where_the_task_is_triggered_by_its_id_alone(
    run_tasks: Harness, payload: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidPayload, match=reason):
        Detent().tasks.trigger("tts-generate-audio", payload)


def test_a_web_app_without_the_key_may_ask_for_a_voice_that_the_workers_have(run_tasks: Harness) -> None:
    handle = trigger({"text": "Hello.", "voice": "nova"})
    run_tasks.drain()

    run = run_tasks.run(handle)
    assert run.status == "FAILED"
    assert run.error is not None
    assert "'nova' is a voice of OpenAI and needs OPENAI_API_KEY" in run.error.message
    assert len(run.attempts) == 1


def test_the_offline_voice_speaks_without_any_key(run_tasks: Harness) -> None:
    output = run_tasks.output(trigger({"text": "Hello there.", "voice": "en-gb", "speed": 1.5}))

    assert 0.4 < output["duration_s"] < 3
    assert seconds_of(objects.store().get(output["key"])) == pytest.approx(output["duration_s"], abs=0.01)
