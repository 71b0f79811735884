"""What a project says about its deployments: `[tool.detent.deploy]` in `pyproject.toml`, `[deploy]` in `detent.toml`.

[tool.detent.deploy]
include = ["models/voices.onnx"]
exclude = ["notebooks/"]
pre_build = "make assets"
system_packages = ["ffmpeg", "libsndfile.so.1"]
external = ["torch"]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from detent.errors import ConfigError
from detent.model.limits import BUNDLE_BYTES
from detent.settings import Table

__all__ = ["DeploySettings", "read_deploy_settings"]

_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SYSTEM = re.compile(r"[A-Za-z0-9+._-]+")


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """What goes into a bundle, and what workers need besides.

    `include`, `exclude`, `allow_secrets`: patterns as in `.gitignore`, of files that are taken although they are
    ignored, of files that are not taken, and of files that are no secrets although they look like it. `max_bytes`: of
    the bundle. `pre_build`: a program and its arguments, run before the bundle is made. `system_packages`: programs and
    shared libraries that workers' machines must have. `external`: packages that those machines bring themselves.
    `import_timeout`: of all task files together, in seconds. `place`: where all this stands, for messages.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    allow_secrets: tuple[str, ...] = ()
    max_bytes: int = BUNDLE_BYTES
    pre_build: tuple[str, ...] = ()
    system_packages: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    import_timeout: float = 120.0
    place: str = "[tool.detent.deploy]"


def read_deploy_settings(table: Table, file: Path | None) -> DeploySettings:
    """The settings in `table`, which stands in `file`.

    Errors: `ConfigError` for a key that is unknown, with near names, and for a value that cannot be used.
    """
    own = file is not None and file.name == "detent.toml"
    usual = DeploySettings()
    timeout = table.seconds("import_timeout", least=1.0)
    settings = DeploySettings(
        include=_patterns(table, "include"),
        exclude=_patterns(table, "exclude"),
        allow_secrets=_patterns(table, "allow_secrets"),
        max_bytes=table.count("max_bytes", BUNDLE_BYTES, least=1_024, most=BUNDLE_BYTES),
        pre_build=table.command("pre_build"),
        system_packages=_names(
            table, "system_packages", _SYSTEM, 'programs and shared libraries, such as ["ffmpeg", "libsndfile.so.1"]'
        ),
        external=_names(table, "external", _PACKAGE, 'names of packages without versions, such as ["torch"]'),
        import_timeout=usual.import_timeout if timeout is None else timeout,
        place="[deploy] of detent.toml" if own else "[tool.detent.deploy] of pyproject.toml",
    )
    table.refuse_the_rest()
    return settings


def _patterns(table: Table, key: str) -> tuple[str, ...]:
    patterns = table.texts(key, ())
    for pattern in patterns:
        if ".." in pattern.split("/") or pattern.startswith("~") or "\n" in pattern:
            raise ConfigError(
                f"{table.file}: deploy.{key} names {pattern!r}; expected patterns as in .gitignore, of files in the "
                "project's folder"
            )
    return patterns


def _names(table: Table, key: str, form: re.Pattern[str], expected: str) -> tuple[str, ...]:
    names = table.texts(key, ())
    for name in names:
        if not form.fullmatch(name):
            raise ConfigError(f"{table.file}: deploy.{key} names {name!r}; expected {expected}")
    return names
