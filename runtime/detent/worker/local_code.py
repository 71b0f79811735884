"""Workers of a folder's code, in an environment that has versions."""

from __future__ import annotations

import logging
from contextlib import suppress

from ..errors import DetentError
from ..model.transport import Transport

__all__ = ["warn_of_versions"]

logger = logging.getLogger("detent.worker")


def warn_of_versions(transport: Transport) -> None:
    """Say so where the runs of the environment are for a deployed version: workers of none are given none."""
    with suppress(DetentError):
        current = transport.call("deployments.retrieve", id="current")
        logger.warning(
            "%s runs the version %s, and not the code of this folder, so that these workers are given no runs; "
            "run `detent worker --env %s` without --local",
            current["environment"],
            current["version"],
            current["environment"],
        )
