"""One version of an environment as its supervisor sees it: prepared, run, let go."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import DetentError
from .kind import Kind
from .link_http import passes
from .supervisor import GRACE_S, Supervisor
from .variables import own_environment, variables_of
from .ways import Way
from .workshop import Place, Workshop, problem_of

__all__ = ["OneVersion"]

logger = logging.getLogger("detent.versions")

#: Between one try to prepare a version and the next, at first and at most, in seconds.
_FIRST_S, _LONGEST_S = 2.0, 300.0
#: Set for this process, they would change what the Python of another environment imports.
_NOT_PASSED = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"})


class OneVersion:
    """Follows what is wanted of a version. To be used from one thread.

    Parameters:
      version: ``YYYYMMDD.N``. `digest`: of its bundle. `way`: to the engine. `kind`: of its workers.
      objects: where large values are, for workers that reach them directly; None: through the server.
      wake: called when there is something new to tell.
    """

    def __init__(
        self,
        version: str,
        digest: str,
        *,
        way: Way,
        workshop: Workshop,
        kind: Kind,
        objects: str | None,
        wake: Callable[[], None],
    ) -> None:
        self.version = version
        self.place: Place | None = None
        #: Why it cannot be prepared, as it is told.
        self.problem: dict[str, Any] | None = None
        self._digest = digest
        self._way = way
        self._workshop = workshop
        self._kind = kind
        self._objects = objects
        self._wake = wake
        self._preparing: threading.Thread | None = None
        self._again_at = 0.0
        self._pause = _FIRST_S
        #: Of its workers, as they were prepared.
        self._arguments: list[str] = []
        self._supervisor: Supervisor | None = None
        self._leaving: list[threading.Thread] = []
        self._idle_since: float | None = None

    @property
    def is_running(self) -> bool:
        return self._supervisor is not None

    @property
    def is_gone(self) -> bool:
        """Nothing of it runs or is being made."""
        self._leaving = [thread for thread in self._leaving if thread.is_alive()]
        is_preparing = self._preparing is not None and self._preparing.is_alive()
        return not self.is_running and not self._leaving and not is_preparing

    def follow(self, wanted: Mapping[str, Any], keep_warm: float) -> None:
        """Do what is wanted: prepare it, start its workers, or let them go.

        Parameters:
          wanted: as the server says. `keep_warm`: seconds that workers stay although its runs only wait.
        """
        runs = wanted["runs"]
        is_due = bool(wanted["is_current"] or runs.get("queued") or runs.get("executing"))
        is_new = wanted["status"] == "DEPLOYING"
        if is_due or is_new:
            self._idle_since = None
            self._prepare(checks=is_new)
        if is_due and self.place is not None and self._supervisor is None:
            self._start(self.place)
        elif self._supervisor is not None and not is_due:
            now = time.monotonic()
            self._idle_since = now if self._idle_since is None else self._idle_since
            if now - self._idle_since >= keep_warm:
                self.stop(f"its runs only wait, since {keep_warm:g} s; workers are back when one of them goes on")

    def stop(self, why: str) -> None:
        """Let its workers finish what they execute."""
        if self._supervisor is None:
            return
        logger.info("version %s: its workers end: %s", self.version, why)
        supervisor, self._supervisor, self._idle_since = self._supervisor, None, None
        thread = threading.Thread(target=supervisor.stop, args=(GRACE_S,), name="detent-leaving", daemon=True)
        thread.start()
        self._leaving.append(thread)

    def end(self, grace_s: float, hurry: threading.Event) -> None:
        """End its workers, and return when they have."""
        if self._supervisor is not None:
            self._supervisor.stop(grace_s, hurry=hurry)
            self._supervisor = None
        for thread in self._leaving:
            while thread.is_alive() and not hurry.is_set():
                thread.join(0.05)

    def _prepare(self, *, checks: bool) -> None:
        if self.place is not None or (self._preparing is not None and self._preparing.is_alive()):
            return
        if time.monotonic() < self._again_at:
            return
        self._preparing = threading.Thread(target=self._make, args=(checks,), name="detent-prepare", daemon=True)
        self._preparing.start()

    def _make(self, checks: bool) -> None:
        logger.info("version %s is being prepared", self.version)
        begun = time.monotonic()
        try:
            variables = variables_of(self._way.socket_path, _env_of(self._way)).values if checks else None
            place = self._workshop.prepare(
                self.version,
                self._digest,
                self._way.transport,
                variables=variables,
                say=lambda line: logger.debug("version %s: %s", self.version, line),
            )
            self._arguments = self._kind.arguments(place.config.worker)
        except Exception as error:
            self._failed(error)
        else:
            logger.info("version %s is prepared, after %.1f s", self.version, time.monotonic() - begun)
            self.problem, self.place = None, place
        self._wake()

    def _failed(self, error: Exception) -> None:
        pause, self._pause = self._pause, min(_LONGEST_S, self._pause * 2)
        # What the server does not give at the moment is no fault of the version.
        if not isinstance(error, DetentError) or not passes(error):
            self.problem = problem_of(error)
        said = str(error) if isinstance(error, DetentError) else f"{type(error).__name__}: {error}"
        logger.warning("version %s cannot be prepared, which is tried again in %g s: %s", self.version, pause, said)
        if not isinstance(error, DetentError | OSError):
            logger.debug("version %s", self.version, exc_info=error)
        self._again_at = time.monotonic() + pause

    def _start(self, place: Place) -> None:
        count = self._kind.count(place.config.worker)
        supervisor = Supervisor(
            place.folder,
            self._way.socket_path,
            count,
            self._way.on_exit,
            [*self._arguments, *self._way.arguments, "--version", self.version],
            python=place.python,
            variables=self._variables(place),
        )
        logger.info("version %s: %d worker process%s", self.version, count, "" if count == 1 else "es")
        supervisor.start()
        self._supervisor = supervisor

    def _variables(self, place: Place) -> dict[str, str]:
        kept = {name: value for name, value in own_environment().items() if name not in _NOT_PASSED}
        programs = str(place.python.parent)
        own = {
            "DETENT_PROJECT_DIR": str(place.folder),
            "VIRTUAL_ENV": str(place.python.parents[1]),
            "PATH": os.pathsep.join([programs, kept["PATH"]]) if kept.get("PATH") else programs,
        }
        return kept | own | ({} if self._objects is None else {"DETENT_OBJECT_STORE_URL": self._objects})


def _env_of(way: Way) -> str | None:
    """The id of its environment."""
    return way.arguments[way.arguments.index("--env") + 1] if "--env" in way.arguments else None
