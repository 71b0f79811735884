"""An object store by URL, with blocking calls and the same ones for event loops (`..._async`)."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from ..errors import ConfigError, InvalidOptions, NotFound, StoreError

__all__ = ["ObjectStore", "open_store"]

_SCHEMES = ("file", "memory", "s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl")
_CHUNK = 1024 * 1024


def open_store(url: str | Path) -> ObjectStore:
    """The object store at `url`. Nothing is connected or made before the first use.

    Parameters:
      url: ``file:///FOLDER`` or a path; ``s3://BUCKET/PREFIX`` (also R2 and MinIO, by ``AWS_ENDPOINT_URL``),
        ``gs://BUCKET/PREFIX``, ``az://CONTAINER/PREFIX``; ``memory://`` for tests. Credentials are read
        from the environment, in each provider's own variables.

    Errors: `ConfigError` for a URL of another kind.
    """
    text = str(url)
    scheme = urlsplit(text).scheme if "://" in text else ""
    if not scheme:
        text, scheme = Path(text).absolute().as_uri(), "file"
    if scheme not in _SCHEMES:
        raise ConfigError(
            f"the object store's URL has the scheme {scheme!r}; expected a folder, file://, s3://, gs:// or az://"
        )
    return ObjectStore(text)


class ObjectStore:
    """Objects by key, such as ``audio/book-1.mp3``. May be used from several threads and event loops.

    All calls may raise `StoreError` when the store refuses or cannot be reached; a key with ``..`` or without
    characters is refused with `InvalidOptions`.
    """

    def __init__(self, url: str) -> None:
        self.address = url.rstrip("/")
        self._is_folder = url.startswith("file:")

    def put(self, key: str, data: bytes) -> None:
        """Write an object; a present one is replaced, and nobody ever sees half of it."""
        with self._errors(key):
            self._inner.put(_checked(key), data)

    async def put_async(self, key: str, data: bytes) -> None:
        """See `put`."""
        with self._errors(key):
            await self._inner.put_async(_checked(key), data)

    def put_stream(self, key: str, chunks: Iterable[bytes]) -> int:
        """Write an object piece by piece; it appears when all is there. Returns its size in bytes."""
        counted = _Counted()
        with self._errors(key):
            self._inner.put(_checked(key), counted.over(chunks))
        return counted.size

    async def put_stream_async(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """See `put_stream`."""
        counted = _Counted()
        with self._errors(key):
            await self._inner.put_async(_checked(key), counted.over_async(chunks))
        return counted.size

    def get(self, key: str) -> bytes:
        """The whole object. Errors: `NotFound`."""
        with self._errors(key):
            return bytes(self._inner.get(_checked(key)).bytes())

    async def get_async(self, key: str) -> bytes:
        """See `get`."""
        with self._errors(key):
            return bytes(await (await self._inner.get_async(_checked(key))).bytes_async())

    def get_stream(self, key: str, chunk_bytes: int = _CHUNK) -> Iterator[bytes]:
        """The object in pieces of about `chunk_bytes`. Errors: `NotFound`, at the first piece."""
        with self._errors(key):
            for chunk in self._inner.get(_checked(key)).stream(min_chunk_size=chunk_bytes):
                yield bytes(chunk)

    async def get_stream_async(self, key: str, chunk_bytes: int = _CHUNK) -> AsyncIterator[bytes]:
        """See `get_stream`."""
        with self._errors(key):
            answer = await self._inner.get_async(_checked(key))
            async for chunk in answer.stream(min_chunk_size=chunk_bytes):
                yield bytes(chunk)

    def delete(self, key: str) -> None:
        """Delete an object; nothing happens when there is none."""
        with self._errors(key, absent_is_fine=True):
            self._inner.delete(_checked(key))

    async def delete_async(self, key: str) -> None:
        """See `delete`."""
        with self._errors(key, absent_is_fine=True):
            await self._inner.delete_async(_checked(key))

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            with self._errors(key):
                self._inner.head(_checked(key))
        except NotFound:
            return False
        return True

    async def exists_async(self, key: str) -> bool:
        """See `exists`."""
        try:
            with self._errors(key):
                await self._inner.head_async(_checked(key))
        except NotFound:
            return False
        return True

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys under `prefix`, which ends at a ``/`` or at the end of a key's part."""
        with self._errors(prefix):
            for page in self._inner.list(prefix or None):
                for entry in page:
                    yield entry["path"]

    async def list_async(self, prefix: str = "") -> AsyncIterator[str]:
        """See `list`."""
        with self._errors(prefix):
            async for page in self._inner.list(prefix or None):
                for entry in page:
                    yield entry["path"]

    def url(self, key: str, expires: int | None = None) -> str:
        """Where an object is.

        Parameters:
          expires: seconds; gives a signed link that anybody can open so long. Folders have no such links,
            and give
            the file's own address.
        """
        key = _checked(key)
        if expires is None or self._is_folder or self.address.startswith("memory:"):
            return f"{self.address}/{quote(key)}"
        from datetime import timedelta

        import obstore

        with self._errors(key):
            return obstore.sign(self._inner, "GET", key, timedelta(seconds=expires))

    @cached_property
    def _inner(self) -> Any:
        from obstore import store as kinds

        if self.address.startswith("memory:"):
            return kinds.MemoryStore()
        if self._is_folder:
            folder = Path(unquote(urlsplit(self.address).path) or "/")
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(
                    f"the object folder {folder} cannot be made ({error.strerror}); make its parent "
                    "writable, or name another one in DETENT_OBJECT_STORE_URL"
                ) from error
            return kinds.LocalStore(folder, automatic_cleanup=True)
        return _opened(kinds.from_url, self.address)

    @contextmanager
    def _errors(self, key: str, *, absent_is_fine: bool = False) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if not absent_is_fine:
                raise NotFound(f"no object {key!r} in {self._shown}") from error
        except (BaseError, OSError) as error:
            cause = str(error).strip().split("\n")[0]
            raise StoreError(f"the object store {self._shown} refused {key!r}: {cause}") from error

    @property
    def _shown(self) -> str:
        return urlsplit(self.address)._replace(query="").geturl() if "@" not in self.address else "(address hidden)"


class _Counted:
    """Counts the bytes of a stream that passes."""

    def __init__(self) -> None:
        self.size = 0

    def over(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.size += len(chunk)
            yield chunk

    async def over_async(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self.size += len(chunk)
            yield chunk


def _checked(key: str) -> str:
    parts = key.split("/")
    if not key or "" in parts or ".." in parts or "." in parts or "\0" in key:
        raise InvalidOptions(f"an object's key is parts between slashes such as 'audio/book-1.mp3', got {key!r}")
    return key


def _opened(open_url: Callable[[str], Any], url: str) -> Any:
    try:
        return open_url(url)
    except Exception as error:
        cause = str(error).strip().split("\n")[0]
        scheme = url.partition("://")[0]
        raise ConfigError(
            f"the object store {scheme}:// cannot be opened: {cause}; check DETENT_OBJECT_STORE_URL and the "
            "provider's variables (AWS_*, GOOGLE_*, AZURE_*)"
        ) from error
