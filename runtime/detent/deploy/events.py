"""What a deployment tells while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..model.deployment_views import Deployment, DeploymentSupervisor

__all__ = ["STEPS", "DeployEvent", "OnEvent", "Step", "Steps"]

Step = Literal["build", "check", "upload", "prepare", "promote"]

#: In their order.
STEPS: tuple[Step, ...] = ("build", "check", "upload", "prepare", "promote")


@dataclass(frozen=True, slots=True)
class DeployEvent:
    """Something that a deployment has come to.

    Parameters:
      kind: ``begun``, ``done`` and ``failed`` are of a step, ``line`` is one of its log. ``created``: the deployment
        has its version. ``workers``: how far the supervisors of workers are has changed. ``unchanged``: the current
        version has these files already, and nothing is deployed. ``canceled``: it was given up.
      step: the one that it is in. `text`: what was done, or why it failed; a line of the log.
      seconds: how long the step took.
      deployment: as it is now, from ``created`` on; the current one with ``unchanged``.
      supervisors: how far each of them is.
    """

    kind: Literal["begun", "done", "failed", "line", "created", "workers", "unchanged", "canceled"]
    step: Step
    text: str = ""
    seconds: float | None = None
    deployment: Deployment | None = None
    supervisors: tuple[DeploymentSupervisor, ...] = ()


OnEvent = Callable[[DeployEvent], None]


class Steps:
    """The steps of one deployment, timed.

    Parameters:
      tell: is told of each event. It is called in the thread that deploys.
    """

    def __init__(self, tell: OnEvent) -> None:
        self._tell = tell
        self.current: Step = "build"
        self._said = ""
        self._began = time.monotonic()

    def open(self, name: Step) -> None:
        """This step begins."""
        self.current, self._said, self._began = name, "", time.monotonic()
        self.tell(DeployEvent("begun", name))

    def close(self) -> str:
        """It has been done; the same in a line."""
        seconds = time.monotonic() - self._began
        self.tell(DeployEvent("done", self.current, self._said, seconds))
        return f"{self.current}: {self._said or 'done'} ({seconds:.1f} s)"

    def fail(self, why: str) -> None:
        """It failed."""
        self.tell(DeployEvent("failed", self.current, why, time.monotonic() - self._began))

    def say(self, text: str) -> None:
        """What has been done in this step, for its end."""
        self._said = text

    def tell(self, event: DeployEvent) -> None:
        """Tell of an event."""
        self._tell(event)
