"""Sends tickets, on a thread of its own: whoever has made work does not wait for a broker."""

from __future__ import annotations

import time
from threading import Condition, Thread

from .health import Health
from .tickets import MOST_TICKETS, TicketBroker

__all__ = ["TicketPost"]

#: Queues for which tickets wait to be sent; those of more are dropped, which costs them a poll.
_MOST_QUEUES = 256
#: How often a broker for which there are no tickets is asked whether it is there, in seconds.
_PING_S = 5.0
#: Between two words, in seconds: the tickets of a storm are sent together.
_REST_S = 0.003
#: After a failure nothing is sent for so long, in seconds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class TicketPost:
    """Takes tickets at once, and sends them as fast as the broker takes them.

    Parameters:
      broker: takes the tickets. `health`: told how it goes.
    """

    def __init__(self, broker: TicketBroker, health: Health) -> None:
        self._broker = broker
        self.health = health
        self._wanted: dict[str, int] = {}
        self._changed = Condition()
        self._stopped = False
        self._broken = False
        self._thread = Thread(target=self._run, name="detent-tickets", daemon=True)
        #: Tickets that were sent, for the curious.
        self.sent = 0

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def send(self, queue: str, n: int) -> bool:
        """`n` workers of the class of `queue` may look for work. Whether the tickets are on their way; False while the
        broker is away."""
        with self._changed:
            if self._broken or self._stopped:
                return False
            waiting = self._wanted.get(queue)
            if waiting is None and len(self._wanted) >= _MOST_QUEUES:
                return False
            self._wanted[queue] = min(MOST_TICKETS, (waiting or 0) + n)
            if waiting is None:
                self._changed.notify()
        return True

    def stop(self) -> None:
        """Send what is still to be sent, and let go of the broker."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._broker.close()

    def _run(self) -> None:
        pause_s, patience_s = 0.0, _FIRST_PAUSE_S
        while True:
            with self._changed:
                if not self._wanted and not self._stopped:
                    self._changed.wait(pause_s)
                wanted, self._wanted = self._wanted, {}
                if self._stopped and not wanted:
                    return
            try:
                self._deliver(wanted)
            except Exception as error:  # of whichever client it is
                self._fail(error)
                pause_s, patience_s = patience_s, min(_LONGEST_PAUSE_S, patience_s * 2)
            else:
                pause_s, patience_s = _PING_S, _FIRST_PAUSE_S
                self._broken = False
                time.sleep(_REST_S)

    def _deliver(self, wanted: dict[str, int]) -> None:
        began = time.perf_counter()
        for queue, n in wanted.items():
            self._broker.send_tickets(queue, n)
            self.sent += n
        if not wanted:
            self._broker.ping()
        self.health.worked("tickets", (time.perf_counter() - began) * 1000 / max(1, len(wanted)))

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._broken = True
            self._wanted.clear()
        self.health.failed("tickets", error)
