"""Long texts read aloud: split, spoken in parallel with retries, joined into one MP3 file.

    from detent.tts import generate_audio, speak_chunk   # in a task file: the worker finds both
    from detent.tts import get_job, start_speech         # in a web app; blocking ones in detent.tts.sync

Written with public names of detent only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detent.tts.jobs import Job, Jobs, get_job, start_speech
    from detent.tts.speech import Speech, SpeechRequest
    from detent.tts.tasks import generate_audio, speak_chunk

__all__ = [
    "Job",
    "Jobs",
    "Speech",
    "SpeechRequest",
    "generate_audio",
    "get_job",
    "speak_chunk",
    "start_speech",
]

#: Names are loaded at first use: the tasks declare themselves when their module is imported, not before.
_HOMES = {
    "Job": "jobs",
    "Jobs": "jobs",
    "Speech": "speech",
    "SpeechRequest": "speech",
    "generate_audio": "tasks",
    "get_job": "jobs",
    "speak_chunk": "tasks",
    "start_speech": "jobs",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'detent.tts' has no name {name!r}")
    from importlib import import_module

    return getattr(import_module(f"detent.tts.{home}"), name)
