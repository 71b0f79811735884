"""What a project can run, told by a process of its own: ``python -m detent.deploy.describe FILE SECONDS stand-ins``.

It imports the tasks of the project that `DETENT_PROJECT_DIR` names, writes what it found to FILE as JSON, and is gone:
nothing that the files left behind, such as threads, keeps it.
"""

from __future__ import annotations

import faulthandler
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import msgspec

from .. import __version__
from ..config import load_config
from ..model.manifest import Manifest, TaskSpec
from ..sdk.registry import registry
from ..worker.discovery import discover
from ..worker.manifest import make_manifest
from ..worker.problem import Problem as Found
from .absent import stand_in_for
from .description import DeclaredQueue, Description, Fault

__all__ = ["describe"]


def describe(*, stand_ins: bool) -> Description:
    """Import the project's task files, and tell what is in them. Once in a process.

    Parameters:
      stand_ins: `external` packages that are not here are no fault.
    """
    config = load_config()
    if stand_ins:
        stand_in_for(config.deploy.external)
    discovery = discover(config)
    manifest, _ = make_manifest(discovery.tasks, (), config)
    root = config.root.resolve()
    faults = [_fault(problem, root) for problem in discovery.problems]
    faults += [Fault(_relative(one.file, root), one.line, one.message, one.code) for one in manifest.problems]
    return Description(
        manifest=Manifest([_moved(task, root) for task in manifest.tasks], manifest.queues),
        faults=faults,
        queues=[
            DeclaredQueue(
                queue.name, queue.spec.limit, queue.spec.limit_per_key, _relative(queue.file, root), queue.line
            )
            for queue in registry.declared_queues
        ],
        python=platform.python_version(),
        detent=__version__,
    )


def _moved(task: TaskSpec, root: Path) -> TaskSpec:
    return msgspec.structs.replace(task, file=_relative(task.file, root))


def _relative(file: str, root: Path) -> str:
    path = Path(file).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


def _fault(problem: Found, root: Path) -> Fault:
    return Fault(
        _relative(problem.file, root),
        problem.line,
        problem.message.replace(f"{root}/", ""),
        problem.code,
        [*problem.trace],
    )


def main(arguments: Iterable[str]) -> NoReturn:
    """Write the description to the file that the arguments name; end after so many seconds in any case."""
    place, seconds, *more = arguments
    # What a file prints goes where its other words go; arguments are none of its business.
    sys.argv[1:] = []
    os.dup2(2, 1)
    faulthandler.enable()
    faulthandler.dump_traceback_later(float(seconds), exit=True)
    content = msgspec.json.encode(describe(stand_ins="stand-ins" in more))
    temporary = Path(f"{place}.part")
    temporary.write_bytes(content)
    temporary.replace(place)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
