"""The blocking twins: ``from detent.tts.sync import get_job, start_speech``."""

from __future__ import annotations

from detent.tts.jobs import jobs

__all__ = ["get_job", "start_speech"]

start_speech = jobs.sync.start
get_job = jobs.sync.get
