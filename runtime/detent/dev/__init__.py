"""`detent dev`, `detent server`, and a service for the moment: the parts of detent in one place."""

from __future__ import annotations

from .local_service import LocalService
from .running import run_dev, run_server

__all__ = ["LocalService", "run_dev", "run_server"]
