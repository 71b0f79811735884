"""A run that went another way than its journal says."""

from __future__ import annotations

from ..errors import DetentError

__all__ = ["JournalMismatch"]


class JournalMismatch(DetentError):
    """The code of a run decided otherwise than the first time; expected and received are in the text."""

    code = "journal_mismatch"
