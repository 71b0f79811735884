"""A voice that needs no account and no network: eSpeak NG speaks, LAME encodes."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from functools import cache
from pathlib import Path
from typing import Any

from detent.errors import ConfigError
from detent.tts.mp3_frames import read_frames
from detent.tts.mp3_info import make_info
from detent.tts.voices.interface import BadAudio

__all__ = ["LANGUAGE", "MODEL", "OfflineVoice", "languages"]

MODEL = "offline"
LANGUAGE = "en-us"
SLOWEST, FASTEST = 0.5, 4.0
SAMPLE_RATE = 22050
_WORDS_PER_MINUTE = 175
_BITRATE = 48
# espeakng-loader carries voice files for these, but no dictionaries.
_SPEECHLESS = {"fo", "kaa", "xex"}
_ENCODER_DELAY = 576
_FRAME = 576

# From espeak-ng/speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_RATE = 1
_POS_CHARACTER = 1
_CHARS_UTF8_ENDPAUSE = 0x1 | 0x1000

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class OfflineVoice:
    """Speaks intelligible words in many languages, many times faster than anyone listens.

    Parameters:
      language: one of `languages()`.
      speed: 0.5 to 4.0; 1.0 is 175 words a minute.
    """

    def __init__(self, language: str = LANGUAGE, speed: float = 1.0) -> None:
        self._language = language
        self._speed = speed

    @property
    def name(self) -> str:
        return f"{MODEL}/{self._language}/{self._speed:g}"

    async def speak(self, text: str) -> bytes:
        """The speech as MP3, 22,050 Hz mono. A text with nothing to say gives a moment of silence."""
        return await asyncio.to_thread(self._speak, text)

    def _speak(self, text: str) -> bytes:
        speech = _Espeak.shared().speak(text, languages()[self._language], self._speed)
        return _encode(speech or bytes(2 * SAMPLE_RATE // 10))


@cache
def languages() -> dict[str, str]:
    """The languages of the offline voice: their names, and the voice file of each below eSpeak's ``lang``."""
    home = Path(_loader().get_data_path()) / "lang"
    best: dict[str, tuple[int, str]] = {}
    for path in sorted(home.rglob("*")):
        if not path.is_file():
            continue
        for line in path.read_text("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == "language" and words[1] not in _SPEECHLESS:
                # As in eSpeak, a lower number is a better claim to the language; 5 when there is none.
                rank = int(words[2]) if len(words) > 2 and words[2].isdigit() else 5
                claim = (rank, path.relative_to(home).as_posix())
                best[words[1].lower()] = min(claim, best.get(words[1].lower(), claim))
    return {name: file for name, (_, file) in sorted(best.items())}


def _loader() -> Any:
    try:
        import espeakng_loader
    except ImportError as error:
        raise ConfigError("the offline voice is not installed; run: pip install 'detent[tts]'") from error
    return espeakng_loader


class _Espeak:
    """The library. Its state is global to the process, so one thread at a time uses it."""

    _lock = threading.Lock()
    _shared: _Espeak | None = None

    def __init__(self) -> None:
        loader = _loader()
        self._library = ctypes.CDLL(loader.get_library_path())
        rate = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, 0, loader.get_data_path().encode(), _INITIALIZE_DONT_EXIT
        )
        if rate != SAMPLE_RATE:
            raise ConfigError(f"eSpeak NG did not start (it answered {rate}, expected {SAMPLE_RATE} Hz); reinstall it")
        self._heard = bytearray()
        self._callback = _Callback(self._hear)
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_Synth.argtypes = (
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        )  # fmt: skip

    @classmethod
    def shared(cls) -> _Espeak:
        with cls._lock:
            if cls._shared is None:
                cls._shared = cls()
            return cls._shared

    def speak(self, text: str, voice_file: str, speed: float) -> bytes:
        """Speech as 16-bit mono samples."""
        spoken = text.replace("\0", " ").encode("utf-8", "replace") + b"\0"
        with self._lock:
            if self._library.espeak_SetVoiceByName(voice_file.encode()) != 0:
                raise ConfigError(f"eSpeak NG cannot load its voice {voice_file!r}; reinstall espeakng-loader")
            self._library.espeak_SetParameter(_RATE, round(_WORDS_PER_MINUTE * speed), 0)
            self._heard.clear()
            answer = self._library.espeak_Synth(
                spoken, len(spoken), 0, _POS_CHARACTER, 0, _CHARS_UTF8_ENDPAUSE, None, None
            )
            if answer != 0:
                raise BadAudio(f"eSpeak NG answered {answer} to a text of {len(text)} characters")
            return bytes(self._heard)

    def _hear(self, samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._heard += ctypes.string_at(samples, 2 * count)
        return 0


def _encode(samples: bytes) -> bytes:
    """An MP3 file with an Info frame, so that merging and players know where the speech begins and ends."""
    import lameenc

    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_in_sample_rate(SAMPLE_RATE)
    encoder.set_out_sample_rate(SAMPLE_RATE)
    encoder.set_channels(1)
    encoder.set_bit_rate(_BITRATE)
    encoder.set_quality(5)
    audio = bytes(encoder.encode(samples)) + bytes(encoder.flush())
    frames = list(read_frames([audio]))
    header = frames[0].header
    padding = len(frames) * _FRAME - _ENCODER_DELAY - len(samples) // 2
    toc = bytes(percent * 256 // 100 for percent in range(100))
    info = make_info(
        header,
        frames=len(frames),
        size=len(audio) + header.size,
        toc=toc,
        delay=_ENCODER_DELAY,
        padding=padding,
    )
    return info + audio
