"""The keys of profiles: in the keyring of the system, or, where there is none, in a file that only its owner may read.

A key is bound to the address that it was given for: it is not sent to another one, whatever the profile says later.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from detent.errors import ConfigError
from detent_cli.profiles import Profile, folder, write_private

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = ["find_key", "forget_key", "keep_key"]

_SERVICE = "detent"


def keep_key(profile: Profile, key: str) -> str:
    """Keep the key of a profile, within `change_profiles`; in words where it is now."""
    ring = _keyring()
    if ring is not None:
        # A keyring that is locked, or has gone, is none: the file is there for that.
        with suppress(Exception):
            ring.set_password(_SERVICE, _label(profile), key)
            _drop_from_file(profile)
            return "the keyring of the system"
    write_private(_path(), _in_file() | {_label(profile): key})
    return str(_path())


def find_key(profile: Profile) -> str | None:
    """The key of a profile, None where it is gone. Errors: `ConfigError`."""
    kept = _in_file().get(_label(profile))
    if kept is not None:
        return kept
    ring = _keyring()
    if ring is not None:
        with suppress(Exception):
            return ring.get_password(_SERVICE, _label(profile))
    return None


def forget_key(profile: Profile) -> None:
    """Forget the key of a profile, within `change_profiles`."""
    _drop_from_file(profile)
    ring = _keyring()
    if ring is not None:
        with suppress(Exception):
            ring.delete_password(_SERVICE, _label(profile))


def _keyring() -> KeyringBackend | None:
    """The keyring of the system, where there is a real one."""
    if os.environ.get("DETENT_NO_KEYRING"):
        return None
    try:
        import keyring
        from keyring.backends import fail, null

        ring = keyring.get_keyring()
    except Exception:  # backends are programs of others; without them there is the file
        return None
    return None if isinstance(ring, fail.Keyring | null.Keyring) else ring


def _label(profile: Profile) -> str:
    return f"{profile.name} {profile.url}"


def _path() -> Path:
    return folder() / "keys.json"


def _in_file() -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{_path()} cannot be read: {error.strerror}; make it yours, or remove it") from None
    except ValueError:
        raise ConfigError(f"{_path()} is not as detent writes it; remove it, and log in again") from None
    return found


def _drop_from_file(profile: Profile) -> None:
    kept = _in_file()
    if kept.pop(_label(profile), None) is not None:
        write_private(_path(), kept)
