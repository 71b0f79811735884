"""The whole way of a project to an environment: built and checked here, uploaded, prepared by workers, promoted."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from ..config import Config
from ..errors import DetentError
from ..model.deployment_views import Deployment
from ..model.duration import SECOND, Duration, parse_duration
from ..model.transport import Transport
from .building import MakesEnvironments
from .events import DeployEvent, OnEvent, Steps
from .failing import DeploymentFailed
from .flow import Flow, Options

__all__ = ["deploy"]

#: Longest time for a whole deployment unless it is said.
TIMEOUT = "30m"


def deploy(
    config: Config,
    transport: Transport,
    *,
    skip_promotion: bool = False,
    force: bool = False,
    message: str | None = None,
    by: str | None = None,
    variables: Mapping[str, str] | None = None,
    wait: bool = True,
    timeout: Duration = TIMEOUT,
    environments: MakesEnvironments | None = None,
    on_event: OnEvent | None = None,
    stop: threading.Event | None = None,
) -> Deployment:
    """Build a project, and bring it to the environment that `transport` speaks to. It blocks, prints nothing, and may
    be called in any thread. What it tells the server may be told again: a server that is away for up to a minute, or
    is started anew meanwhile, does no harm.

    Parameters:
      config: of the project.
      skip_promotion: the version does not become the current one, until it is promoted.
      force: deploy files that the current version has already.
      message: what is said of it, in place of the commit's message. `by`: who deploys, for others to read.
      variables: are set in the environment before the version becomes current.
      wait: until workers have prepared it and it is the current one; else it goes on by itself.
      timeout: for everything; it is canceled then.
      environments: makes the environment in which tasks are imported; the one of this machine's cache when None.
      on_event: is told what is done, see `DeployEvent`. What it raises cancels the deployment.
      stop: when it is set, the deployment is canceled.

    Returns: the deployment as it is at the end; the one of the current version where that has these files already.

    Errors: `DeploymentFailed` with the step and the cause, `DeploymentCanceled` where it was given up; those of the
    first question to the server. The environment is as it was then. `KeyboardInterrupt` cancels it, and goes on.
    """
    seconds = parse_duration(timeout, "timeout") / SECOND
    options = Options(skip_promotion, message, by)
    flow = Flow(
        config, transport, Steps(on_event or _silent), stop or threading.Event(), seconds=seconds, options=options
    )
    flow.find_current()
    try:
        with tempfile.TemporaryDirectory(prefix="detent-deploy-") as folder:
            build = flow.build(Path(folder), force, variables or {}, environments)
            if build is None:
                return flow.unchanged(variables or {})
            flow.upload(build, variables or {})
        return flow.finish(build, wait=wait)
    except DeploymentFailed:
        raise
    except DetentError as error:
        flow.fail(error)
    except BaseException:
        flow.give_up()
        raise
    finally:
        flow.close()


def _silent(event: DeployEvent) -> None:
    """Of those who do not want to hear."""
