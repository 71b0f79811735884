"""Kill -9 in the middle of a long text: the worker alone, and everything. Nothing finished is asked for again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tts"))
from speech_server import RATE, SpeechServer, speech

from detent.client import Detent
from detent.config import load_config
from detent.embedded import ProjectTransport
from detent.tts import parts
from detent.tts.chunks import split_text
from detent.tts.mp3_frames import read_frames

DEMO = """
import sys
from detent.config import load_config
from detent.dev.local_service import LocalService
from detent.tts.demo import run_demo

sys.exit(run_demo(serve=lambda root: LocalService(load_config(root)), json=True))
"""
LATENCY_S = 0.4


@pytest.fixture
def server() -> Iterator[SpeechServer]:
    with SpeechServer(latency_s=LATENCY_S) as running:
        yield running


@pytest.fixture
def demo(tmp_path: Path, server: SpeechServer) -> Iterator[Demo]:
    demo = Demo(tmp_path, server)
    yield demo
    demo.close()


class Demo:
    """The demo as a process, in a folder of its own, with the local speech server."""

    def __init__(self, folder: Path, server: SpeechServer) -> None:
        self.folder = folder
        self.project = folder / "detent-demo"
        self.server = server
        self.chunks = split_text(files("detent.tts").joinpath("texts/demo.txt").read_text("utf-8"))
        self._process: subprocess.Popen[str] | None = None
        self._notes = folder / "notes.txt"
        self._transports: list[ProjectTransport] = []

    def start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DETENT_", "OPENAI_"))}
        with self._notes.open("a") as notes:
            self._process = subprocess.Popen(
                [sys.executable, "-c", DEMO],
                cwd=self.folder,
                env={**kept, "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": self.server.url},
                stdout=subprocess.PIPE,
                stderr=notes,
                text=True,
                start_new_session=True,
            )

    def workers(self) -> list[psutil.Process]:
        assert self._process is not None
        family = psutil.Process(self._process.pid).children(recursive=True)
        return [process for process in family if "detent.worker" in process.cmdline()]

    def finished_parts(self) -> set[str]:
        """Keys of the chunks that are in the object store."""
        folder = self.project / ".detent" / "objects" / "tts" / "parts"
        return {f"tts/parts/{path.name}" for path in folder.glob("*.mp3")}

    def wait_until_in_the_middle(self) -> None:
        wait_for(lambda: len(self.finished_parts()) >= 2)

    def client(self) -> Detent:
        self._transports.append(ProjectTransport(load_config(self.project)))
        return Detent(self._transports[-1])

    def close(self) -> None:
        self.kill()
        for transport in self._transports:
            transport.close()

    def kill(self, *, only: psutil.Process | None = None) -> set[str]:
        """Kill -9 a process, or all; the chunks that were finished then. They are stopped first, so that none is
        finished between the look and the blow."""
        if self._process is None or self._process.poll() is not None:
            return set()
        everything = psutil.Process(self._process.pid)
        doomed = [only] if only is not None else [everything, *everything.children(recursive=True)]
        for process in doomed:
            process.send_signal(signal.SIGSTOP)
        finished = self.finished_parts()
        for process in doomed:
            process.kill()
        if only is None:
            self._process.communicate()
            psutil.wait_procs(doomed, timeout=10)
        return finished

    def answer(self) -> dict[str, object]:
        assert self._process is not None
        out, _ = self._process.communicate(timeout=90)
        assert self._process.returncode == 0, self.notes()
        answer: dict[str, object] = json.loads(out)
        return answer

    def notes(self) -> str:
        return self._notes.read_text()

    def asked_more_than_once(self, keys: set[str]) -> list[str]:
        """Those of the finished chunks that were asked for again."""
        name = f"openai({self.server.url.removeprefix('http://')})/gpt-4o-mini-tts/alloy/1"
        return [
            chunk[:40] for chunk in self.chunks if parts.key_of(name, chunk) in keys and self.server.asked[chunk] != 1
        ]


def wait_for(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)


def decoded(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with av.open(str(path), format="mp3") as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def pitch_at(samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]], at_s: float) -> float:
    window = samples[int((at_s - 0.2) * RATE) : int((at_s + 0.2) * RATE)]
    spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window))))
    return float(np.argmax(spectrum) * RATE / len(window))


def assert_all_is_said_in_order(path: Path, chunks: list[str]) -> None:
    """Each chunk of the speech server is a tone of its own: the file holds all of them, one after the other."""
    whole = decoded(path)
    lengths = [sum(f.header.samples for f in read_frames([speech(chunk)])) / RATE for chunk in chunks]
    # Of each part the codec's own padding goes, up to two frames.
    assert sum(lengths) - 0.1 * len(chunks) < len(whole) / RATE <= sum(lengths) + 0.06 * len(chunks)
    at = 0.0
    for chunk, length in zip(chunks, lengths, strict=True):
        wanted = 200 + int(hashlib.sha256(chunk.encode()).hexdigest()[:4], 16) % 1500
        assert pitch_at(whole, at + length / 2) == pytest.approx(wanted, abs=5)
        at += length - 0.05


@pytest.mark.soak
def test_the_demo_finishes_when_its_worker_is_killed(demo: Demo) -> None:
    demo.start()
    demo.wait_until_in_the_middle()
    client = demo.client()
    [run] = client.runs.list(task="tts-generate-audio").page().items
    before = [child.id for child in client.runs.children(run.id)]
    [worker] = demo.workers()

    finished = demo.kill(only=worker)
    answer = demo.answer()

    assert answer["run_id"] == run.id
    after = [child.id for child in demo.client().runs.children(run.id)]
    assert after == before
    assert len(after) == len(demo.chunks) == 7
    assert len(finished) < len(demo.chunks)
    assert demo.asked_more_than_once(finished) == []
    assert_all_is_said_in_order(Path(str(answer["path"])), demo.chunks)
    assert demo.finished_parts() == set()


def test_the_demo_continues_after_all_of_it_was_killed(demo: Demo) -> None:
    demo.start()
    demo.wait_until_in_the_middle()
    finished = demo.kill()
    assert len(finished) < len(demo.chunks)
    client = demo.client()
    [run] = client.runs.list(task="tts-generate-audio").page().items
    before = [child.id for child in client.runs.children(run.id)]

    demo.start()
    answer = demo.answer()

    assert f"continuing {run.id}" in demo.notes()
    assert answer["run_id"] == run.id
    after = [child.id for child in demo.client().runs.children(run.id)]
    assert after == before
    assert demo.asked_more_than_once(finished) == []
    assert_all_is_said_in_order(Path(str(answer["path"])), demo.chunks)
    assert demo.finished_parts() == set()


def test_ctrl_c_leaves_no_process_and_the_next_demo_goes_on(demo: Demo) -> None:
    demo.start()
    demo.wait_until_in_the_middle()
    process = demo._process
    assert process is not None
    family = psutil.Process(process.pid).children(recursive=True)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 130
    assert not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert "is left as it is" in demo.notes()
    [run] = demo.client().runs.list(task="tts-generate-audio").page().items
    demo.start()
    assert demo.answer()["run_id"] == run.id
    assert set(demo.server.finished.values()) == {1}
