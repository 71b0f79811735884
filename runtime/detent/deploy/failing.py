"""How a deployment ends that does not come to its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import DeployError

if TYPE_CHECKING:
    from ..model.deployment_views import Deployment
    from .events import Step
    from .problems import Problem

__all__ = ["DeploymentCanceled", "DeploymentFailed"]


class DeploymentFailed(DeployError):
    """A deployment failed; its environment is as it was.

    Parameters:
      message: the step, why it failed, and which version runs still.
      step: in which step it was. `deployment`: what the server says of it; None when it has none, or cannot be reached.
      current: the version that runs still; None when there is none.
    """

    def __init__(
        self,
        message: str,
        *,
        step: Step,
        deployment: Deployment | None = None,
        current: str | None = None,
        problems: Sequence[Problem] = (),
        output: str = "",
    ) -> None:
        super().__init__(message, problems=problems, output=output)
        self.step = step
        self.deployment = deployment
        self.current = current


class DeploymentCanceled(DeploymentFailed):
    """A deployment was given up: on request, by somebody else, or because its time was over."""

    code = "deploy_canceled"
