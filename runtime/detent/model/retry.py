"""How often, and after which pauses, something that failed is tried again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from detent.errors import InvalidOptions
from detent.model.duration import SECOND, Duration, parse_duration
from detent.model.machine import machine_name

__all__ = ["MOST_ATTEMPTS", "RetryPolicy"]

MOST_ATTEMPTS = 250


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Attempts and pauses; users call it `Retry`.

    The pause after attempt n is ``min_timeout * factor ** (n - 1)``, times a random number between 1 and 2
    when `randomize` is set, and never above `max_timeout`.

    Parameters:
      max_attempts: attempts in all, the first included; 1 to 250. 1 means no retry.
      factor: growth of the pause from one attempt to the next; 1 or more.
      min_timeout: the first pause, seconds or text ("500ms").
      max_timeout: the longest pause, seconds or text ("1m"). Both are kept as seconds.
      randomize: spread the pauses, so that many failures at once do not come back at once.
      out_of_memory: a larger machine, on which an isolated run that ran out of memory is tried once more.

    Raises InvalidOptions that names the parameter, the value and what is allowed.
    """

    max_attempts: int = 3
    factor: float = 2.0
    min_timeout: Duration = 1.0
    max_timeout: Duration = 60.0
    randomize: bool = True
    out_of_memory: str | None = None

    def __post_init__(self) -> None:
        attempts, factor = self.max_attempts, self.factor
        if isinstance(attempts, bool) or not isinstance(attempts, int) or not 1 <= attempts <= MOST_ATTEMPTS:
            raise InvalidOptions(
                f"max_attempts: got {attempts!r}, expected a whole number, 1 (no retry) to {MOST_ATTEMPTS}"
            )
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 1 <= factor < math.inf:
            raise InvalidOptions(f"factor: got {factor!r}, expected a number of 1 or more, for example 2")
        if not isinstance(self.randomize, bool):
            raise InvalidOptions(f"randomize: got {self.randomize!r}, expected True or False")
        if self.out_of_memory is not None:
            machine_name(self.out_of_memory, "out_of_memory")
        shortest = parse_duration(self.min_timeout, "min_timeout")
        longest = parse_duration(self.max_timeout, "max_timeout")
        if shortest > longest:
            raise InvalidOptions(
                f"min_timeout: {self.min_timeout!r} is longer than max_timeout {self.max_timeout!r}; "
                "give both, the shorter one as min_timeout"
            )
        object.__setattr__(self, "min_timeout", shortest / SECOND)
        object.__setattr__(self, "max_timeout", longest / SECOND)

    def delay_ms(self, attempt: int, random: Callable[[], float]) -> int:
        """The pause after a failed attempt.

        Parameters:
          attempt: number of the attempt that failed, from 1.
          random: gives numbers from 0 up to 1; asked only when `randomize` is set.

        Returns whole milliseconds.
        """
        longest = parse_duration(self.max_timeout)
        spread = 1 + random() if self.randomize else 1.0
        try:
            pause = spread * parse_duration(self.min_timeout) * self.factor ** (attempt - 1)
        except OverflowError:
            return longest
        return round(min(longest, pause))

    def to_dict(self) -> dict[str, Any]:
        """The policy as plain JSON values; times in seconds."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], name: str = "retry") -> RetryPolicy:
        """The policy written as a mapping, as in a configuration file; what is left out keeps its default.

        Parameters:
          values: any of the parameters above.
          name: the setting it was given for; errors begin with it.

        Raises InvalidOptions for an unknown key or a value out of its limits.
        """
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                raise InvalidOptions(f"{name}: unknown setting {key!r}, expected any of {', '.join(known)}")
        try:
            return cls(**values)
        except InvalidOptions as error:
            raise InvalidOptions(f"{name}.{error}") from None
