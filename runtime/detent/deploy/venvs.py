"""Virtual environments for the versions of projects: one for each lock, made once, kept, and looked at before use."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from .filling import fill
from .installers import Installer, Pip, Uv, find_uv, program_of
from .locks import Lock, lock_of
from .own_packages import own_version, site_of
from .pythons import Interpreter, python_for

__all__ = ["Environments", "cache_folder", "damage_of"]

OnLine = Callable[[str], None]

#: Written last: an environment without it was never whole.
_MARKER = "detent-environment.json"
_DAY_S = 86_400.0
#: An interpreter that takes longer to say its version is broken, in seconds.
_ANSWER_S = 60.0


def cache_folder() -> Path:
    """Where this machine keeps what can be made again: ``DETENT_CACHE_DIR``, else the user's own cache."""
    named = os.environ.get("DETENT_CACHE_DIR")
    return Path(named).expanduser().absolute() if named else platformdirs.user_cache_path("detent")


class Environments:
    """Virtual environments in a folder that any number of processes share.

    Parameters:
      cache: the folder that holds them, in ``venvs``; see `cache_folder`.
      uv: False for venv and pip although uv is there.
    """

    def __init__(self, cache: Path | None = None, *, uv: bool = True) -> None:
        self._folder = (cache_folder() if cache is None else cache).absolute() / "venvs"
        self._uv = find_uv() if uv else None

    def ensure(
        self,
        project: Path,
        *,
        on_line: OnLine | None = None,
        external: Sequence[str] = (),
        extras: Sequence[str] = (),
    ) -> Path:
        """The interpreter of an environment with the packages of the project in the folder `project`, and detent.

        Made where there is none yet, or a damaged one; nothing is fetched where there is one. The project's own code is
        not in it: a worker finds it in its folder.

        Parameters:
          on_line: is handed what is done, line by line. `external`: names of packages that this machine brings itself:
            they are taken over from the environment of this process. `extras`: of detent, such as ``rabbitmq``.

        Errors: `DeployError` with what the resolver says, for a Python that is not there, and for files that cannot be
        read.
        """
        say = on_line or _silent
        lock = lock_of(project)
        python = python_for(lock, self._uv)
        key = _key(lock, python, external, extras)
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / f"{key}.lock"):
            for found in sorted(self._folder.glob(f"{key}-*")):
                why = damage_of(found)
                if why is None:
                    os.utime(found / _MARKER)
                    return program_of(found)
                say(f"the environment {found.name} {why}; it is made anew")
                shutil.rmtree(found, ignore_errors=True)
            return self._make(lock, python, key, project=project, say=say, external=external, extras=extras)

    def used(self, python: Path) -> None:
        """Note that the environment of the interpreter `python` is in use, so that nobody removes it for its age."""
        marker = python.parents[1] / _MARKER
        if marker.exists():
            os.utime(marker)

    def prune(
        self, keep: Collection[Path] = (), *, unused_days: float = 14.0, most_bytes: int | None = None
    ) -> list[Path]:
        """Remove environments, those that were not used for longest first; their folders.

        Parameters:
          keep: interpreters of environments that stay. `unused_days`: those not used for so long go.
          most_bytes: what all of them together may take; None for no limit. Those used within a day stay.
        """
        kept = {python.parents[1] for python in keep}
        now = time.time()
        removed: list[Path] = []
        ages = sorted((_used_at(folder), folder) for folder in self._folder.glob("*-*") if folder.is_dir())
        total = 0 if most_bytes is None else sum(_bytes_of(folder) for _, folder in ages)
        for used_at, folder in ages:
            is_old = now - used_at > unused_days * _DAY_S
            is_much = most_bytes is not None and total > most_bytes and now - used_at > _DAY_S
            if folder in kept or not (is_old or is_much):
                continue
            with FileLock(self._folder / f"{folder.name.rpartition('-')[0]}.lock"):
                total -= _bytes_of(folder) if most_bytes is not None else 0
                shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
        return removed

    def _make(
        self,
        lock: Lock,
        python: Interpreter,
        key: str,
        *,
        project: Path,
        say: OnLine,
        external: Sequence[str],
        extras: Sequence[str],
    ) -> Path:
        installer: Installer = Uv(self._uv) if self._uv is not None else Pip()
        # Environments cannot be moved: it is made where it stays, under a name that nobody has used.
        folder = self._folder / f"{key}-{secrets.token_hex(3)}"
        say(f"making an environment with Python {python.version} for {_named(lock)}, by {installer.name}")
        begun = time.monotonic()
        try:
            installer.make(folder, python, say)
            fill(
                folder,
                lock,
                python,
                project=project.absolute(),
                installer=installer,
                say=say,
                external=external,
                extras=extras,
            )
            about = {"key": key, "python": python.version, "files": _files(site_of(folder))}
            written = folder / f"{_MARKER}.new"
            written.write_text(json.dumps(about), encoding="utf-8")
            written.replace(folder / _MARKER)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        say(f"the environment is ready after {time.monotonic() - begun:.1f} s")
        return program_of(folder)


def _key(lock: Lock, python: Interpreter, external: Sequence[str], extras: Sequence[str]) -> str:
    parts = [lock.hash, python.minor, python.implementation, sysconfig.get_platform(), own_version()]
    parts += [*sorted(external), "--", *sorted(extras)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def damage_of(folder: Path) -> str | None:
    """What is wrong with an environment, as the rest of a sentence; None for a whole one."""
    try:
        about: dict[str, Any] = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        site = site_of(folder)
    except (OSError, ValueError, StopIteration):
        return "was never finished"
    there = _files(site)
    lost = [name for name, size in about["files"].items() if there.get(name) != size]
    if lost:
        return f"is damaged: {lost[0]} is not as it was" + (f", and {len(lost) - 1} more" if len(lost) > 1 else "")
    try:
        done = subprocess.run(  # noqa: S603  # the interpreter that was put there
            [program_of(folder), "-I", "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_ANSWER_S,
        )
    except (OSError, subprocess.SubprocessError):
        return "is damaged: its Python does not start"
    return None if done.returncode == 0 else "is damaged: its Python does not start"


def _files(site: Path) -> dict[str, int]:
    """The files of packages and their sizes. What Python compiles comes and goes."""
    found = {}
    ahead = [str(site)]
    while ahead:
        with os.scandir(ahead.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "__pycache__":
                        ahead.append(entry.path)
                elif not entry.name.endswith(".pyc"):
                    found[os.path.relpath(entry.path, site)] = entry.stat().st_size
    return found


def _used_at(folder: Path) -> float:
    try:
        return (folder / _MARKER).stat().st_mtime
    except OSError:
        return folder.stat().st_mtime if folder.exists() else 0.0


def _bytes_of(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def _named(lock: Lock) -> str:
    return lock.file.name if lock.file is not None else "a project without dependencies"


def _silent(_: str) -> None:
    """For callers who want no lines."""
