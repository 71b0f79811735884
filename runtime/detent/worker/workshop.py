"""Where the versions of an environment are made ready to run: their bundles, their files, their packages."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..config import Config, load_config
from ..deploy import Environments, check_bundle, extract_bundle
from ..deploy.checking import check_project
from ..deploy.problems import refuse
from ..deploy.reading import read_project
from ..deploy.system_packages import check_system_packages
from ..errors import ConfigError, DetentError, InvalidBundle
from ..model.transport import Transport

__all__ = ["Place", "Workshop"]

#: Bundles that nobody used for so long are removed.
_UNUSED_DAYS = 14.0
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Place:
    """A version that can be run: its `folder`, the interpreter that has its packages, its settings."""

    folder: Path
    python: Path
    config: Config


class Workshop:
    """Prepares versions. Bundles and environments are shared with all processes of the machine; the files of versions
    are this process's own, taken from their bundles anew.

    Parameters:
      cache: see `detent.deploy.cache_folder`. `name`: of this process, as nobody else's.
      uv: False for venv and pip although uv is there.
    """

    def __init__(self, cache: Path, name: str, *, uv: bool = True) -> None:
        self._bundles = cache / "bundles"
        self._all = cache / "running"
        self._folder = self._all / name
        self._environments = Environments(cache, uv=uv)
        self._here = FileLock(self._all / f"{name}.lock")

    def open(self) -> None:
        """Take a place, and remove those of processes that died. Errors: `ConfigError` for a folder that cannot be
        written."""
        try:
            self._all.mkdir(parents=True, exist_ok=True)
            self._here.acquire()
        except OSError as error:
            raise ConfigError(
                f"versions cannot be kept in {self._all.parent}: {error.strerror or error}; make it writable, or name "
                "another folder in DETENT_CACHE_DIR"
            ) from None
        for folder in [path for path in self._all.iterdir() if path.is_dir() and path != self._folder]:
            lock = FileLock(self._all / f"{folder.name}.lock", timeout=0)
            with suppress(Timeout), lock:
                shutil.rmtree(folder, ignore_errors=True)
                Path(lock.lock_file).unlink(missing_ok=True)

    def close(self) -> None:
        """Leave nothing but what is shared."""
        shutil.rmtree(self._folder, ignore_errors=True)
        Path(self._here.lock_file).unlink(missing_ok=True)
        self._here.release()

    def prepare(
        self,
        version: str,
        digest: str,
        transport: Callable[[], Transport],
        *,
        variables: Mapping[str, str] | None,
        say: Callable[[str], None],
    ) -> Place:
        """The version, ready to be run.

        Parameters:
          digest: of its bundle. `transport`: to whoever has it; not asked where the bundle is here.
          variables: of its environment; its tasks are imported once with them. None: they are not.

        Errors: `DeployError`, `InvalidBundle`, `ConfigError` for what is wrong with the version; those of the server.
        """
        folder = self._folder / version
        shutil.rmtree(folder, ignore_errors=True)
        self._files(digest, transport, folder, say)
        config = load_config(env={**os.environ, "DETENT_PROJECT_DIR": str(folder)})
        check_system_packages(config.deploy.system_packages)
        extras = ["rabbitmq"] if (config.broker_url or "").startswith("amqp") else []
        external = config.deploy.external
        python = self._environments.ensure(folder, on_line=say, external=external, extras=extras)
        if variables is not None:
            description = read_project(folder, python, variables=variables, on_line=say)
            refuse(f"version {version} cannot be run on this machine", check_project(description, config))
        return Place(folder, python, config)

    def keep(self, places: Collection[Place]) -> None:
        """Note that these are used, so that nothing of theirs is removed by another process for its age."""
        for place in places:
            self._environments.used(place.python)

    def leave(self, version: str) -> None:
        """The files of a version are not needed any more; its bundle and its environment may be, for a way back."""
        shutil.rmtree(self._folder / version, ignore_errors=True)

    def tidy(self, places: Collection[Place]) -> None:
        """Remove what was not used for two weeks, but what `places` have."""
        self.keep(places)
        self._environments.prune([place.python for place in places], unused_days=_UNUSED_DAYS)
        for file in self._bundles.glob("*.tar"):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > _UNUSED_DAYS * _DAY_S:
                    file.unlink()

    def _files(self, digest: str, transport: Callable[[], Transport], folder: Path, say: Callable[[str], None]) -> None:
        path = self._bundles / f"{digest}.tar"
        self._bundles.mkdir(parents=True, exist_ok=True)
        with FileLock(self._bundles / f"{digest}.lock"):
            if path.exists():
                try:
                    check_bundle(path, digest)
                except (InvalidBundle, OSError) as error:
                    say(f"the bundle {digest[:12]} that is kept here is damaged ({error}); it is fetched anew")
                    path.unlink(missing_ok=True)
            if not path.exists():
                transport().get_bundle(digest, path)
            os.utime(path)
            extract_bundle(path, digest, folder)


def problem_of(error: Exception) -> dict[str, Any]:
    """What is told of a version that cannot be prepared."""
    code = error.code if isinstance(error, DetentError) else "failed"
    return {"code": code, "message": str(error) or type(error).__name__}
