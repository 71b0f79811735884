"""The folders in which assistants look for skills: `skill_places.toml` as data."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from detent.errors import InvalidOptions, near_names

__all__ = ["SkillPlace", "chosen_places", "skill_places"]


@dataclass(frozen=True, slots=True)
class SkillPlace:
    """A folder for skills, in a project and in a user's home. `usual`: it is meant unless others are named; else where
    one of `folders` is in the project."""

    id: str
    name: str
    project: str
    user: str
    usual: bool = False
    folders: tuple[str, ...] = ()

    def folder(self, scope: str, root: Path) -> Path:
        """Where skills go: below `root`, a project's folder or the home."""
        return root / (self.project if scope == "project" else self.user.removeprefix("~/"))


@cache
def skill_places() -> tuple[SkillPlace, ...]:
    """All that are known."""
    text = (files("detent_cli.assistants") / "skill_places.toml").read_text(encoding="utf-8")
    return tuple(
        SkillPlace(
            name,
            table["name"],
            table["project"],
            table["user"],
            table.get("usual", False),
            tuple(table.get("folders", ())),
        )
        for name, table in tomllib.loads(text).items()
    )


def chosen_places(named: Sequence[str], root: Path) -> list[SkillPlace]:
    """Those that are named, else the usual ones and those whose assistant the project has a folder of.

    Errors: `InvalidOptions` with near names.
    """
    known = {place.id: place for place in skill_places()}
    for name in named:
        if name not in known:
            raise InvalidOptions(near_names("place for skills", name, list(known)))
    if named:
        return [known[name] for name in dict.fromkeys(named)]
    return [
        place for place in known.values() if place.usual or any((root / folder).is_dir() for folder in place.folders)
    ]
