"""A harness without a list takes every task that was declared in the process, so ids are unique over all tests."""

from __future__ import annotations

from collections import defaultdict

from detent.sdk.registry import registry


def test_no_two_test_modules_declare_the_same_task() -> None:
    modules: dict[str, set[str]] = defaultdict(set)
    for declared in registry.declared:
        # What a test declares while it runs is given to its own harness.
        if declared.fn.__module__.startswith("tests.") and "<locals>" not in declared.fn.__qualname__:
            modules[declared.id].add(declared.fn.__module__)
    twice = {task: sorted(found) for task, found in modules.items() if len(found) > 1}
    assert not twice, f"give these tasks other ids: {twice}"
