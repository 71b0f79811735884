"""Reload on file changes: new worker processes on the new code, while the old ones finish what they execute."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from ..config import Config, load_config
from ..errors import ConfigError

__all__ = ["Reloader"]

_SUFFIXES = {".py", ".toml"}
_PASSED_OVER = {"__pycache__", "node_modules", "site-packages", "dist", "build", "venv"}
#: Changes that come within so many milliseconds reload once.
_GATHER_MS = 300
#: How often the watcher looks whether something has changed, in milliseconds: each look wakes the process.
_LOOK_MS = 250


class Reloader:
    """Watches the project's folder and calls `reload` after a change, when the settings can be used.

    Parameters:
      config: the project. `reload`: starts the new code. `say`: tells the person which files changed.
      tell_problem: tells the person why there is no reload.
    """

    def __init__(
        self,
        config: Config,
        reload: Callable[[], None],
        say: Callable[[str], None],
        tell_problem: Callable[[str], None],
    ) -> None:
        self._root = config.root
        self._reload = reload
        self._say = say
        self._tell_problem = tell_problem
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="detent-reload", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        # The first word of `_changes` is that it watches; what changed before that is not seen.
        try:
            for changed in self._changes():
                # New workers could not start with such settings, and the old ones would be gone.
                try:
                    load_config(self._root)
                except ConfigError as error:
                    self._tell_problem(f"{error}; the workers go on with the settings and the code from before")
                    continue
                more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
                self._say(f"changed: {', '.join(changed[:3])}{more}; reloading")
                self._reload()
        except Exception as error:
            self._say(f"file changes are not seen any more ({error}); restart `detent dev` to load new code")

    def _changes(self) -> Iterator[list[str]]:
        """The names of files that changed together, again and again.

        Each folder is watched by itself: to watch the root as a whole would also watch the thousands of files of
        a .venv, and a file that is watched by itself is lost when an editor puts a new one in its place.
        """
        from watchfiles import watch

        folders = self._folders()
        while not self._stopped.is_set():
            for changes in watch(
                *folders,
                watch_filter=lambda _, path: self._counts(Path(path)),
                stop_event=self._stopped,
                debounce=_GATHER_MS,
                step=_LOOK_MS,
                rust_timeout=60_000,
                raise_interrupt=False,
                recursive=False,
            ):
                changed = {str(Path(path).relative_to(self._root)) for _, path in changes if _is_code(path)}
                before, folders = folders, self._folders()
                # Files that came together with their folder were there before it was watched.
                fresh = [folder for folder in folders if folder not in before]
                changed |= {
                    str(file.relative_to(self._root)) for folder in fresh for file in folder.iterdir() if _is_code(file)
                }
                if changed:
                    yield sorted(changed)
                if folders != before:
                    break

    def _folders(self) -> list[Path]:
        """The root, and the folders in it that may hold the project's code."""
        found: list[Path] = []
        for place, names, _ in os.walk(self._root):
            folder = Path(place)
            names[:] = sorted(name for name in names if _is_ours(folder / name))
            found.append(folder)
        return found

    def _counts(self, path: Path) -> bool:
        try:
            parts = path.relative_to(self._root).parts[:-1]
        except ValueError:
            return False
        if any(part.startswith(".") or part in _PASSED_OVER for part in parts):
            return False
        return _is_code(path) or (path.is_dir() and _is_ours(path))


def _is_ours(folder: Path) -> bool:
    return not folder.name.startswith(".") and folder.name not in _PASSED_OVER and not (folder / "pyvenv.cfg").exists()


def _is_code(path: str | Path) -> bool:
    return Path(path).suffix in _SUFFIXES
