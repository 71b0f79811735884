"""The tasks and queues that a project's files declare, read without running any of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from detent.config import Config
from detent.worker.task_files import task_files

__all__ = ["declared"]

_TASKS = ("task", "schema_task")


def declared(config: Config) -> tuple[list[dict[str, str]], list[str]]:
    """The tasks (`id`, `file`) and the names of the queues of a project, in their order by name.

    They are the same wherever the same files are, whether its engine was ever started or not. A file that is no Python,
    and an id that is computed, are passed over.
    """
    tasks: dict[str, str] = {}
    queues = set(config.queues)
    for file in task_files(config, []):
        name = file.relative_to(config.root).as_posix() if file.is_relative_to(config.root) else str(file)
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                tasks.update((found, name) for found in _ids(node))
            elif isinstance(node, ast.Call) and _called(node) == "queue":
                queues.update(_text(node, "name"))
    return [{"id": name, "file": file} for name, file in sorted(tasks.items())], sorted(queues)


def _ids(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and _called(decorator) in _TASKS:
            yield from _text(decorator, "id")


def _called(call: ast.Call) -> str:
    called = call.func
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _text(call: ast.Call, keyword: str) -> Iterator[str]:
    """The text that is given by this name, or first."""
    given = [each.value for each in call.keywords if each.arg == keyword] or call.args[:1]
    for value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value
