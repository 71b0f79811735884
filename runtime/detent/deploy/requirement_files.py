"""`requirements.txt`, with the files that it includes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DeployError

__all__ = ["RequirementFiles", "package_of", "read_requirements"]

_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=)?(?P<file>.+)")
_CONSTRAINT = re.compile(r"(?:-c|--constraint)(?:\s+|=)?(?P<file>.+)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=)?(?P<what>.+)")
_ITSELF = re.compile(r"\.?/?(?:\[(?P<extras>[^\]]*)\])?")
_NAME = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?:$|[<>=!~@;(\s])")


@dataclass(slots=True)
class RequirementFiles:
    """What the files say, one requirement a line in `lines`, with hashes and options, `constraints` apart; relative
    paths are from the project's folder. `local`: files and folders of the project that are installed as packages.
    `includes_project`: the project itself is asked for, with the extras `project_extras`.
    """

    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    local: list[str] = field(default_factory=list)
    includes_project: bool = False
    project_extras: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it, for a hash."""
        return "\n".join([*self.lines, "--", *self.constraints, str(self.includes_project), *self.project_extras])


def read_requirements(project: Path, name: str = "requirements.txt") -> RequirementFiles:
    """Read the file `name` of the folder `project`, and those that it includes with ``-r`` and ``-c``.

    Errors: `DeployError` for a file that is not there, is outside the project, or includes itself.
    """
    found = RequirementFiles()
    _read(project.resolve(), project.resolve() / name, found, found.lines, ())
    return found


def package_of(line: str) -> tuple[str, list[str]] | None:
    """The name, as indexes spell it, and the extras of the package that a line asks for; None for anything else."""
    match = _NAME.match(line)
    if match is None or "://" in line.partition("@")[0].partition(";")[0]:
        return None
    extras = [extra.strip() for extra in (match["extras"] or "").split(",") if extra.strip()]
    return re.sub(r"[-_.]+", "-", match["name"]).lower(), extras


def _read(root: Path, file: Path, found: RequirementFiles, into: list[str], above: tuple[Path, ...]) -> None:
    shown = file.relative_to(root).as_posix()
    if file in above:
        raise DeployError(f"{shown} includes itself; remove one of the -r lines")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"{shown} cannot be read: {error}") from None
    for number, line in _lines(text):
        include, constraint = _INCLUDE.fullmatch(line), _CONSTRAINT.fullmatch(line)
        if include is not None or constraint is not None:
            named = (include or constraint)["file"].strip().strip("\"'")  # type: ignore[index]  # one of them is there
            inner = (file.parent / named).resolve()
            if not inner.is_relative_to(root) or not inner.is_file():
                what = "is not there" if inner.is_relative_to(root) else "is not in the project's folder"
                raise DeployError(f"{shown}:{number}: it includes {named}, which {what}")
            target = found.constraints if constraint is not None else into
            _read(root, inner, found, target, (*above, file))
        else:
            _take(line, found, into)


def _take(line: str, found: RequirementFiles, into: list[str]) -> None:
    editable = _EDITABLE.fullmatch(line)
    what = editable["what"].strip().strip("\"'") if editable is not None else line
    itself = _ITSELF.fullmatch(what)
    if itself is not None and what:
        found.includes_project = True
        found.project_extras += [extra.strip() for extra in (itself["extras"] or "").split(",") if extra.strip()]
        return
    path = re.split(r"[\[;]|\s", what, maxsplit=1)[0].removeprefix("file:")
    if path.startswith((".", "/")) or (editable is not None and "://" not in path):
        found.local.append(path)
        if not path.startswith((".", "/")):
            what = f"./{what}"
    elif re.search(r"@\s*\.{0,2}/", what):
        found.local.append(what.rpartition("@")[2].strip())
    # Never in place: the environment is for all versions with this lock, and outlives the folder of each.
    into.append(what)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers; those that end with a backslash go on in the next one."""
    begun, start = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        start = start or number
        if line.endswith("\\"):
            begun += line[:-1].strip() + " "
            continue
        whole = (begun + line).strip()
        if whole:
            yield start, whole
        begun, start = "", 0
    if begun.strip():
        yield start, begun.strip()
