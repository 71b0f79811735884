"""The store of large objects: a small one is written, read, listed and removed."""

from __future__ import annotations

from collections.abc import Iterator

from ..config import Config
from ..objects import check
from .finding import Finding, failed, good, shown

__all__ = ["check_objects"]


def check_objects(config: Config) -> Iterator[Finding]:
    """Whether ``DETENT_OBJECT_STORE_URL`` takes, gives back, lists and removes."""
    place = shown(config.object_store_url)
    if config.object_store_url.startswith("file:") and not config.state_dir.exists():
        yield good("objects.use", f"{place} is not there yet; it is made when it is needed")
        return
    found = check(config.object_store_url)
    if not found.ok:
        yield failed(
            "objects.use", found.message, "correct DETENT_OBJECT_STORE_URL and the credentials, or grant the right"
        )
        return
    took = round(sum(filter(None, (found.write_ms, found.read_ms, found.list_ms, found.delete_ms))), 1)
    links = "signs links itself" if found.signs else "leaves links to the server"
    yield good("objects.use", f"{place} takes, gives back and removes an object in {took:g} ms, {links}", took_ms=took)
