"""Dramatiq brokers: they carry work tickets, nothing else. A lost, doubled or late ticket is harmless."""

from __future__ import annotations

from .embedded import EmbeddedBroker

__all__ = ["EmbeddedBroker"]
