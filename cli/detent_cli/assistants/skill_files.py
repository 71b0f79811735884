"""The skills that come with detent: folders with a `SKILL.md` and what it refers to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from detent.errors import NotFound, near_names
from detent.shipped import shipped

__all__ = ["Skill", "skill_named", "skills"]

_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Skill:
    """A skill: its folder, its description, and its files by their names in the folder."""

    name: str
    folder: Path
    description: str
    files: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """About how many tokens its `SKILL.md` costs when it is loaded."""
        return len((self.folder / "SKILL.md").read_bytes()) // 4


@cache
def skills() -> tuple[Skill, ...]:
    """All that come with this version, by name."""
    folders = sorted(path.parent for path in shipped("skills").glob("*/SKILL.md"))
    return tuple(_read(folder) for folder in folders)


def _read(folder: Path) -> Skill:
    front = _FRONT.match((folder / "SKILL.md").read_text(encoding="utf-8"))
    found = re.search(r"^description: (.+)$", front[1] if front else "", re.MULTILINE)
    description = found[1].strip().strip('"') if found else ""
    files = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
    return Skill(folder.name, folder, description, files)


def skill_named(name: str) -> Skill:
    """The skill of that name. Errors: `NotFound` with near names."""
    for skill in skills():
        if skill.name == name:
            return skill
    raise NotFound(near_names("skill", name, [skill.name for skill in skills()]))
