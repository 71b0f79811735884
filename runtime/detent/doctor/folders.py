"""The folder of the project's state, and that of temporary files: rights and room."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from ..config import Config
from .finding import Finding, failed, good, warning

__all__ = ["check_folders"]

_MIB = 1024**2
#: Less room than this is soon none, and less than that is none, in bytes.
_TIGHT, _NONE = 1024 * _MIB, 100 * _MIB
#: File systems over a network, on which locks and shared memory do not do what SQLite needs.
_OVER_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smbfs", "smb3", "9p", "fuse.sshfs", "glusterfs", "ceph", "lustre"})


def check_folders(config: Config) -> Iterator[Finding]:
    """Rights, room and kind of file system."""
    state = config.state_dir
    if not state.exists():
        if os.access(config.root, os.W_OK | os.X_OK):
            yield good("folders.state", f"{state} is not there yet; it is made when it is needed")
        else:
            yield failed(
                "folders.state",
                f"{state} is not there, and {config.root} cannot be written",
                f"chown {_me()} {config.root}, or name another folder in DETENT_PROJECT_DIR",
            )
        near = config.root
    else:
        yield _rights(state)
        near = state
    yield _kind(near, embedded=config.database_path is not None)
    yield _room("folders.room", near)
    temporary = Path(tempfile.gettempdir())
    if not os.access(temporary, os.W_OK | os.X_OK):
        yield failed("folders.temp", f"{temporary} cannot be written", "set TMPDIR to a folder that can be")
    else:
        yield _room("folders.temp", temporary)


def _rights(state: Path) -> Finding:
    wrong = [path for path in (state, *_own_files(state)) if not os.access(path, os.R_OK | os.W_OK)]
    if wrong:
        names = ", ".join(str(path) for path in wrong[:3])
        return failed("folders.state", f"{names} cannot be read and written", f"chown -R {_me()} {state}")
    secret = [path for path in (state, state / "key", state / "encryption.key") if _open_to_others(path)]
    if secret:
        names = " ".join(str(path) for path in secret)
        return warning("folders.state", f"others may look into {names}", f"chmod go-rwx {names}")
    return good("folders.state", f"{state} is yours alone")


def _own_files(state: Path) -> list[Path]:
    return [path for path in sorted(state.iterdir()) if path.is_file() and path.suffix != ".sock"]


def _open_to_others(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & 0o077)


def _kind(folder: Path, *, embedded: bool) -> Finding:
    holding = [part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)]
    kind = max(holding, key=lambda part: len(part.mountpoint)).fstype if holding else ""
    if embedded and kind in _OVER_NETWORK:
        return failed(
            "folders.system",
            f"{folder} lies on {kind}, on which SQLite's locks do not hold",
            "move the project to a disk of this machine, or use DETENT_DATABASE_URL=postgresql://...",
            kind=kind,
        )
    return good("folders.system", f"{folder} lies on {kind or 'an unknown file system'}", kind=kind)


def _room(check: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    told = f"{free / 1024**3:,.1f} GiB free under {folder}"
    advice = f"free space under {folder}; `retention` in the settings removes finished runs"
    if free < _NONE:
        return failed(check, told, advice, free_bytes=free)
    if free < _TIGHT:
        return warning(check, told, advice, free_bytes=free)
    return good(check, told, free_bytes=free)


def _me() -> str:
    return str(os.getuid())
