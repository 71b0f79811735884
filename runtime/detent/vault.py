"""Encryption of what is secret at rest: AES-256-GCM, under a key of the server that is never in the store."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from .errors import ConfigError, StoreError

if TYPE_CHECKING:
    from .config import Config

__all__ = ["Vault", "new_key", "vault_of"]

_KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = "v1"


class Vault:
    """Seals texts and opens them again.

    Several keys make a rotation possible: the first one seals, all of them open.

    Parameters:
      keys: gives the keys, newest first, each of 32 bytes; asked at the first use.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        self._load = keys
        self._lock = Lock()
        self._keys: dict[str, bytes] = {}

    @classmethod
    def of_this_process(cls) -> Vault:
        """A vault for stores that end with the process."""
        key = secrets.token_bytes(_KEY_BYTES)
        return cls(lambda: [key])

    def seal(self, text: str, context: str) -> str:
        """`text` encrypted. It can be opened only under the same `context`, which names its place."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        number, key = next(iter(self._opened().items()))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, text.encode(), context.encode())
        return f"{_FORMAT}.{number}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, context: str) -> str:
        """The text that was sealed under `context`.

        Errors: `StoreError` when its key is not among those of this server, or it was changed.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        number = self._number_of(sealed)
        key = self._opened().get(number)
        if key is None:
            raise StoreError(
                f"a secret was encrypted with the key {number}, which this server does not have; "
                "add that key to DETENT_ENCRYPTION_KEY, after the newest, or set the secret again"
            )
        try:
            content = base64.urlsafe_b64decode(sealed.rsplit(".", 1)[1])
            return AESGCM(key).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], context.encode()).decode()
        except (InvalidTag, ValueError):
            raise StoreError("a secret in the store was changed by something else; set it again") from None

    def is_newest(self, sealed: str) -> bool:
        """Whether it was sealed with the key that seals now."""
        return self._number_of(sealed) == next(iter(self._opened()))

    @staticmethod
    def _number_of(sealed: str) -> str:
        return sealed.split(".", 2)[1]

    def _opened(self) -> dict[str, bytes]:
        with self._lock:
            if not self._keys:
                self._keys = {hashlib.sha256(key).hexdigest()[:8]: key for key in self._load()}
            return self._keys


def vault_of(config: Config) -> Vault:
    """The vault of a project: with the keys of ``DETENT_ENCRYPTION_KEY`` (newest first, with commas between), else of
    the file ``.detent/encryption.key`` (one a line), which is made where there is none."""
    if config.encryption_keys:
        keys = [_decoded(key, "DETENT_ENCRYPTION_KEY") for key in config.encryption_keys]
        return Vault(lambda: keys)
    return Vault(lambda: _of_file(config.state_dir / "encryption.key"))


def new_key() -> str:
    """A key as it is written: 32 bytes by chance, in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _of_file(path: Path) -> list[bytes]:
    try:
        text = path.read_text(encoding="ascii")
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except FileNotFoundError:
        text = _made(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the key of the secrets cannot be read from {path}: {error}") from None
    keys = [_decoded(line, str(path)) for line in text.split()]
    if not keys:
        raise ConfigError(f"{path} holds no key; put back the one that was there, or remove the file to begin anew")
    return keys


def _made(path: Path) -> str:
    """A new key in `path`, or the one that another process has put there meanwhile."""
    text = f"{new_key()}\n"
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        fresh.touch(mode=0o600)
        fresh.write_text(text, encoding="ascii")
        # A link fails where the file is there, so that no key is ever written over.
        with suppress(FileExistsError):
            os.link(fresh, path)
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise ConfigError(f"the key of the secrets cannot be made at {path}: {error.strerror}") from None
    finally:
        fresh.unlink(missing_ok=True)


def _decoded(text: str, place: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), altchars=b"-_", validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigError(
            f"{place} holds what is no key; expected {_KEY_BYTES} bytes in URL-safe base64 (44 characters), made by: "
            'python -c "import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())"'
        )
    return key
