"""``python -m tests.deploy.killed ROOT KIND STEP``: deploys to prod, and kills itself at that event."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from tests.deploy.this_python import ThisPython

from detent.config import load_config
from detent.connection import transport_of
from detent.deploy import DeployEvent, deploy


def main(root: str, kind: str, step: str) -> None:
    def hear(event: DeployEvent) -> None:
        if (event.kind, event.step) == (kind, step):
            os.kill(os.getpid(), signal.SIGKILL)

    config = replace(load_config(Path(root), {}), environment="prod")
    deploy(config, transport_of(config), environments=ThisPython(), on_event=hear)


if __name__ == "__main__":
    main(*sys.argv[1:])
