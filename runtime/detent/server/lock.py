"""The project's lock: whoever holds it is the one writer of the embedded store (DESIGN.md invariant 8)."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

__all__ = ["ProjectLock"]


class ProjectLock:
    """An operating-system lock on ``.detent/lock``. It is free again when its holder dies, however it died.

    Parameters:
      state_dir: the project's ``.detent`` folder, which must exist.
    """

    def __init__(self, state_dir: Path) -> None:
        # Not per thread: an engine takes the lock on one thread and lets it go on another.
        self._lock = FileLock(state_dir / "lock", thread_local=False)

    def try_acquire(self) -> bool:
        """Take the lock if it is free; whether it is held now."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> ProjectLock:
        self._lock.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
