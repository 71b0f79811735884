"""What every voice offers, and the two ways in which asking it again may help."""

from __future__ import annotations

from typing import Protocol

from detent.errors import DetentError

__all__ = ["BadAudio", "SpeechRetry", "Voice"]


class Voice(Protocol):
    """Someone who reads a text aloud.

    `name` says all that shapes the sound (provider, model, voice, speed, instructions), so that equal
    names and equal texts give the same speech and finished chunks can be used again.
    """

    @property
    def name(self) -> str: ...

    async def speak(self, text: str) -> bytes:
        """The speech as the bytes of one MP3 file.

        Raises `SpeechRetry` or `BadAudio` when asking again may help, `detent.errors.AbortTaskRunError`
        when not.
        """
        ...


class SpeechRetry(DetentError):
    """The speech API could not answer now: too many requests, an error of its own, a dropped connection.

    Parameters:
      message: what happened, with the API's own words.
      retry_after_s: how long the API asks to wait, in seconds; None when it does not say.
    """

    code = "speech_retry"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BadAudio(DetentError):
    """The answer was no speech: another content type, nothing at all, or bytes that are not MP3. Worth a
    retry."""

    code = "bad_audio"
