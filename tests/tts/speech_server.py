"""A speech API on 127.0.0.1 that answers as it is told to and counts what it is asked.

In a test: ``with SpeechServer() as server: ... server.url, server.finished``. As a process:
``python tests/tts/speech_server.py --port 0 --count-file PATH [--latency S] [--fail-first N]``; it prints
its base URL on its first line and appends ``sha256(text)`` to the file for every answer sent whole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import struct
import sys
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import lameenc

RATE = 24000


@dataclass(frozen=True)
class Answer:
    """One answer; `drop` closes the connection after that many bytes of the body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "audio/mpeg"})
    body: bytes = b""
    drop: int | None = None


def refusal(status: int, message: str, **headers: str) -> Answer:
    """An error as the API words it. Underscores in the names of `headers` stand for hyphens."""
    body = json.dumps({"error": {"message": message, "type": "error", "param": None, "code": None}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **named}, body)


@cache
def speech(text: str) -> bytes:
    """MP3 of a tone whose pitch tells the text and whose length grows with it."""
    pitch = 200 + int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) % 1500
    count = int(RATE * min(0.3 + len(text) / 2000, 3))
    wave = (round(9000 * math.sin(2 * math.pi * pitch * at / RATE)) for at in range(count))
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_in_sample_rate(RATE)
    encoder.set_channels(1)
    encoder.set_bit_rate(64)
    encoder.set_quality(7)
    return bytes(encoder.encode(struct.pack(f"<{count}h", *wave))) + bytes(encoder.flush())


class SpeechServer:
    """The server. It runs in a thread from `__enter__` to `__exit__`.

    Parameters:
      port: where to listen; 0 finds a free one.
      latency_s: seconds to wait before each answer.
      fail_first: how many requests get a 500 before any gets speech.
      count_file: where to append a line for every answer sent whole.

    `script` holds answers to give before speech, in order. `asked` and `finished` count requests and whole
    answers by text; `bodies` holds what was sent; `most_at_once` is the most requests it had at one time.
    """

    def __init__(
        self, *, port: int = 0, latency_s: float = 0.0, fail_first: int = 0, count_file: Path | None = None
    ) -> None:
        self.script: deque[Answer] = deque(refusal(500, "the server had an error") for _ in range(fail_first))
        self.asked: Counter[str] = Counter()
        self.finished: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._latency_s = latency_s
        self._count_file = count_file
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """What OPENAI_BASE_URL should be."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> SpeechServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def join(self) -> None:
        """Serve until interrupted."""
        self._thread.join()

    def _begin(self, body: dict[str, Any]) -> Answer:
        text = body.get("input", "")
        with self._lock:
            self.bodies.append(body)
            self.asked[text] += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            scripted = self.script.popleft() if self.script else None
        self._closing.wait(self._latency_s)
        return scripted or Answer(body=speech(text))

    def _end(self, body: dict[str, Any], *, whole: bool) -> None:
        with self._lock:
            self._at_once -= 1
            if not whole:
                return
            text = body.get("input", "")
            self.finished[text] += 1
            if self._count_file is not None:
                with self._count_file.open("a") as lines:
                    lines.write(hashlib.sha256(text.encode()).hexdigest() + "\n")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                whole = False
                try:
                    answer = server._begin(body)
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(answer.body)))
                    self.end_headers()
                    self.wfile.write(answer.body[: answer.drop])
                    whole = answer.status == 200 and answer.drop is None
                    self.close_connection = self.close_connection or answer.drop is not None
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    server._end(body, whole=whole)

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    options.add_argument("--fail-first", type=int, default=0, metavar="N")
    options.add_argument("--count-file", type=Path)
    chosen = options.parse_args()
    with SpeechServer(
        port=chosen.port,
        latency_s=chosen.latency,
        fail_first=chosen.fail_first,
        count_file=chosen.count_file,
    ) as server:
        print(server.url, flush=True)
        try:
            server.join()
        except KeyboardInterrupt:
            sys.exit(0)


if __name__ == "__main__":
    main()
