"""What a run says about itself while it runs: `metadata` and `tags`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidOptions
from ..model.options import tags_of
from .current import active_run

__all__ = ["Metadata", "Tags", "metadata", "tags"]


class _Target:
    """Metadata of the run itself, of its parent or of its root. Changes are written in batches, off the run's path."""

    def __init__(self, target: str) -> None:
        self._target = target

    def set(self, key: str, value: Any) -> None:
        """Set `key` to `value`, any JSON value."""
        self._change("set", key, value)

    def delete(self, key: str) -> None:
        """Remove `key`."""
        self._change("delete", key, None)

    def append(self, key: str, value: Any) -> None:
        """Add `value` to the list under `key`, which is made when it is not there."""
        self._change("append", key, value)

    def remove(self, key: str, value: Any) -> None:
        """Take every `value` out of the list under `key`."""
        self._change("remove", key, value)

    def increment(self, key: str, by: float = 1) -> None:
        """Add `by` to the number under `key`; 0 when it is not there. Increments of several runs add up."""
        self._change("increment", key, by)

    def decrement(self, key: str, by: float = 1) -> None:
        """Subtract `by` from the number under `key`."""
        self._change("increment", key, -by if isinstance(by, int | float) else by)

    def _change(self, op: str, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise InvalidOptions(f"a key of metadata is a text, got {key!r}")
        if op == "increment" and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InvalidOptions(f"metadata.{key} can be incremented by a number, got {value!r}")
        if op == "replace" and not isinstance(value, Mapping):
            raise InvalidOptions(f"metadata is replaced by a mapping, got {value!r}")
        active_run(f"metadata.{op}()").change_metadata(self._target, op, key, value)


class Metadata(_Target):
    """The metadata of the current run: a JSON object of at most 256 KiB that others can watch.

    ``metadata.parent`` and ``metadata.root`` change those of the run that started this one, and of the first of all.
    Errors: `NotInRun` outside a task.
    """

    def __init__(self) -> None:
        super().__init__("self")
        self.parent = _Target("parent")
        self.root = _Target("root")

    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`."""
        return active_run("metadata.get()").metadata().get(key, default)

    def current(self) -> dict[str, Any]:
        """All of it, as a new dictionary."""
        return dict(active_run("metadata.current()").metadata())

    def replace(self, value: dict[str, Any]) -> None:
        """Put `value` in the place of all of it."""
        self._change("replace", "", value)


class Tags:
    """The tags of the current run."""

    def add(self, *tags: str) -> None:
        """Add tags; a run has at most 10 of 1 to 128 characters. Errors: `InvalidOptions`, `NotInRun`."""
        active_run("tags.add()").add_tags(tags_of(tags))


metadata = Metadata()
tags = Tags()
