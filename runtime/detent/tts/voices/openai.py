"""OpenAI's speech API, or any that answers like it at ``OPENAI_BASE_URL``."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from detent.errors import AbortTaskRunError
from detent.tts.mp3_frames import NotMp3, read_frames
from detent.tts.voices.interface import BadAudio, SpeechRetry

if TYPE_CHECKING:
    from openai import APIStatusError

__all__ = ["MODEL", "VOICES", "OpenAIVoice"]

MODEL = "gpt-4o-mini-tts"
VOICES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage",
    "shimmer", "verse",
)  # fmt: skip
SLOWEST, FASTEST = 0.25, 4.0
_DEAF_TO_INSTRUCTIONS = ("tts-1", "tts-1-hd")
_WORTH_ANOTHER_TRY = (408, 409, 425, 429)
_TIMEOUT_S = 110.0


class OpenAIVoice:
    """A voice of OpenAI's. The SDK's own retries are off: the task that asks retries, and shows it.

    Parameters:
      model: the speech model, for instance ``gpt-4o-mini-tts``.
      voice: one of `VOICES`, or the id of a custom voice (``voice_...``).
      speed: 0.25 to 4.0.
      instructions: how to speak; models that take none are sent none.
    """

    def __init__(self, model: str, voice: str, speed: float = 1.0, instructions: str | None = None) -> None:
        self._model = model
        self._voice = voice
        self._speed = speed
        self._instructions = None if model in _DEAF_TO_INSTRUCTIONS else instructions or None

    @property
    def name(self) -> str:
        name = f"{_provider()}/{self._model}/{self._voice}/{self._speed:g}"
        if self._instructions:
            name += "/" + hashlib.sha256(self._instructions.encode("utf-8", "replace")).hexdigest()[:16]
        return name

    async def speak(self, text: str) -> bytes:
        """The speech as MP3.

        Raises `SpeechRetry` for 429, 5xx, time-outs and dropped connections, `BadAudio` for an answer
        that is no MP3, `AbortTaskRunError` with the API's message for every other refusal.
        """
        from openai import APIConnectionError, APIStatusError, AsyncOpenAI, omit

        try:
            async with AsyncOpenAI(max_retries=0, timeout=_TIMEOUT_S) as client:
                answer = await client.audio.speech.create(
                    input=text,
                    model=self._model,
                    voice={"id": self._voice} if self._voice.startswith("voice_") else self._voice,
                    speed=self._speed,
                    instructions=self._instructions or omit,
                    response_format="mp3",
                )
                headers, audio = answer.response.headers, await answer.aread()
        except APIStatusError as error:
            raise _refusal(error) from error
        except APIConnectionError as error:
            reason = error.__cause__ or error
            raise SpeechRetry(f"the connection to the speech API failed: {error} ({reason!r})") from error
        return _checked(audio, headers.get("content-type", ""))


def _provider() -> str:
    """OpenAI, or who answers in its place: another server's ``alloy`` is another voice."""
    named = os.environ.get("OPENAI_BASE_URL", "").partition("://")[2].rstrip("/")
    # What stands before an @ may be a password.
    host = named.rpartition("@")[2]
    return "openai" if host in ("", "api.openai.com/v1") else f"openai({host})"


def _refusal(error: APIStatusError) -> SpeechRetry | AbortTaskRunError:
    status, said = error.status_code, _words(error)
    if status in _WORTH_ANOTHER_TRY or status >= 500:
        message = f"the speech API answered {status}: {said}"
        return SpeechRetry(message, retry_after(error.response.headers, time.time()))
    return AbortTaskRunError(f"the speech API refused with {status}: {said}")


def _words(error: APIStatusError) -> str:
    body = error.body
    if isinstance(body, Mapping) and isinstance(body.get("message"), str):
        return str(body["message"])
    return error.message[:500]


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait that an answer asks for: ``retry-after-ms``, or ``Retry-After`` in seconds or as a
    date.

    Parameters:
      headers: the answer's, looked up in lower case.
      now: seconds since 1970, for dates.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None


def _checked(audio: bytes, content_type: str) -> bytes:
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind.endswith(("json", "xml", "html")):
        shown = audio[:200].decode("utf-8", "replace")
        raise BadAudio(f"the speech API answered with {kind}, expected audio/mpeg; it begins: {json.dumps(shown)}")
    if not audio:
        raise BadAudio("the speech API answered with no audio at all (0 bytes), expected audio/mpeg")
    try:
        if any(frame.info is None for frame in read_frames([audio])):
            return audio
    except NotMp3 as reason:
        raise BadAudio(f"the speech API's audio cannot be used: {reason}") from reason
    raise BadAudio(f"the speech API's {len(audio)} bytes of {kind or 'unnamed type'} hold no MP3 audio")
