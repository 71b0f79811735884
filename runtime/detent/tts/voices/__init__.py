"""Voices: what turns a text into MP3.

OpenAI's speech API when ``OPENAI_API_KEY`` is set, an offline voice otherwise. Both are asked in the same
way and fail in the same way, so a task needs to know neither.
"""

from __future__ import annotations

from detent.tts.voices.choose import pick_voice
from detent.tts.voices.interface import BadAudio, SpeechRetry, Voice

__all__ = ["BadAudio", "SpeechRetry", "Voice", "pick_voice"]
