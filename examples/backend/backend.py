"""A web backend without a framework: POST /prints starts a run, GET /prints/ID tells how it stands."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from detent.errors import DetentError, InvalidPayload, NotFound
from detent.sync import runs, tasks


class Backend(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Start a run for an order, and answer with its id. The same order again finds the same run."""
        try:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            order = str(body.pop("order"))
            handle = tasks.trigger("print-text", body, idempotency_key=["order", order], tags=["web"])
        except (ValueError, KeyError, AttributeError, TypeError, InvalidPayload) as error:
            self._answer(400, {"error": str(error)})
        except DetentError as error:
            self._answer(503, {"error": error.message})
        else:
            self._answer(202, {"run": handle.id})

    def do_GET(self) -> None:
        """How the run stands."""
        try:
            outcome = runs.result(self.path.removeprefix("/prints/"))
        except NotFound as error:
            self._answer(404, {"error": error.message})
        else:
            self._answer(200, {"status": outcome.status, "output": outcome.output})

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000), Backend)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201  # the caller learns the port
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
