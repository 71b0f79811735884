"""How many requests a key may make: ``1500/minute``, or a limit for each class of routes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..errors import ConfigError

__all__ = ["CLASSES", "USUAL", "Rate", "read_rates"]

#: Classes of routes: what starts runs, what reads, what changes anything else, what completes a token by its address.
CLASSES = ("trigger", "read", "write", "callback")

_UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_RATE = re.compile(r"([1-9][0-9]{0,8}) ?(?:/|per) ?(?:([1-9][0-9]{0,4}) ?)?(second|minute|hour|day)s?")


class Rate(NamedTuple):
    """`requests` within any `seconds`."""

    requests: int
    seconds: int


#: For keys of environments and of persons, where nothing else is set; each class counts for itself.
USUAL: Mapping[str, Rate] = {name: Rate(1_500, 60) for name in CLASSES}


def read_rates(text: str, place: str) -> dict[str, Rate]:
    """The limits that `text` sets: ``off``; ``1500/minute`` or ``250 per 10 seconds`` for each class; or
    ``trigger=600/minute, read=3000/minute``, where the others have none.

    Parameters:
      place: where the text stands, for errors.

    Errors: `ConfigError`.
    """
    plain = text.strip().lower()
    if plain == "off":
        return {}
    if "=" not in plain:
        return dict.fromkeys(CLASSES, _rate(plain, place))
    rates: dict[str, Rate] = {}
    for part in plain.split(","):
        name, _, rate = part.partition("=")
        if name.strip() not in CLASSES:
            raise ConfigError(f"{place} names {name.strip()!r}; expected one of {', '.join(CLASSES)}")
        rates[name.strip()] = _rate(rate.strip(), place)
    return rates


def _rate(text: str, place: str) -> Rate:
    found = _RATE.fullmatch(text)
    if found is None:
        raise ConfigError(
            f'{place} is {text!r}; expected "off", a rate such as "1500/minute" or "250 per 10 seconds", '
            'or rates by class such as "trigger=600/minute, read=3000/minute"'
        )
    return Rate(int(found[1]), int(found[2] or 1) * _UNITS[found[3]])
