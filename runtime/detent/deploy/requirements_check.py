"""Whether the lines of `requirements.txt` can be read, and are not against what `pyproject.toml` says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..errors import DeployError
from .problems import Problem

__all__ = ["check_requirements", "read_text"]

_OPTION = re.compile(r"\s(?:--hash|--config-settings|--global-option)[= ].*$")
_COMMENT = re.compile(r"(^|\s)#.*$")
_PLACE = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://|\.{0,2}/|\.{1,2}$|[A-Za-z]:\\|~/|[^\s=<>!~;@\[]+\.(?:whl|zip|tar\.gz)$|git\+"
)
_INCLUDES = re.compile(r"(?:-r|-c|--requirement|--constraint)[= ]?\s*(.+)$")
_LOCAL = re.compile(r"(?:-e|--editable)?[= ]?\s*(\.{1,2}(?:/[^\s;\[]*)?)")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")


class _Line(NamedTuple):
    file: str
    number: int
    text: str


def read_text(file: Path) -> str:
    """What stands in a file of the project, "" where there is none. Errors: `DeployError` when it is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise DeployError(f"{file.name} is not UTF-8, so nobody can read it for sure; save it as UTF-8") from None


def check_requirements(root: Path, asked: Sequence[Requirement]) -> list[Problem]:
    """Problems of `requirements.txt` of the project `root` and of the files that it includes.

    Parameters:
      asked: the requirements of `pyproject.toml`.
    """
    problems: list[Problem] = []
    pinned: dict[str, tuple[Requirement, _Line]] = {}
    for line in _lines(root, "requirements.txt", [], problems):
        try:
            requirement = Requirement(line.text)
        except InvalidRequirement as error:
            first = str(error).splitlines()[0]
            what = f"{line.text!r} is no requirement: {first}; expected a name and versions, such as httpx==0.28.1"
            problems.append(Problem(line.file, line.number, what, "bad_requirement"))
            continue
        pinned.setdefault(canonicalize_name(requirement.name), (requirement, line))
    for wanted in asked:
        found = pinned.get(canonicalize_name(wanted.name))
        if found is None:
            continue
        version = _pin(found[0])
        if version is not None and not wanted.specifier.contains(version, prereleases=True):
            what = (
                f"{found[1].text!r} is against pyproject.toml, which asks for {str(wanted)!r}; make the two agree, for "
                "example by: uv pip compile pyproject.toml -o requirements.txt"
            )
            problems.append(Problem(found[1].file, found[1].number, what, "lock_mismatch"))
    return problems


def _lines(root: Path, name: str, seen: list[str], problems: list[Problem]) -> Iterator[_Line]:
    """The requirements of one file and of those that it includes."""
    if name in seen:
        return
    seen.append(name)
    for line in _logical(name, read_text(root / name)):
        includes = _INCLUDES.match(line.text)
        if includes is not None:
            yield from _included(root, line, includes[1].strip().strip("\"'"), seen, problems)
        elif (local := _LOCAL.match(line.text)) is not None:
            problems += _missing(root, line, local[1])
        elif not line.text.startswith("-") and not _PLACE.match(line.text) and not _VARIABLE.search(line.text):
            yield line


def _included(root: Path, line: _Line, target: str, seen: list[str], problems: list[Problem]) -> Iterator[_Line]:
    if "://" in target:
        return
    path = (root / line.file).parent / target
    if path.is_file() and path.resolve().is_relative_to(root.resolve()):
        yield from _lines(root, path.resolve().relative_to(root.resolve()).as_posix(), seen, problems)
        return
    what = f"it includes {target!r}, which is not in the bundle; put the file into the project, or correct the name"
    problems.append(Problem(line.file, line.number, what, "missing_file"))


def _missing(root: Path, line: _Line, path: str) -> Iterator[Problem]:
    """A package in a folder that the bundle does not have. pip looks from the folder that it works in."""
    target = (root / path).resolve()
    if not target.is_relative_to(root.resolve()):
        what = f"it installs {path!r}, which lies outside of the project; put the package into the project"
        yield Problem(line.file, line.number, what, "outside")
    elif not target.exists():
        what = f"it installs {path!r}, which is not in the bundle; correct the path, or what leaves it out"
        yield Problem(line.file, line.number, what, "missing_file")


def _logical(name: str, text: str) -> Iterator[_Line]:
    """The lines as pip reads them: joined where a backslash says so, without comments and options."""
    held, first = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        first = first if held else number
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            held += raw[:-1]
            continue
        whole = _OPTION.sub("", _COMMENT.sub("", held + raw)).strip()
        held = ""
        if whole:
            yield _Line(name, first, whole)


def _pin(requirement: Requirement) -> Version | None:
    """The one version that a requirement allows."""
    pins = [
        one.version for one in requirement.specifier if one.operator in ("==", "===") and not one.version.endswith("*")
    ]
    try:
        return Version(pins[0]) if len(pins) == 1 else None
    except InvalidVersion:
        return None
