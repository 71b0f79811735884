"""A model that plays a part: a server on this machine that speaks the APIs that clients call models by."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType, TracebackType
from typing import Any

from tests.clients.dialects import completions, generate_content, messages, responses
from tests.clients.script import CALL_BY_NAME, SEARCHES, Called, Heard, Player, Said

__all__ = ["ScriptedModel"]

DIALECTS: tuple[ModuleType, ...] = (messages, responses, completions, generate_content)


class ScriptedModel:
    """Plays its part in each request that shows it a tool of detent; others get a short word.

    Parameters:
      player: what it does next, by the results of its calls so far. `tell`: the tool by which such requests are known.
    """

    def __init__(self, player: Player, tell: str = "trigger_task") -> None:
        self._player = player
        self._tell = tell
        self._number = 0
        self._searched: set[str] = set()
        self._lock = threading.Lock()
        self.heard: list[Heard] = []
        self.strange: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def last(self) -> Heard:
        """The request with the most results."""
        assert self.heard, f"no request showed {self._tell}; others: {self.strange[-5:]}"
        return max(self.heard, key=lambda heard: len(heard.results))

    def _turn(self, dialect: ModuleType, body: dict[str, Any]) -> tuple[Heard, Any, int]:
        heard: Heard = dialect.read(body)
        with self._lock:
            self._number += 1
            search = next((shown.name for shown in heard.tools if shown.name in SEARCHES), None)
            if heard.named(self._tell) is None and search is None:
                self.strange.append(f"{dialect.__name__}: {[shown.name for shown in heard.tools]}")
                return heard, Said("detent"), self._number
            self.heard.append(heard)
            turn = self._player(heard.results)
            if isinstance(turn, Called) and heard.named(turn.tool) is None and search is not None:
                turn = self._found(heard, turn, search)
            return heard, turn, self._number

    def _found(self, heard: Heard, turn: Called, search: str) -> Called:
        """The call by which a tool that is not shown is looked up, then, where the client has that, called by name."""
        name = f"mcp__detent__{turn.tool}"
        if turn.tool in self._searched and heard.named(CALL_BY_NAME) is not None:
            return Called(CALL_BY_NAME, {"name": name, "arguments": turn.arguments})
        self._searched.add(turn.tool)
        return Called(search, {"query": f"select:{name}"})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._send(200, json.dumps({"object": "list", "data": [{"id": "scripted", "object": "model"}]}))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
                path = self.path.partition("?")[0]
                dialect = next((each for each in DIALECTS if path.startswith(each.PATH)), None)
                if dialect is None or path.endswith(("count_tokens", "countTokens")):
                    model.strange.append(path)
                    self._send(200, json.dumps({"input_tokens": 10, "totalTokens": 10}))
                    return
                try:
                    heard, turn, number = model._turn(dialect, body)
                except Exception as error:  # to be seen in the test; a client would only try again
                    model.strange.append(f"{path}: {error!r}")
                    self._send(400, json.dumps({"error": {"message": repr(error)}}))
                    return
                if not (body.get("stream") or "streamGenerateContent" in path):
                    self._send(200, json.dumps(dialect.answer(heard, turn, number)))
                    return
                lines = [
                    (f"event: {name}\n" if name else "") + f"data: {json.dumps(event)}\n\n"
                    for name, event in dialect.events(heard, turn, number)
                ]
                end = ["data: [DONE]\n\n"] if dialect is completions else []
                self._send(200, "".join(lines + end), "text/event-stream")

            def _send(self, status: int, said: str, kind: str = "application/json") -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(said.encode())))
                self.end_headers()
                self.wfile.write(said.encode())

            def log_message(self, format: str, *values: object) -> None:
                pass

        return Handler
