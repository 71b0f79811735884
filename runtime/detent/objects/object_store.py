"""An object store by URL, with blocking calls and the same ones for event loops (`..._async`)."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from mimetypes import guess_type
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from ..errors import ConfigError, DetentError, InvalidOptions, NotFound, StoreError
from .address import Address, read_address
from .opening import connect
from .refusals import is_no_bucket, refusal

__all__ = ["Entry", "ObjectStore", "open_store"]

_CHUNK = 1024 * 1024
#: Deletes that fail, from the first on, after which the others are not tried.
_HOPELESS = 3
#: Objects deleted with one request, where the store can do that.
_DELETED_AT_ONCE = 1000
#: Longest life of a signed link, in seconds: what S3 allows.
LONGEST_LINK_S = 7 * 24 * 3600


def open_store(url: str | Path) -> ObjectStore:
    """The object store at `url`. Nothing is connected or made before the first use.

    Parameters:
      url: ``file:///FOLDER`` or a path; ``s3://BUCKET/PREFIX`` (MinIO and others with ``?endpoint=http://…``),
        ``r2://BUCKET/PREFIX``, ``gs://BUCKET/PREFIX``, ``az://CONTAINER/PREFIX``; ``memory://`` for tests. Credentials
        are read from the environment, in each provider's own variables, where the URL has none.

    Errors: `ConfigError` for a URL that cannot be meant: another scheme, an unknown option, no bucket.
    """
    return ObjectStore(read_address(url))


class Entry(NamedTuple):
    """An object as lists show it: its key, its size in bytes, and when it was written."""

    key: str
    size: int
    modified: datetime


class ObjectStore:
    """Objects by key, such as ``audio/book-1.mp3``. May be used from several threads and event loops.

    All calls may raise `StoreError` when the store refuses or cannot be reached; a key with ``..`` or without
    characters is refused with `InvalidOptions`.
    """

    def __init__(self, place: Address) -> None:
        self._place = place
        #: Where the objects are, without credentials.
        self.address = place.shown

    def __repr__(self) -> str:
        return f"ObjectStore({self.address!r})"

    @property
    def is_local(self) -> bool:
        """Whether it is a folder, or the memory, of this machine."""
        return self._place.kind in {"folder", "memory"}

    def put(self, key: str, data: bytes) -> None:
        """Write an object; a present one is replaced, and nobody ever sees half of it."""
        with self._errors(key):
            self._inner.put(_checked(key), data, attributes=self._kind_of(key))

    async def put_async(self, key: str, data: bytes) -> None:
        """See `put`."""
        with self._errors(key):
            await self._inner.put_async(_checked(key), data, attributes=self._kind_of(key))

    def put_stream(self, key: str, chunks: Iterable[bytes]) -> int:
        """Write an object piece by piece; it appears when all is there. Returns its size in bytes."""
        counted = _Counted()
        with self._errors(key):
            self._inner.put(_checked(key), counted.over(chunks), attributes=self._kind_of(key))
        return counted.size

    async def put_stream_async(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """See `put_stream`."""
        counted = _Counted()
        with self._errors(key):
            attributes = self._kind_of(key)
            await self._inner.put_async(_checked(key), counted.over_async(chunks), attributes=attributes)
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

    def delete_many(self, keys: Sequence[str]) -> dict[str, StoreError]:
        """Delete objects, as many as can be with one request. Those that could not be deleted, and why; one that fails
        does not keep the others."""
        failed: dict[str, StoreError] = {}
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            some = [_checked(key) for key in keys[start : start + _DELETED_AT_ONCE]]
            if not self._deleted_together(some):
                failed |= self._deleted_one_by_one(some)
        return failed

    def _deleted_together(self, keys: list[str]) -> bool:
        # Folders, and clouds other than S3, stop at the first that is not there.
        if self.is_local:
            return False
        try:
            with self._errors(keys[0]):
                self._inner.delete(keys)
        except (StoreError, NotFound):
            return False
        return True

    def _deleted_one_by_one(self, keys: list[str]) -> dict[str, StoreError]:
        failed = {}
        for n, key in enumerate(keys):
            try:
                self.delete(key)
            except StoreError as error:
                failed[key] = error
                if len(failed) == _HOPELESS == n + 1:
                    # A store that is away takes its time to say so, for each of them.
                    return failed | dict.fromkeys(keys[n + 1 :], error)
        return failed

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

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Objects under `prefix`, as `list` has them, with size and time."""
        with self._errors(prefix):
            for page in self._inner.list(prefix or None):
                for entry in page:
                    yield Entry(entry["path"], entry["size"], entry["last_modified"])

    def url(self, key: str, expires: int | None = None) -> str:
        """Where an object is.

        Parameters:
          expires: seconds; gives a signed link that anybody can open so long. Folders have no such links,
            and give
            the file's own address.
        """
        key = _checked(key)
        link = None if expires is None else self.presigned_url(key, expires)
        return link or f"{self.address}/{quote(key)}"

    def presigned_url(self, key: str, expires_s: float = 3600, method: Literal["GET", "PUT"] = "GET") -> str | None:
        """A link with which anybody can read an object so long; None where the store cannot sign: folders, and clouds
        whose credentials have no key to sign with. Nothing is asked of the object.

        Parameters:
          expires_s: seconds, at most seven days. `method`: ``PUT`` for a link to write it with.

        Errors: `InvalidOptions`.
        """
        _checked(key)
        if not 0 < expires_s <= LONGEST_LINK_S:
            raise InvalidOptions(f"a signed link lasts more than 0 seconds and at most 7 days, got {expires_s!r}")
        if self.is_local:
            return None
        import obstore

        try:
            with self._errors(key):
                link: str = obstore.sign(self._inner, method, key, timedelta(seconds=expires_s))
        except (StoreError, ConfigError):
            return None
        return link

    def _kind_of(self, key: str) -> dict[str, str] | None:
        """What browsers are told of an object by the cloud that a link leads to."""
        if self.is_local:
            return None
        return {"Content-Type": guess_type(key)[0] or "application/octet-stream"}

    @cached_property
    def _inner(self) -> Any:
        return connect(self._place)

    @contextmanager
    def _errors(self, key: str, *, absent_is_fine: bool = False) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except DetentError:
            raise
        except FileNotFoundError as error:
            if is_no_bucket(str(error)):
                raise refusal(self._place, key, error) from None
            if not absent_is_fine:
                raise NotFound(f"no object {key!r} in {self.address}") from None
        except (BaseError, OSError) as error:
            # What the store says at length may hold a signature: it is no cause to be shown.
            raise refusal(self._place, key, error) from None


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
