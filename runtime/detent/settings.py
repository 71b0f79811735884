"""A table of settings that is read once, key by key, and then asked what nobody read.

Every refusal names the file, the whole key, what came and what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

from detent.errors import ConfigError, InvalidOptions, near_names
from detent.model.duration import SECOND, parse_duration
from detent.model.retry import RetryPolicy

__all__ = ["Table"]

_TYPES = {
    bool: "true or false",
    dict: "a table",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "text",
}


class Table:
    """One TOML table. `file` and `prefix` are only for messages."""

    def __init__(self, values: Mapping[str, Any], file: str, prefix: str = "") -> None:
        self.file = file
        self._values = values
        self._prefix = prefix
        self._read: list[str] = []

    def names(self) -> list[str]:
        """The keys as written, for tables whose keys are the user's own names."""
        return list(self._values)

    def table(self, key: str) -> Table:
        value = self._take(key)
        if value is not None and not isinstance(value, dict):
            raise self._refuse(key, value, f"a table: [{self._prefix}{key}]")
        return Table(value or {}, self.file, f"{self._prefix}{key}.")

    def text(self, key: str) -> str | None:
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise self._refuse(key, value, "text that is not empty")
        return value

    @overload
    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]: ...
    @overload
    def texts(self, key: str, default: None) -> tuple[str, ...] | None: ...
    def texts(self, key: str, default: tuple[str, ...] | None) -> tuple[str, ...] | None:
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self._refuse(key, value, 'a list of texts, such as ["tasks"]')
        return tuple(value)

    def command(self, key: str) -> tuple[str, ...]:
        """A program with its arguments as a list; or one line for the shell, as text. Empty where it is not set."""
        value = self._take(key)
        if value is None:
            return ()
        if isinstance(value, str) and value.strip():
            return ("sh", "-c", value)
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value) and value[0]:
            return tuple(value)
        raise self._refuse(key, value, 'a command, such as "make assets" or ["make", "assets"]')

    def flag(self, key: str, default: bool) -> bool:
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._refuse(key, value, "true or false")
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> str | None:
        value = self._take(key)
        if value is None:
            return None
        if value not in allowed:
            raise self._refuse(key, value, f"one of {', '.join(allowed)}")
        return str(value)

    @overload
    def count(self, key: str, default: int, *, least: int = 1, most: int | None = None) -> int: ...
    @overload
    def count(self, key: str, default: None = None, *, least: int = 1, most: int | None = None) -> int | None: ...
    def count(self, key: str, default: int | None = None, *, least: int = 1, most: int | None = None) -> int | None:
        value = self._take(key)
        if value is None:
            return default
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or value < least or (most is not None and value > most):
            bounds = f"from {least} to {most}" if most is not None else f"of {least} or more"
            raise self._refuse(key, value, f"a whole number {bounds}")
        return int(value)

    def seconds(self, key: str, *, least: float) -> float | None:
        """A length of time, written as seconds or as text such as "5m"."""
        value = self._take(key)
        if value is None:
            return None
        try:
            seconds = parse_duration(value, key) / SECOND
        except InvalidOptions as error:
            raise ConfigError(f"{self.file}: {self._prefix}{error}") from None
        if seconds < least:
            raise self._refuse(key, value, f"a length of time of {least:g} s or more")
        return seconds

    def retry(self, key: str) -> RetryPolicy:
        """A table that is a retry policy; what it leaves out is as usual."""
        values = self._take(key)
        if values is None:
            return RetryPolicy()
        name = f"{self._prefix}{key}"
        if not isinstance(values, dict):
            raise self._refuse(key, values, f"a table: [{name}]")
        try:
            return RetryPolicy.from_dict(values, name)
        except InvalidOptions as error:
            raise ConfigError(f"{self.file}: {error}") from None

    def refuse_the_rest(self) -> None:
        """Raise ConfigError when the table holds a key that nobody read."""
        for key in self._values:
            if key not in self._read:
                sentence = near_names("setting", key, self._read)
                place = f"[{self._prefix.rstrip('.')}] of {self.file}" if self._prefix else self.file
                raise ConfigError(f"{place}: {sentence}")

    def _take(self, key: str) -> Any:
        self._read.append(key)
        return self._values.get(key)

    def _refuse(self, key: str, value: object, expected: str) -> ConfigError:
        kind = next((name for type_, name in _TYPES.items() if isinstance(value, type_)), type(value).__name__)
        return ConfigError(f"{self.file}: {self._prefix}{key} is {value!r} ({kind}); expected {expected}")
