"""Which server commands speak to: the one that the environment names, else a profile's, else the project's own."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import NamedTuple

from detent.errors import Unauthorized
from detent_cli.profiles import LOCAL, Profile, load_profiles

__all__ = ["Remote", "profile_in_use", "remote"]


class Remote(NamedTuple):
    """A server, the key for it, and what is asked about."""

    profile: str
    url: str
    key: str
    project: str | None
    environment: str | None


def profile_in_use() -> Profile | None:
    """The profile that commands use; None for the project's own engine, and where ``DETENT_API_URL`` names a server.

    Errors: `NotFound` for a profile that is not there; `ConfigError`.
    """
    named = os.environ.get("DETENT_PROFILE")
    if os.environ.get("DETENT_API_URL"):
        if named:
            _note(f"DETENT_API_URL is set, and goes before the profile {named}.")
        return None
    if named == LOCAL:
        return None
    profiles = load_profiles()
    return profiles.named(named or profiles.current)


@cache
def _note(text: str) -> None:
    """Say something once."""
    sys.stderr.write(f"{text}\n")


def remote() -> Remote | None:
    """The server of the profile in use; None for the project's own engine, and where ``DETENT_API_URL`` names a server.

    Errors: `NotFound`; `ConfigError`; `Unauthorized` where the profile's key is gone.
    """
    profile = profile_in_use()
    if profile is None:
        return None
    from detent_cli.credentials import find_key

    key = os.environ.get("DETENT_SECRET_KEY") or find_key(profile)
    if key is None:
        raise Unauthorized(
            f"the key of the profile {profile.name} is not here any more; "
            f"log in again: detent login --url {profile.url} --profile {profile.name}"
        )
    project = os.environ.get("DETENT_PROJECT") or profile.project
    environment = os.environ.get("DETENT_ENVIRONMENT") or profile.environment
    return Remote(profile.name, profile.url, key, project, environment)
