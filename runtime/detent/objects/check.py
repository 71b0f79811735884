"""Whether an object store can be used: a small object is written, read and deleted."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ..errors import DetentError, StoreError
from .address import read_address
from .object_store import ObjectStore

__all__ = ["Checked", "check"]

_DATA = b"detent was here to see whether it may write, read and delete; this may be deleted\n"


#: Whoever asks waits for the answer.
_QUICK = {"timeout": "5", "connect_timeout": "3", "retries": "0"}


class Checked(NamedTuple):
    """What `check` found.

    `address` is the store's, without credentials. `ok`: all that detent needs works. `message` says what was found,
    and what to do where it is not ok. `write_ms`, `read_ms`, `list_ms`, `delete_ms` are how long each took, in
    milliseconds; None for what was not reached. `signs`: the store makes presigned links itself; else the server does.
    """

    address: str
    ok: bool
    message: str
    write_ms: float | None = None
    read_ms: float | None = None
    list_ms: float | None = None
    delete_ms: float | None = None
    signs: bool = False


def check(url: str | Path) -> Checked:
    """Write, read, list and delete a small object of a name of its own in the store at `url`; never raises, and takes
    some seconds at most."""
    try:
        place = read_address(url)
        store = ObjectStore(replace(place, options={**place.options, **_QUICK}))
    except DetentError as error:
        return Checked("", ok=False, message=error.message)
    found = Checked(store.address, ok=False, message="")
    key = f"checks/{secrets.token_hex(8)}.txt"
    came: list[bytes] = []
    try:
        store.put(key, b"")  # the connection is no part of what is measured
        found = found._replace(write_ms=_timed(lambda: store.put(key, _DATA)))
        found = found._replace(read_ms=_timed(lambda: came.append(store.get(key))))
        found = found._replace(list_ms=_timed(lambda: list(store.list("checks"))))
        found = found._replace(delete_ms=_timed(lambda: store.delete(key)))
        left = store.exists(key)
    except DetentError as error:
        if found.delete_ms is None and isinstance(error, StoreError):
            store.delete_many([key])
        return found._replace(message=error.message)
    found = found._replace(signs=store.presigned_url(key, 60) is not None)
    if came != [_DATA] or left:
        return found._replace(message=f"{store.address} does not give back what was written; name another store")
    message = f"{store.address} takes {found.write_ms:.0f} ms to write and {found.read_ms:.0f} ms to read"
    return found._replace(ok=True, message=message)


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000
