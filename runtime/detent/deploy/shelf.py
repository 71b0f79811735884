"""Where the bundles of an environment are kept, by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ..engine.payloads import Objects
from ..errors import InvalidPayload, LimitExceeded, NotFound
from ..model.bundle_key import bundle_key
from ..model.limits import BUNDLE_BYTES
from .extraction import check_bundle
from .files import write_checked

__all__ = ["Shelf"]

_CHUNK = 1024 * 1024


class Shelf:
    """The bundles of one environment.

    Parameters:
      objects: where they are; None where nothing is kept. `env`: the id of the environment.
    """

    def __init__(self, objects: Objects | None, env: str) -> None:
        self._objects = objects
        self._env = env

    def has(self, digest: str) -> bool:
        """Whether a bundle is there. Errors: `InvalidOptions` for what is no hash."""
        return self._store.exists(bundle_key(self._env, digest))

    def put(self, digest: str, path: Path) -> None:
        """Keep the file at `path`, once all of it was looked through.

        Errors: `InvalidPayload` where it is not what the hash says; `InvalidBundle`, `LimitExceeded`.
        """
        key = bundle_key(self._env, digest)
        size = path.stat().st_size
        if size > BUNDLE_BYTES:
            raise LimitExceeded(f"the bundle has {size:,} bytes; the limit is {BUNDLE_BYTES:,} (100 MiB)")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise InvalidPayload("the bundle is not what its hash (SHA-256) says; it was changed on the way")
        check_bundle(path, digest)
        if not self._store.exists(key):
            self._store.put_stream(key, _chunks(path))

    def get(self, digest: str, path: Path) -> None:
        """Write a bundle to `path`, whole and checked. Errors: `NotFound`, `InvalidPayload`."""
        if not self.has(digest):
            raise NotFound(f"no bundle {digest} in this environment; it was not uploaded, or is not kept any more")
        write_checked(self.read(digest), digest, path)

    def read(self, digest: str) -> Iterator[bytes]:
        """A bundle in pieces. Errors: `NotFound`, at the first piece."""
        return self._store.get_stream(bundle_key(self._env, digest))

    @property
    def _store(self) -> Objects:
        if self._objects is None:
            raise NotFound("this server keeps no objects, so it takes no bundles")
        return self._objects


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
