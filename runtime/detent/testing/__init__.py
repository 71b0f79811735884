"""Run tasks in tests through the real machinery, in process, on a virtual clock.

from detent.testing import harness

def test_a_text_is_summarized():
    with harness() as h:
        handle = summarize.sync.trigger({"text": "..."})
        assert h.output(handle) == {"summary": "..."}
"""

from __future__ import annotations

from .clock import VirtualClock
from .harness import Harness, harness
from .replay_check import replay_check

__all__ = ["Harness", "VirtualClock", "harness", "replay_check"]
