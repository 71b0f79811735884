"""Which voice speaks, and what may be asked of it. Everything is refused here, before a run is started."""

from __future__ import annotations

import os
from collections.abc import Sequence

from detent.errors import InvalidPayload, near_names
from detent.tts.voices import offline, openai
from detent.tts.voices.interface import Voice

__all__ = ["pick_voice"]

FORMATS = ("mp3",)


def pick_voice(
    model: str | None = None,
    voice: str | None = None,
    speed: float = 1.0,
    instructions: str | None = None,
    format: str = "mp3",
) -> Voice:
    """The voice for these wishes.

    Parameters:
      model: a model of OpenAI's (``gpt-4o-mini-tts`` when none is given), or ``offline`` for the voice
        that needs
        no account. Without ``OPENAI_API_KEY`` in the environment every model is spoken by the offline voice.
      voice: a voice of OpenAI's (``alloy`` when none is given) or, offline, a language such as ``en-us``
        or ``de``.
      speed: 1.0 is the voice's own pace; 0.25 to 4.0, offline from 0.5.
      instructions: how to speak, in words; the offline voice and OpenAI's older models take none and
        ignore them.
      format: ``mp3``.

    Raises `detent.errors.InvalidPayload` naming what came and what is allowed.
    """
    if format not in FORMATS:
        raise InvalidPayload(f"format: {near_names('format', format, FORMATS)}")
    if os.environ.get("OPENAI_API_KEY") and model != offline.MODEL:
        _check_voice(voice, openai.VOICES, "voice of OpenAI", custom="voice_")
        _check_speed(speed, openai.SLOWEST, openai.FASTEST)
        return openai.OpenAIVoice(model or openai.MODEL, voice or openai.VOICES[0], speed, instructions)
    names = offline.languages()
    if voice in openai.VOICES:
        raise InvalidPayload(
            f"voice: {voice!r} is a voice of OpenAI and needs OPENAI_API_KEY in the environment; "
            f"without it choose a language: {', '.join(sorted(names)[:10])} and {len(names) - 10} more"
        )
    _check_voice(voice, tuple(names), "offline voice")
    _check_speed(speed, offline.SLOWEST, offline.FASTEST)
    return offline.OfflineVoice(voice or offline.LANGUAGE, speed)


def _check_voice(voice: str | None, known: Sequence[str], kind: str, custom: str = "\0") -> None:
    if voice is not None and voice not in known and not voice.startswith(custom):
        raise InvalidPayload(f"voice: {near_names(kind, voice, known)}")


def _check_speed(speed: float, slowest: float, fastest: float) -> None:
    if not slowest <= speed <= fastest:
        raise InvalidPayload(f"speed: got {speed}, expected a number from {slowest} to {fastest}")
