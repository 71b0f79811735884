"""The engine: a state machine over a store, pure and synchronous over `Store`, `Clock`, `Random` and
`Doorbell`."""

from __future__ import annotations

from .clock import Clock, SystemClock
from .engine import Engine
from .sessions import Session, Sessions

__all__ = ["Clock", "Engine", "Session", "Sessions", "SystemClock"]
