"""Find the tasks of a project by importing every file in its configured folders.

One bad file stops nothing: it becomes a `Problem` that says where and what to do, and the others still work.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from detent.config import Config
from detent.errors import DiscoveryError
from detent.worker.import_failure import import_problem, without_place
from detent.worker.import_folders import import_folders
from detent.worker.problem import Problem, shown
from detent.worker.task_files import Place, place_of, task_files

if TYPE_CHECKING:
    from detent.sdk.task import Task

__all__ = ["Discovery", "Problem", "discover"]


class Declarations(Protocol):
    """Where tasks report themselves when their module is imported."""

    @property
    def declared(self) -> Sequence[Task[Any, Any]]: ...


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found. `tasks` are ready to run, in order of declaration; `modules` are the names imported."""

    tasks: list[Task[Any, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)


def discover(config: Config, registry: Declarations | None = None) -> Discovery:
    """Import every Python file under `config.dirs`, and collect the tasks that this declares.

    Call it once in a process: modules stay imported, and a change of a file needs a new process. What a file
    prints while it is imported goes to standard error, since standard output may carry a protocol.

    Parameters:
      config: the project. Folders whose name starts with a dot, virtual environments, ``__pycache__``,
        ``node_modules`` and what `ignore_patterns` names are passed over.
      registry: where tasks report themselves; the process's own when None.

    Returns:
      Tasks, problems (``missing_dir no_dirs import_failed duplicate_id not_importable``) and module names.
    """
    if registry is None:
        from detent.sdk.registry import registry as process_registry

        registry = process_registry
    already = len(registry.declared)
    problems: list[Problem] = []
    files = list(task_files(config, problems))
    modules: dict[Path, ModuleType] = {}
    importlib.invalidate_caches()
    # At the end: what is installed, the project's own package perhaps, goes before.
    sys.path += [str(folder) for folder in import_folders(config.root) if str(folder) not in sys.path]
    for file in files:
        module = _import(file, config, problems)
        if module is not None:
            modules[file] = module
    declared = [
        task for index, task in enumerate(registry.declared) if index >= already or Path(task.file).resolve() in modules
    ]
    tasks = _usable(declared, modules.values(), set(files) - modules.keys(), config.root, problems)
    names = list(dict.fromkeys(module.__name__ for module in modules.values()))
    return Discovery(tasks, problems, names)


def _import(file: Path, config: Config, problems: list[Problem]) -> ModuleType | None:
    loaded = _loaded_from(file)
    if loaded is not None:
        return loaded
    place = place_of(file, config)
    if str(place.root) not in sys.path:
        sys.path.insert(0, str(place.root))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            module = importlib.import_module(place.name)
    except KeyboardInterrupt:
        raise
    # A file may end its import with anything, SystemExit included, and must not take the worker with it.
    except BaseException as error:
        problems.append(_hidden(file, place, config.root, error) or import_problem(file, config.root, error))
        return None
    source = getattr(module, "__file__", None)
    if source is None or Path(source).resolve() != file:
        problems.append(_taken(file, place, config.root, module))
        return None
    return module


def _loaded_from(file: Path) -> ModuleType | None:
    """The module made from `file` before, under whatever name: a second one would declare all tasks twice."""
    for module in list(sys.modules.values()):
        source = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(source, str) and source.endswith(file.name) and Path(source).resolve() == file:
            return module
    return None


def _hidden(file: Path, place: Place, root: Path, error: BaseException) -> Problem | None:
    """The problem when another package of the same name stands before the file's folder on ``sys.path``."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    if not f"{place.name}.".startswith(f"{error.name}."):
        return None
    outer = sys.modules.get(place.name.partition(".")[0])
    return _taken(file, place, root, outer) if outer is not None else None


def _taken(file: Path, place: Place, root: Path, other: ModuleType) -> Problem:
    folder = place.name.partition(".")[0]
    return Problem(
        file=str(file),
        line=1,
        message=f"{shown(file, root)} cannot be imported as {place.name}: {other.__name__} is already "
        f"{other.__file__ or 'another package'}; rename {folder}, or make it a package with an __init__.py",
        code="import_failed",
    )


def _usable(
    declared: Sequence[Task[Any, Any]],
    modules: Iterable[ModuleType],
    failed: set[Path],
    root: Path,
    problems: list[Problem],
) -> list[Task[Any, Any]]:
    """Those of the `declared` tasks that can be run; the others are reported."""
    reachable = {id(value) for module in modules for value in _values(module)}
    for task in declared:
        if task.module in sys.modules:
            reachable |= {id(value) for value in _values(sys.modules[task.module]) if value is task}
    living = {_origin(task) for task in declared if id(task) in reachable}
    tasks: dict[str, Task[Any, Any]] = {}
    for task in declared:
        if Path(task.file).resolve() in failed or task.module not in sys.modules:
            continue
        if id(task) in reachable and task.id in tasks:
            problems.append(_duplicate(task, tasks[task.id], root))
        elif id(task) in reachable:
            unusable = _unusable(task)
            if unusable is None:
                tasks[task.id] = task
            else:
                problems.append(unusable)
        # A file whose import failed and was tried again declared its tasks twice: that is no fault.
        elif _origin(task) not in living:
            problems.append(_not_importable(task))
    return list(tasks.values())


def _values(module: object) -> list[object]:
    """What the names of a module stand for. Code may put anything in ``sys.modules``."""
    return list(getattr(module, "__dict__", {}).values())


def _origin(task: Task[Any, Any]) -> tuple[str, int, str]:
    return task.file, task.line, task.id


def _unusable(task: Task[Any, Any]) -> Problem | None:
    """The problem of a task whose function cannot be called as a task: it alone is left out, not its file."""
    try:
        _ = task.parameters
    except DiscoveryError as error:
        return Problem(task.file, task.line, without_place(error, task.file, task.line), error.code)
    return None


def _not_importable(task: Task[Any, Any]) -> Problem:
    function = task.qualname.rpartition(".<locals>")[0]
    where = f"is declared inside {function}()" if function else "is not the value of any name of its module"
    return Problem(
        file=task.file,
        line=task.line,
        message=f"task {task.id!r} {where}, so another process cannot find it; "
        f"declare it at the top of the module, or assign it to a name there",
        code="not_importable",
    )


def _duplicate(task: Task[Any, Any], first: Task[Any, Any], root: Path) -> Problem:
    return Problem(
        file=task.file,
        line=task.line,
        message=f"task id {task.id!r} is used twice: by {first.qualname} in {shown(Path(first.file), root)}:"
        f"{first.line} and by {task.qualname} in {shown(Path(task.file), root)}:{task.line}; "
        "the first one is used: give the other another id",
        code="duplicate_id",
    )
