"""Reload on file changes: new worker processes on the new code, while the old ones finish what they execute."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ..config import Config

__all__ = ["Reloader"]

_SUFFIXES = {".py", ".toml", ".env"}
_PASSED_OVER = {"__pycache__", "node_modules", "site-packages", "dist", "build", "venv"}


class Reloader:
    """Watches the project's folder and calls `reload` after a change.

    Parameters:
      config: the project. `reload`: starts the new code. `say`: tells the person which files changed.
    """

    def __init__(self, config: Config, reload: Callable[[], None], say: Callable[[str], None]) -> None:
        self._root = config.root
        self._reload = reload
        self._say = say
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="detent-reload", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        from watchfiles import watch

        # Folders one by one: to watch the whole root would also watch the thousands of files of a .venv.
        places = [self._root / name for name in self._folders()]
        for changes in watch(
            *places,
            *sorted(self._root.glob("*.py")),
            *sorted(self._root.glob("*.toml")),
            watch_filter=lambda _, path: self._counts(Path(path)),
            stop_event=self._stopped,
            debounce=300,
            rust_timeout=2_000,
            raise_interrupt=False,
        ):
            names = sorted({str(Path(path).relative_to(self._root)) for _, path in changes})
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            self._say(f"changed: {', '.join(names[:3])}{more}; reloading")
            self._reload()

    def _folders(self) -> list[str]:
        return [
            entry.name
            for entry in self._root.iterdir()
            if entry.is_dir()
            and not entry.name.startswith(".")
            and entry.name not in _PASSED_OVER
            and not (entry / "pyvenv.cfg").exists()
        ]

    def _counts(self, path: Path) -> bool:
        parts = path.relative_to(self._root).parts
        return path.suffix in _SUFFIXES and not any(
            part.startswith(".") or part in _PASSED_OVER for part in parts[:-1]
        )
