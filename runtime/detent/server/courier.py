"""Sends the messages of alerts: by webhook, to Slack, by e-mail.

A message is a row before anything is sent, and stays one until its outcome is written. A server that dies in between
leaves it as it was, and the next one sends it again, under the same id.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import msgspec

from ..engine.alert_deliveries import Outcome, end_attempt
from ..engine.alert_secrets import opened
from ..engine.clock import Clock
from ..engine.loops import Loop, Write
from ..errors import StoreError
from ..store import Store
from ..vault import Vault
from .alert_texts import mail_text, slack_body, title
from .mail import Mailer, MailError
from .outbound import Answer, Outbound, OutboundError
from .webhooks import signed_headers

__all__ = ["Courier"]

logger = logging.getLogger("detent.server")

#: Messages on their way at once, in all and of one alert, so that a slow receiver keeps only its own waiting.
_AT_ONCE, _OF_ONE_ALERT = 8, 2
_GONE = 410
#: How long what is on its way may take when the server stops, and the pause before an outcome is written again, in
#: seconds.
_GRACE_S, _AGAIN_S = 2.0, 1.0
_AGENT = "detent"
#: Longest pause between two looks, in milliseconds.
_LONGEST_MS = 3_600_000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode


class Courier(Loop):
    """Sends what is due, on threads of its own, and writes down how it went.

    Parameters:
      outbound: makes the requests. `mailer`: sends e-mails, None where no mail server is named.
      vault: opens addresses and secrets. `chance`: from 0 to 1, spreads the tries.
    """

    def __init__(
        self,
        write: Write,
        store: Store,
        clock: Clock,
        *,
        outbound: Outbound,
        vault: Vault,
        mailer: Mailer | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__("courier")
        self._write = write
        self._store = store
        self._clock = clock
        self._outbound = outbound
        self._mailer = mailer
        self._vault = vault
        self._chance = chance
        self._lock = Lock()
        #: The messages that are on their way, and their alerts.
        self._busy: dict[str, str] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="detent-courier")
        self._stopping = Event()
        self._all_ended = Event()
        self._all_ended.set()

    def stop(self) -> None:
        """See `Loop.stop`; what is on its way may come to its end first, within the grace."""
        self._stopping.set()
        super().stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._all_ended.wait(_GRACE_S)
        self._outbound.close()

    def send_due(self) -> int:
        """Send all that is due and wait for the outcomes; how many messages were sent."""
        sent = 0
        while rows := self._due():
            for row in rows:
                self._send(row)
            sent += len(rows)
        return sent

    def _tick(self) -> int | None:
        for row in self._due():
            self._pool.submit(self._send, row)
        with self._lock:
            if len(self._busy) >= _AT_ONCE:
                return None  # whichever ends first wakes this loop
            busy = _encode(list(self._busy)).decode()
        at = self._store.read("next_delivery", busy=busy)[0]["at"]
        if at is None:
            return None
        now = self._clock.now()
        # What is due and not sent has another message of its alert before it, whose end wakes this loop.
        return None if at <= now else min(_LONGEST_MS, int(at) - now)

    def _due(self) -> list[Any]:
        """Messages to send now; from here on they are on their way."""
        taken: list[Any] = []
        with self._lock:
            of_alert = Counter(self._busy.values())
            while len(self._busy) < _AT_ONCE:
                full = [alert for alert, n in of_alert.items() if n >= _OF_ONE_ALERT]
                rows = self._store.read(
                    "list_due_deliveries",
                    now=self._clock.now(),
                    busy=_encode(list(self._busy)).decode(),
                    full=_encode(full).decode(),
                    n=1,
                )
                if not rows:
                    break
                [row] = rows
                taken.append(row)
                self._busy[row["id"]] = row["alert_id"]
                self._all_ended.clear()
                of_alert[row["alert_id"]] += 1
        return taken

    def _send(self, row: Any) -> None:
        try:
            self._note(row, self._attempt(row))
        finally:
            with self._lock:
                del self._busy[row["id"]]
                if not self._busy:
                    self._all_ended.set()
            self.wake()

    def _note(self, row: Any, outcome: Outcome) -> None:
        """Write down how a try went: also when the store is away for a while, since the message was sent."""
        while True:
            try:
                self._write(lambda scene: end_attempt(scene, row, outcome, self._chance()))
                return
            except StoreError as error:
                logger.warning("the outcome of message %s is not written yet: %s", row["id"], error)
                if self._stopping.wait(_AGAIN_S):
                    return

    def _attempt(self, row: Any) -> Outcome:
        at = self._clock.now()
        began = time.monotonic()

        def ended(**values: Any) -> Outcome:
            return Outcome(at=at, duration_ms=round((time.monotonic() - began) * 1000), **values)

        try:
            if row["channel"] == "email":
                said = self._mail(row)
                return ended(ok=True, response=said)
            answer = self._post(row, at)
        except (OutboundError, MailError) as error:
            code = getattr(error, "code", None)
            return ended(ok=False, error=str(error), status_code=code, final=error.final)
        except Exception as error:  # whatever it is, the message has its outcome, and the log says it
            return ended(ok=False, error=f"{type(error).__name__}: {error}")
        ok = 200 <= answer.status < 300
        moved = 300 <= answer.status < 400
        return ended(
            ok=ok,
            status_code=answer.status,
            response=answer.head,
            error="redirects are not followed; use the address that it leads to" if moved else None,
            gone=answer.status == _GONE,
            pause_ms=_asked_pause(answer),
        )

    def _post(self, row: Any, now: int) -> Answer:
        url = opened(self._vault, row["target"], row["alert_id"])
        if row["channel"] == "slack":
            content = _encode(slack_body(_decode(row["body"])))
            headers = {"content-type": "application/json"}
        else:
            content = row["body"].encode()
            secrets = [row["secret"]]
            if row["old_secret"] is not None and row["old_secret_until"] > now:
                secrets.append(row["old_secret"])
            keys = [opened(self._vault, secret, row["alert_id"]) for secret in secrets]
            headers = signed_headers(keys, row["id"], now // 1000, content)
        return self._outbound.post(url, content, {**headers, "user-agent": _AGENT})

    def _mail(self, row: Any) -> str:
        if self._mailer is None:
            raise MailError("this server sends no e-mails: set DETENT_SMTP_URL and DETENT_SMTP_FROM", final=True)
        body = _decode(row["body"])
        addresses = _decode(opened(self._vault, row["target"], row["alert_id"]))
        return self._mailer.send(row["id"], addresses, title(body), mail_text(body))


def _asked_pause(answer: Answer) -> int | None:
    """How long the receiver asks to wait, in milliseconds."""
    asked = answer.headers.get("retry-after", "")
    return int(asked) * 1000 if asked.isascii() and asked.isdigit() and len(asked) < 7 else None
