"""Where tasks, queues and global hooks report themselves when the modules that declare them are imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .hooks import Hooks

if TYPE_CHECKING:
    from .queue import Queue
    from .task import Task

__all__ = ["Registry", "registry"]


class Registry:
    """All that this process has declared, in the order of declaration. `queues`: the last one of each name."""

    def __init__(self) -> None:
        self.declared: list[Task[Any, Any]] = []
        self.queues: dict[str, Queue] = {}
        self.declared_queues: list[Queue] = []
        self.hooks = Hooks()

    def find(self, task_id: str) -> Task[Any, Any] | None:
        """The task of this id; the latest one when it was declared more than once (as tests do)."""
        return next((task for task in reversed(self.declared) if task.id == task_id), None)


registry = Registry()
