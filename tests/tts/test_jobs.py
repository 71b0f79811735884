from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from speech_server import SpeechServer, refusal

from detent import objects
from detent.client import Detent
from detent.errors import InvalidPayload, NotFound
from detent.testing import Harness, harness
from detent.tts import Jobs, generate_audio, get_job, speak_chunk, start_speech
from detent.tts import sync as blocking


class Clock:
    """The time of the web app that polls."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def later(clock: Clock) -> Jobs:
    """The records as seen by a clock that can be moved."""
    return Jobs(clock)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpeechServer]:
    monkeypatch.setenv("DETENT_PROJECT_DIR", str(tmp_path))
    monkeypatch.delenv("DETENT_OBJECT_STORE_URL", raising=False)
    with SpeechServer() as running:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


@pytest.fixture
def run_tasks(server: SpeechServer) -> Iterator[Harness]:
    with harness([generate_audio, speak_chunk]) as running:
        yield running


def test_a_job_is_queued_then_succeeds_with_its_file(run_tasks: Harness) -> None:
    job = blocking.start_speech("Hello.", voice="nova")
    assert job.status == "queued"
    assert job.run_id is not None

    run_tasks.drain()

    ended = blocking.get_job(job.id)
    assert ended.status == "succeeded"
    assert ended.run_id == job.run_id
    assert ended.speech is not None
    assert objects.store().exists(ended.speech.key)
    assert ended.updated_at > ended.created_at == job.created_at


def test_a_job_is_running_while_its_run_waits_for_chunks(run_tasks: Harness, server: SpeechServer) -> None:
    server.script.append(refusal(503, "later", retry_after="60"))

    job = blocking.start_speech("Hello.")
    run_tasks.drain(advance=False)

    assert blocking.get_job(job.id).status == "running"


def test_code_on_an_event_loop_has_the_same_calls(run_tasks: Harness) -> None:
    async def order() -> None:
        job = await start_speech("Hello.")
        await run_tasks.drain_async()
        assert (await get_job(job.id)).status == "succeeded"

    asyncio.run(order())


def test_a_job_fails_with_the_reason_of_its_run(run_tasks: Harness, server: SpeechServer) -> None:
    server.script.append(refusal(401, "Incorrect API key provided"))

    job = blocking.start_speech("Hello.")
    run_tasks.drain()

    ended = blocking.get_job(job.id)
    assert ended.status == "failed"
    assert ended.error is not None
    assert "Incorrect API key provided" in ended.error


def test_a_job_fails_when_its_run_is_cancelled(
    run_tasks: Harness, server: SpeechServer, clock: Clock, later: Jobs
) -> None:
    server.script.append(refusal(503, "later", retry_after="600"))
    job = blocking.start_speech("Hello.")
    run_tasks.drain(advance=False)
    assert job.run_id is not None

    Detent().runs.cancel(job.run_id, "no longer wanted")
    run_tasks.drain()
    clock.now += timedelta(minutes=11)

    ended = later.sync.get(job.id)
    assert ended.status == "failed"
    assert "cancelled" in str(ended.error) or "no longer wanted" in str(ended.error)


def test_a_text_that_is_refused_leaves_no_record(run_tasks: Harness) -> None:
    with pytest.raises(InvalidPayload, match="empty"):
        blocking.start_speech(" ")

    assert list(objects.store().list("jobs")) == []


def test_a_job_whose_run_was_never_started_fails_after_ten_minutes(
    run_tasks: Harness, clock: Clock, later: Jobs
) -> None:
    job = later.sync.create()

    clock.now += timedelta(minutes=9)
    assert later.sync.get(job.id).status == "queued"
    clock.now += timedelta(minutes=1)

    ended = later.sync.get(job.id)
    assert ended.status == "failed"
    assert ended.error == "its run was never started, or is gone"
    assert later.sync.get(job.id) == ended


def test_a_job_whose_run_lives_is_left_alone_however_long_it_takes(
    run_tasks: Harness, server: SpeechServer, clock: Clock, later: Jobs
) -> None:
    server.script.append(refusal(503, "later", retry_after="600"))
    job = blocking.start_speech("Hello.")
    run_tasks.drain(advance=False)

    clock.now += timedelta(hours=3)

    assert later.sync.get(job.id).status == "running"
    run_tasks.drain()
    assert later.sync.get(job.id).status == "succeeded"


def test_a_job_whose_last_word_was_lost_learns_the_end_from_its_run(
    run_tasks: Harness, clock: Clock, later: Jobs
) -> None:
    job = blocking.start_speech("Hello.")
    before = objects.store().get(f"jobs/{job.id}.json")
    run_tasks.drain()
    objects.store().put(f"jobs/{job.id}.json", before)

    clock.now += timedelta(minutes=11)

    ended = later.sync.get(job.id)
    assert ended.status == "succeeded"
    assert ended.speech is not None


@pytest.mark.parametrize("job_id", ["job_" + "0" * 32, "../secrets", ""])
def test_an_unknown_job_is_said_to_be_unknown(run_tasks: Harness, job_id: str) -> None:
    with pytest.raises(NotFound, match="no job"):
        blocking.get_job(job_id)
