"""Profiles: the servers that a person is logged in to, and the one that commands speak to.

They stand in `profiles.json` in the user's settings folder, without secrets. The profile `local` is always there: it
means the project's own engine, which needs no log-in.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from detent.errors import ConfigError, InvalidOptions, NotFound, near_names

__all__ = ["LOCAL", "Login", "Profile", "Profiles", "change_profiles", "folder", "load_profiles", "write_private"]

#: The name of the profile that means the project's own engine.
LOCAL = "local"
#: Log-ins that are remembered; the codes of older ones have long ended.
_MOST_LOGINS = 20


@dataclass(frozen=True, slots=True)
class Profile:
    """A server that one is logged in to.

    `project` and `environment`: what commands are about unless they say otherwise. `issued`: the key was made by this
    log-in, and ends with it.
    """

    name: str
    url: str
    project: str | None = None
    environment: str | None = None
    issued: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """A log-in that waits for a person: where it was begun, and the name that its profile will have."""

    url: str
    profile: str


@dataclass
class Profiles:
    """All profiles by name, the current one, and log-ins that wait, by a hash of their code."""

    current: str = LOCAL
    profiles: dict[str, Profile] = field(default_factory=dict)
    logins: dict[str, Login] = field(default_factory=dict)

    def named(self, name: str) -> Profile | None:
        """The profile of this name; None for `local`. Errors: `NotFound`."""
        if name == LOCAL:
            return None
        if name not in self.profiles:
            raise NotFound(f"{near_names('profile', name, [LOCAL, *self.profiles])}; make one with `detent login`")
        return self.profiles[name]

    def put(self, profile: Profile) -> None:
        """Keep a profile, and make it the current one."""
        self.profiles[profile.name] = profile
        self.current = profile.name

    def aim(self, name: str, project: str | None, environment: str | None) -> Profile:
        """Let a profile be about another project or environment. Errors: `NotFound`; `InvalidOptions` for `local`."""
        profile = self.named(name)
        if profile is None:
            raise InvalidOptions("the profile local is the project's own engine and has no settings; use --env")
        self.profiles[name] = changed = replace(
            profile, project=project or profile.project, environment=environment or profile.environment
        )
        return changed

    def remove(self, name: str) -> None:
        """Forget a profile; where it was the current one, `local` is."""
        del self.profiles[name]
        if self.current == name:
            self.current = LOCAL

    def note_login(self, device_code: str, login: Login) -> None:
        """Remember where a log-in was begun, so that its code is enough to go on."""
        for old in list(self.logins)[: -_MOST_LOGINS + 1]:
            del self.logins[old]
        self.logins[_hash(device_code)] = login

    def login_of(self, device_code: str) -> Login | None:
        """Where a log-in was begun, if here."""
        return self.logins.get(_hash(device_code))

    def forget_login(self, device_code: str) -> None:
        """The log-in is over."""
        self.logins.pop(_hash(device_code), None)


def folder() -> Path:
    """The user's settings folder of detent."""
    from platformdirs import user_config_path

    return user_config_path("detent", appauthor=False)


def load_profiles() -> Profiles:
    """What is on file. Errors: `ConfigError`."""
    path = folder() / "profiles.json"
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Profiles(
            told["current"],
            {name: Profile(name, **values) for name, values in told["profiles"].items()},
            {code: Login(**values) for code, values in told["logins"].items()},
        )
    except FileNotFoundError:
        return Profiles()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; make it yours, or remove it") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{path} is not as detent writes it; remove it, and log in again") from None


@contextmanager
def change_profiles() -> Iterator[Profiles]:
    """Within the block, change what is on file; other commands wait until it has been written.

    Errors: `ConfigError`.
    """
    place = folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"the settings folder {place} cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = load_profiles()
        yield found
        profiles = {name: _values(profile) for name, profile in found.profiles.items()}
        logins = {code: asdict(login) for code, login in found.logins.items()}
        write_private(place / "profiles.json", {"current": found.current, "profiles": profiles, "logins": logins})
    finally:
        os.close(lock)


def write_private(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file that only its owner may read, all of it or none."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
    fresh.replace(path)


def _values(profile: Profile) -> dict[str, Any]:
    values = asdict(profile)
    del values["name"]
    return values


def _hash(device_code: str) -> str:
    return hashlib.sha256(device_code.encode()).hexdigest()[:32]
