"""All checks at once, each on a thread of its own and within a time of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..config import Config, load_config
from ..errors import DetentError
from .api_server import check_api
from .broker_server import check_broker_server
from .database_server import check_database_server
from .engine_health import check_engine
from .extras import check_extras
from .finding import Finding, failed, good, said
from .folders import check_folders
from .machine import check_machine
from .object_folder import check_objects
from .project_lock import check_lock
from .python_here import check_python
from .sqlite_file import check_sqlite

__all__ = ["CHECKS", "Check", "Examination", "examine"]


class Check(NamedTuple):
    """Something to look at: the first part of the names of its findings, what finds them, and for how many seconds."""

    name: str
    look: Callable[[Config], Iterable[Finding]]
    within_s: float = 5.0


CHECKS = (
    Check("python", check_python),
    Check("extras", check_extras),
    Check("machine", check_machine),
    Check("folders", check_folders),
    Check("lock", check_lock),
    Check("database", check_sqlite, 8.0),
    Check("database", check_database_server, 12.0),
    Check("broker", check_broker_server, 8.0),
    Check("objects", check_objects, 12.0),
    Check("api", check_api, 8.0),
    Check("engine", check_engine, 10.0),
)


@dataclass(frozen=True, slots=True)
class Examination:
    """What all checks found, in their order. `status` is that of the worst finding."""

    findings: Sequence[Finding]

    @property
    def status(self) -> Literal["ok", "warning", "failed"]:
        worst: Literal["failed", "warning"]
        for worst in ("failed", "warning"):
            if any(finding.status == worst for finding in self.findings):
                return worst
        return "ok"


def examine(load: Callable[[], Config] = load_config, checks: Sequence[Check] = CHECKS) -> Examination:
    """Look at everything. Nothing need run, and nothing is changed but a small object that is written and removed.

    Parameters:
      load: reads the settings; what is wrong with them is a finding like any other.
      checks: what to look at.
    """
    try:
        config = load()
    except DetentError as error:
        return Examination([failed("settings", str(error), "correct the setting; see docs/configuration.md")])
    read = f"read from {config.file}" if config.file else f"none are set for {config.root}; the usual ones hold"
    looks = [_Look(check, config) for check in checks]
    begun = time.monotonic()
    found = [good("settings", f"the settings were {read}" if config.file else read)]
    for look in looks:
        found += look.findings(begun)
    return Examination(found)


class _Look:
    """A check under way."""

    def __init__(self, check: Check, config: Config) -> None:
        self._check = check
        self._config = config
        self._found: list[Finding] = []
        self._thread = threading.Thread(target=self._run, name=f"detent-doctor-{check.name}", daemon=True)
        self._thread.start()

    def findings(self, begun: float) -> list[Finding]:
        """What it found by the end of its time, which runs from `begun`."""
        self._thread.join(max(0.0, begun + self._check.within_s - time.monotonic()))
        found = list(self._found)
        if self._thread.is_alive():
            found.append(
                failed(
                    f"{self._check.name}.time",
                    f"the check did not come to an end within {self._check.within_s:g} s",
                    "what it asks is slow or hangs; see to that machine and the network between",
                )
            )
        return found

    def _run(self) -> None:
        try:
            for finding in self._check.look(self._config):
                self._found.append(finding)
        except Exception as error:
            told: dict[str, Any] = {"error": type(error).__name__}
            text = f"the check failed: {said(error, self._config)}"
            self._found.append(failed(f"{self._check.name}.check", text, "see what it says", **told))
