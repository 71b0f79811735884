"""Look for what would fail later: in what a project's process told, and in what its files say of packages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ..config import Config
from ..errors import DetentError
from ..model.cron import check_cron, check_zone
from ..model.manifest import Manifest
from .description import DeclaredQueue, Description, Fault
from .problems import Problem

__all__ = ["check_project"]

_STILL_WORK = "; the other files still work"
_INSTALL = "; install the package or correct the import"
_FIRST_IS_USED = "; the first one is used: give the other another id"


def check_project(description: Description, config: Config | None = None) -> list[Problem]:
    """Everything for which a project is not deployed although it could be read.

    Parameters:
      description: as `read_project` gave it.
      config: the project's settings; what they say about queues goes before the code.
    """
    manifest = description.manifest
    problems = [_fault(fault) for fault in description.faults]
    if not manifest.tasks and not problems:
        folders = "" if config is None else ", ".join(_shown(folder, config.root) for folder in config.dirs)
        what = f"no file in {folders} declares a task" if folders else "no folder with tasks is set"
        advice = "declare one with @task, or correct dirs in the settings"
        problems.append(Problem("", None, f"{what}; {advice}", "no_tasks"))
    problems += _schedules(manifest)
    problems += _queues(manifest, description.queues, config)
    return problems


def _fault(fault: Fault) -> Problem:
    """A fault of discovery, which goes on without the file: a deployment does not."""
    message = fault.message.replace(_STILL_WORK, "").replace(_FIRST_IS_USED, "; give one of them another id")
    message = message.replace(
        _INSTALL,
        "; add the package to pyproject.toml, or to requirements.txt, and to the lock file, or correct the import",
    )
    trace = "".join(f"\n    {line}" for line in fault.trace)
    return Problem(fault.file, fault.line or None, message + trace, fault.code)


def _schedules(manifest: Manifest) -> list[Problem]:
    problems = []
    for task in manifest.tasks:
        if task.schedule is None:
            continue
        try:
            check_cron(task.schedule.cron, f"cron of {task.id}")
            check_zone(task.schedule.timezone, f"timezone of {task.id}")
        except DetentError as error:
            problems.append(Problem(task.file, task.line or None, error.message, "bad_schedule"))
    return problems


def _queues(manifest: Manifest, declared: Sequence[DeclaredQueue], config: Config | None) -> list[Problem]:
    """Limits that cannot both hold."""
    problems = []
    of_settings = set() if config is None else set(config.queues)
    by_name: dict[str, list[DeclaredQueue]] = defaultdict(list)
    for queue in declared:
        by_name[queue.name].append(queue)
    for name, queues in by_name.items():
        first = queues[0]
        for other in queues[1:]:
            if name in of_settings or (other.limit, other.limit_per_key) == (first.limit, first.limit_per_key):
                continue
            what = (
                f"queue {name!r} is declared with {_limits(other)}, and at {first.file}:{first.line} with "
                f"{_limits(first)}; declare it once and import it, or set [queues.{name}] in the settings"
            )
            problems.append(Problem(other.file, other.line or None, what, "queue_conflict"))
    for spec in manifest.queues:
        # A limit of 0 is how settings stop a queue.
        if not spec.limit or spec.limit_per_key is None or spec.limit_per_key <= spec.limit:
            continue
        place = next(iter(by_name.get(spec.name, [])), None)
        file = place.file if place is not None else ""
        if spec.name in of_settings and config is not None and config.file is not None:
            file, place = config.file.name, None
        what = (
            f"queue {spec.name!r} allows {spec.limit_per_key} runs for each concurrency key, and {spec.limit} in all; "
            "lower concurrency_limit_per_key or raise concurrency_limit"
        )
        problems.append(Problem(file, place.line or None if place is not None else None, what, "queue_conflict"))
    return problems


def _limits(queue: DeclaredQueue) -> str:
    limits = [
        f"{name} {limit}"
        for name, limit in (("concurrency_limit", queue.limit), ("concurrency_limit_per_key", queue.limit_per_key))
        if limit is not None
    ]
    return " and ".join(limits) or "no limit"


def _shown(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)
