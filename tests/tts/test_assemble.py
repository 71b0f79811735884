from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from speech_server import speech

from detent import objects
from detent.tts.assemble import PartMissing, assemble
from detent.tts.mp3_merge import PartsDiffer
from detent.tts.voices import pick_voice


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETENT_PROJECT_DIR", str(tmp_path))
    monkeypatch.delenv("DETENT_OBJECT_STORE_URL", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def put(name: str, audio: bytes) -> str:
    objects.store().put(name, audio)
    return name


def test_parts_become_one_object() -> None:
    parts = [put("a.mp3", speech("one")), put("b.mp3", speech("two")), "a.mp3"]

    merged = asyncio.run(assemble(parts, "whole.mp3"))

    assert len(objects.store().get("whole.mp3")) == merged.size_bytes
    assert len(merged.parts) == 3


def test_a_missing_part_is_named_and_nothing_is_written() -> None:
    with pytest.raises(PartMissing, match=r"b\.mp3"):
        asyncio.run(assemble([put("a.mp3", speech("one")), "b.mp3"], "whole.mp3"))

    assert not objects.store().exists("whole.mp3")


def test_parts_that_do_not_fit_together_write_nothing() -> None:
    other = asyncio.run(pick_voice().speak("Another sample rate."))

    with pytest.raises(PartsDiffer, match="sample rate"):
        asyncio.run(assemble([put("a.mp3", speech("one")), put("b.mp3", other)], "whole.mp3"))

    assert not objects.store().exists("whole.mp3")


def test_when_it_is_cancelled_its_thread_has_stopped_and_nothing_is_written() -> None:
    part = put("a.mp3", speech("one"))

    async def cancelled() -> None:
        work = asyncio.create_task(assemble([part] * 100_000, "whole.mp3"))
        await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(asyncio.wait_for(cancelled(), 10))

    assert not objects.store().exists("whole.mp3")
