"""What is asked of `tts-generate-audio`, and what it gives. A request is checked when it is triggered."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from detent.errors import ConfigError, InvalidPayload
from detent.tts.voices import Voice, pick_voice
from detent.tts.voices.choose import FORMATS
from detent.tts.voices.offline import MODEL as OFFLINE
from detent.tts.voices.openai import VOICES

__all__ = ["Manner", "Speech", "SpeechRequest", "most_chars", "request_of"]

_MOST_CHARS = 2_000_000
_VARIABLE = "DETENT_TTS_MAX_CHARS"


def most_chars() -> int:
    """Characters of the longest text that is taken: ``DETENT_TTS_MAX_CHARS``, or 2,000,000.

    Raises `ConfigError` when the variable is no whole number of 1 or more.
    """
    value = os.environ.get(_VARIABLE) or str(_MOST_CHARS)
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise ConfigError(f"{_VARIABLE} is {value!r}; expected a whole number of characters, 1 or more")
    return int(value)


class Manner(BaseModel):
    """How to speak.

    `voice`, `model`, `speed`, `instructions` and `format` are those of `detent.tts.voices.pick_voice`.
    """

    model_config = ConfigDict(extra="forbid")

    voice: str | None = None
    model: str | None = None
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    instructions: str | None = Field(default=None, max_length=4096)
    format: str = Field(default="mp3", json_schema_extra={"enum": list(FORMATS)})

    def speaker(self) -> Voice:
        """The voice for it in this process. Raises `InvalidPayload`."""
        return pick_voice(self.model, self.voice, self.speed, self.instructions, self.format)

    @model_validator(mode="after")
    def _can_be_spoken(self) -> Manner:
        manner = self
        if not os.environ.get("OPENAI_API_KEY") and self.model != OFFLINE and self.voice in VOICES:
            # A web app need not hold the key that its workers hold; they tell when they have none either.
            manner = self.model_copy(update={"voice": None})
        # Pydantic lets it pass as it is: it names the field itself.
        manner.speaker()
        return self


class SpeechRequest(Manner):
    """The payload of `tts-generate-audio`.

    Parameters:
      text: what to say; any script, at most `most_chars` characters.
      again: speak it anew, even if the same text was spoken by the same voice before.
      job_id: the job record to keep up to date; see `detent.tts.start_speech`.

    The other fields are those of `Manner`.
    """

    text: str = Field(json_schema_extra={"pattern": r"\S"})
    again: bool = False
    job_id: str | None = None

    @field_validator("text", mode="before")
    @classmethod
    def _is_decoded(cls, text: Any) -> Any:
        if isinstance(text, bytes | bytearray):
            try:
                return text.decode()
            except UnicodeDecodeError as error:
                raise InvalidPayload(
                    f"text: byte {error.start} is 0x{text[error.start]:02x}, which is not UTF-8; "
                    "decode the text with its own encoding first"
                ) from None
        if isinstance(text, str):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise InvalidPayload(
                    f"text: character {error.start} is {text[error.start]!a}, half of a character or an undecoded "
                    "byte; read the text with its own encoding"
                ) from None
        return text

    @field_validator("text")
    @classmethod
    def _has_words(cls, text: str) -> str:
        if not text.strip():
            raise InvalidPayload("text: it is empty; there is nothing to say")
        most = most_chars()
        if len(text) > most:
            raise InvalidPayload(
                f"text: it has {len(text):,} characters, the most is {most:,}; "
                f"say it in several runs, or raise {_VARIABLE}"
            )
        return text


class Speech(BaseModel):
    """The output of `tts-generate-audio`.

    Parameters:
      audio_url: where the MP3 is: a ``file://`` address, or a link to the object store that anybody can
        open for seven days.
      key: its key in the object store; does not expire.
      size_bytes, duration_s: size, and length in seconds.
      chunks: in how many pieces it was spoken.
      reused: whether it was there already.
    """

    audio_url: str
    key: str
    size_bytes: int
    duration_s: float
    chunks: int
    reused: bool = False


def request_of(**values: Any) -> SpeechRequest:
    """The checked request. Errors: `InvalidPayload` with the first thing that does not fit."""
    try:
        return SpeechRequest(**values)
    except ValidationError as error:
        raise InvalidPayload(_sentence(error.errors()[0])) from None


def _sentence(problem: Mapping[str, Any]) -> str:
    field = ".".join(map(str, problem["loc"])) or "request"
    limits = SpeechRequest.model_json_schema()["properties"].get(field, {})
    match problem["type"]:
        case "greater_than_equal" | "less_than_equal":
            expected = f"expected a number from {limits['minimum']:g} to {limits['maximum']:g}"
            return f"{field}: got {problem['input']:g}, {expected}"
        case "string_too_long":
            return f"{field}: it has {len(problem['input']):,} characters, the most is {problem['ctx']['max_length']:,}"
        case _:
            return f"{field}: {problem['msg']}, got {problem['input']!r}"
