"""The ends of runs, and how the engine is told of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ..model.protocol import Answer, DutyDone, Failure, Finish, Pause
from .deadlines import Deadlines
from .frame import Frame
from .link import Exchange, hand_back
from .stops import Stops

__all__ = ["End", "Endings"]

logger = logging.getLogger("detent.worker")

#: What the engine is told at the end of a run, or of a duty.
End = Finish | Pause | DutyDone

#: The end of a run that the store could not take is told again after so many seconds, so many times.
_TELL_AGAIN_S, _TELLINGS = 1.0, 600
#: Failures that pass, as when a disk is full for a while.
_PASSING = ("store_error", "engine_error")


class Endings:
    """Sees to it that each run ends once, and that the engine hears of it.

    Parameters:
      lock: held while it is decided who ends a run: its own code, or the one that stopped it.
      send: to the engine. on_told: called when the engine has heard of an end.
    """

    def __init__(
        self,
        lock: threading.Lock,
        stops: Stops,
        deadlines: Deadlines,
        send: Callable[[list[Exchange]], None],
        on_told: Callable[[], None],
    ) -> None:
        self._lock = lock
        self._stops = stops
        self._deadlines = deadlines
        self._send = send
        self._on_told = on_told
        #: The runs whose end the engine has not confirmed.
        self.untold: set[str] = set()

    def end(self, frame: Frame) -> bool:
        """The end of a run; False when it was reported already."""
        with self._lock:
            if frame.done:
                return False
            frame.done = True
        self._stops.stop_clock(frame)
        return True

    def last_words(self, frame: Frame, finish: End | None) -> list[Exchange]:
        """What is to be sent at the end of a run, after which it can write nothing."""
        if frame.lost:
            return []
        if finish is None:
            # A signal for another run hit this one. It is begun again, at the price of no attempt.
            logger.warning("run %s was disturbed while another one was stopped; it starts again", frame.run_id)
            return [hand_back(frame.run_id, frame.epoch)]
        self.untold.add(frame.run_id)
        return [*frame.words(), self._telling(finish)]

    def _telling(self, finish: End, times: int = 1) -> Exchange:
        def take(answer: Answer) -> None:
            passing = isinstance(answer, Failure) and answer.code in _PASSING and times < _TELLINGS
            if not passing:
                self.untold.discard(finish.run_id)
                self._on_told()
            if not isinstance(answer, Failure) or answer.code == "lease_lost":
                return
            if not passing:
                logger.error("the end of run %s was refused: %s", finish.run_id, answer.message)
                return
            if times == 1:
                logger.warning("the end of run %s cannot be stored yet: %s", finish.run_id, answer.message)
            self._deadlines.after(_TELL_AGAIN_S, lambda: self._send([self._telling(finish, times + 1)]))

        return finish, take
