"""Programmatic clients: `Detent` for code that blocks, `AsyncDetent` for event loops."""

from __future__ import annotations

from .async_detent import AsyncDetent
from .detent import Detent
from .http import HttpTransport
from .pages import AsyncRuns, AsyncTokens, Runs, Tokens

__all__ = ["AsyncDetent", "AsyncRuns", "AsyncTokens", "Detent", "HttpTransport", "Runs", "Tokens"]
