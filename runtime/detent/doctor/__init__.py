"""What is wrong with this machine, this project and the servers it uses, and what to do about it."""

from __future__ import annotations

from .examination import Examination, examine
from .finding import Finding

__all__ = ["Examination", "Finding", "examine"]
