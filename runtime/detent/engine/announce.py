"""Telling people of what happened elsewhere in the system."""

from __future__ import annotations

from typing import Any

from .alert_deliveries import send_message
from .alert_rules import rule_of
from .scene import Scene

__all__ = ["deployment_finished"]


def deployment_finished(scene: Scene, env: str, deployment: dict[str, Any]) -> int:
    """A deployment has ended; to be called in the transaction that ends it. How many alerts tell of it.

    Parameters:
      env: the environment that it was for.
      deployment: what a message says of it, plain JSON: ``id``, ``version``, ``status`` (``DEPLOYED``, ``FAILED`` ...),
        ``error`` and whatever else helps.
    """
    told = 0
    for row in scene.tx.all("list_enabled_alerts"):
        rule = rule_of(row)
        if rule.env == env and "deployment.finished" in rule.events:
            data = {"first_at": scene.now, "last_at": scene.now, "facts": {"deployment": deployment}}
            send_message(scene, rule, "deployment.finished", 1, data)
            told += 1
    return told
