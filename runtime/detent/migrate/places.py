"""Where a URL of the command line leads."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..config import Config
from ..doctor.finding import shown
from ..errors import ConfigError

__all__ = ["FilePlace", "Place", "ServerPlace", "place_of", "shown"]


class FilePlace(NamedTuple):
    """A store in a file, with the file of logs and spans beside it, and the folder whose lock guards both."""

    path: Path
    telemetry: Path
    state_dir: Path

    @property
    def name(self) -> str:
        return f"sqlite:///{self.path}"


class ServerPlace(NamedTuple):
    """A store in a database server."""

    url: str

    @property
    def name(self) -> str:
        return shown(self.url)


Place = FilePlace | ServerPlace


def place_of(url: str, config: Config) -> Place:
    """Where `url` leads: ``sqlite:///FILE``, relative to the project, or ``postgresql://...``.

    Errors: `ConfigError`.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("postgresql", "postgres"):
        return ServerPlace(url)
    if scheme != "sqlite" or not rest.removeprefix("/"):
        what = f"the scheme {scheme!r}" if separator else "no scheme"
        raise ConfigError(f"a database URL has {what}; expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")
    path = config.root / rest.removeprefix("/")
    state = config.state_dir if path == config.state_dir / "detent.db" or path == config.database_path else path.parent
    return FilePlace(path, state / "telemetry.db", state)
