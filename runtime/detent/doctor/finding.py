"""One thing that was looked at, how it is, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from ..config import Config, own_secrets

__all__ = ["Figure", "Finding", "failed", "good", "said", "shown", "warning"]

#: What was measured.
Figure = int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    `check` is stable, such as ``database.schema``; `status` is ``ok``, ``warning`` (it works, but not as well or as
    safely as it should) or ``failed``. `message` is one line, `advice` the command or the setting that helps. `figures`
    are what was measured, for programs.
    """

    check: str
    status: Literal["ok", "warning", "failed"]
    message: str
    advice: str | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)


def good(check: str, message: str, **figures: Figure) -> Finding:
    """It is as it should be."""
    return Finding(check, "ok", message, None, figures)


def warning(check: str, message: str, advice: str, **figures: Figure) -> Finding:
    """It works, but not as well or as safely as it should."""
    return Finding(check, "warning", message, advice, figures)


def failed(check: str, message: str, advice: str, **figures: Figure) -> Finding:
    """It does not work."""
    return Finding(check, "failed", message, advice, figures)


def shown(url: str) -> str:
    """`url` without its password, and without a query, which may hold another one."""
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    hidden = f"{name}:***" if colon else name
    return urlunsplit(parts._replace(netloc=f"{hidden}{at}{place}", query="", fragment=""))


def said(error: BaseException, config: Config | None) -> str:
    """What an error says, in one line, without any secret of the settings."""
    text = " ".join(str(error).split()) or type(error).__name__
    for secret in _secrets(config) if config is not None else ():
        text = text.replace(secret, "***")
    return text


def _secrets(config: Config) -> list[str]:
    plain = own_secrets(config)
    if config.smtp_url is not None:
        plain.append(urlsplit(config.smtp_url).password or "")
    return [secret for text in plain for secret in {text, unquote(text)} if len(secret) > 3]
