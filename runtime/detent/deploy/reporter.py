"""Tell the server what is done while a version is built, and hear from it whether that is still wanted."""

from __future__ import annotations

import threading
from collections import deque
from contextvars import copy_context
from functools import partial

from ..client.deployment_calls import GIVEN_UP, report_progress
from ..errors import DetentError, ServerUnreachable
from ..model.transport import Transport

__all__ = ["Reporter", "sendable"]

#: Lines that are sent at once, and those that are kept while the server is away.
_AT_ONCE, _MOST = 500, 5_000
#: How often lines are sent, and how often it is said that the build lives, in seconds.
_EVERY_S, _BEAT_S = 1.0, 10.0


def sendable(text: str) -> str:
    """`text` without what no UTF-8 has, such as the odd bytes of a file's name."""
    return text.encode(errors="backslashreplace").decode()


class Reporter:
    """Sends the lines of a deployment's log from a thread of its own, so that a silent step is heard of too.

    Parameters:
      deployment: its id.
    """

    def __init__(self, transport: Transport, deployment: str) -> None:
        self._transport = transport
        self._deployment = deployment
        self._lines: deque[str] = deque(maxlen=_MOST)
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        # Within `using` the server is that of the context.
        run = partial(copy_context().run, self._run)
        self._thread = threading.Thread(target=run, name="detent-deploy-log", daemon=True)
        #: How the deployment ended while it was built: it was canceled, or has timed out.
        self.ended: str | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def say(self, line: str) -> None:
        """A line of the log."""
        self._lines.append(sendable(line))

    def flush(self) -> None:
        """Send what there is, if the server can be reached."""
        while self._lines:
            if not self._send(building=False):
                return

    def stop(self) -> None:
        """Send what is left, and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        self._send(building=True)
        silent_s = 0.0
        while not self._stop.wait(_EVERY_S):
            silent_s += _EVERY_S
            if self._lines or silent_s >= _BEAT_S:
                silent_s = 0.0
                self._send(building=True)
        self.flush()

    def _send(self, *, building: bool) -> bool:
        """Whether the server has heard it."""
        with self._one_at_a_time:
            return self._tell(building=building)

    def _tell(self, *, building: bool) -> bool:
        lines = [self._lines.popleft() for _ in range(min(_AT_ONCE, len(self._lines)))]
        try:
            told = report_progress(self._deployment, lines, building).ask(self._transport)
        except ServerUnreachable:
            self._lines.extendleft(reversed(lines))
            return False
        except DetentError:
            # What it is about, the thread that deploys will meet itself.
            return False
        if told.status in GIVEN_UP:
            self.ended = told.status
        return True
