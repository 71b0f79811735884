from __future__ import annotations

import asyncio
import io
from importlib.resources import files

import av
import numpy as np
import pytest

from detent.tts.chunks import split_text
from detent.tts.mp3_merge import merge
from detent.tts.voices import pick_voice


def decoded(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with av.open(io.BytesIO(data), format="mp3") as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_the_demo_text_becomes_one_file_with_every_chunk_in_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    text = files("detent.tts").joinpath("texts/demo.txt").read_text("utf-8")
    chunks = split_text(text)
    voice = pick_voice(speed=2.0)

    parts = [asyncio.run(voice.speak(chunk)) for chunk in chunks]
    merged = merge(parts, out := io.BytesIO())

    assert len(text) > 20_000
    assert len(chunks) > 5
    whole = decoded(out.getvalue())
    alone = [decoded(part) for part in parts]
    assert len(whole) / 22050 == pytest.approx(merged.duration_s, abs=0.002)
    total = sum(len(one) for one in alone) / 22050
    assert total <= merged.duration_s <= total + 0.06 * (len(parts) - 1)
    for one, part in zip(alone, merged.parts, strict=True):
        at = round(part.start_s * 22050)
        there = whole[at : at + len(one)]
        assert np.corrcoef(there, one)[0, 1] > 0.99
        for edge in (slice(0, 4000), slice(-12000, -4000)):
            assert np.abs(there[edge] - one[edge]).max() < 0.02
