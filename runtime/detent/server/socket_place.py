"""Where the engine's socket of a project stands: the same place each time, so that workers find it again."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

__all__ = ["socket_place"]

#: The longest path that a unix socket may have on every system, in bytes.
_LONGEST = 100


def socket_place(root: Path, also: str = "") -> Path:
    """The path for the socket of the project in `root`, in a folder that only this user may enter.

    The project's own folder will not do: its path may be too long for a socket, and its disk may not take one.
    Where another user has taken the folder's name, a new one is made, whose path differs each time.

    Parameters:
      also: tells those apart that serve one project at once.
    """
    name = hashlib.sha256(os.fsencode(root.resolve()) + also.encode()).hexdigest()[:16] + ".sock"
    # Not XDG_RUNTIME_DIR: it is emptied when its user logs out, and a server may go on after that.
    folder = Path(tempfile.gettempdir()) / f"detent-{os.getuid()}"
    if len(os.fsencode(folder / name)) <= _LONGEST and _is_private(folder):
        return folder / name
    return Path(tempfile.mkdtemp(prefix="detent-", dir=None if len(tempfile.gettempdir()) < 50 else "/tmp")) / name  # noqa: S108  # short enough everywhere


def _is_private(folder: Path) -> bool:
    """Make the folder if need be; whether it is ours alone, and no link to elsewhere."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
