"""What a process that imported a project's tasks tells of them; see `describe`."""

from __future__ import annotations

from msgspec import Struct, field

from ..model.manifest import Manifest

__all__ = ["DeclaredQueue", "Description", "Fault"]


class Fault(Struct, frozen=True, omit_defaults=True):
    """What cannot be used: its place from the project's folder, what to do, the project's lines that led there."""

    file: str
    line: int
    message: str
    code: str
    trace: list[str] = field(default_factory=list)


class DeclaredQueue(Struct, frozen=True, omit_defaults=True):
    """A queue as the code declares it, and where."""

    name: str
    limit: int | None = None
    limit_per_key: int | None = None
    file: str = ""
    line: int = 0


class Description(Struct, frozen=True):
    """A project: its manifest, with files from the project's folder; what cannot be used of it; each declaration of a
    queue; the versions of Python and of detent that it was imported with."""

    manifest: Manifest
    faults: list[Fault]
    queues: list[DeclaredQueue]
    python: str
    detent: str
