"""The manifest of a project: what discovery found, as the engine wants to know it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..config import Config
from ..errors import DetentError
from ..model.manifest import Manifest, ProblemSpec, QueueSpec, TaskSpec
from ..sdk.registry import registry
from ..sdk.task import Task
from .plain_text import clean
from .problem import Problem

__all__ = ["make_manifest"]


def make_manifest(
    tasks: Iterable[Task[Any, Any]], problems: Iterable[Problem] = (), config: Config | None = None
) -> tuple[Manifest, list[Task[Any, Any]]]:
    """The manifest, and the tasks in it; a task whose schema cannot be made becomes a problem."""
    specs: list[TaskSpec] = []
    usable: list[Task[Any, Any]] = []
    faults = [
        ProblemSpec(str(problem.file), problem.line, clean(problem.message), problem.code) for problem in problems
    ]
    machine = None if config is None else config.machine
    queues: dict[str, QueueSpec] = {name: queue.spec for name, queue in registry.queues.items()}
    for task in tasks:
        try:
            hooks = sorted(task.hooks.events() | registry.hooks.events())
            spec = task.spec()
            specs.append(msgspec.structs.replace(spec, hooks=hooks, machine=spec.machine or machine))
        except DetentError as error:
            faults.append(ProblemSpec(task.file, task.line, clean(error.message), error.code))
            continue
        usable.append(task)
        queues.setdefault(task.queue.name, task.queue.spec)
    if config is not None:
        for name, settings in config.queues.items():
            said = queues.get(name, QueueSpec(name))
            limit, per_key = settings.concurrency_limit, settings.concurrency_limit_per_key
            queues[name] = QueueSpec(
                name,
                said.limit if limit is None else limit,
                said.limit_per_key if per_key is None else per_key,
            )
    return Manifest(specs, list(queues.values()), faults), usable
