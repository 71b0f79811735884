"""Whether the lock file of a project was made from what its `pyproject.toml` says now."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from .local_sources import check_local_sources
from .problems import Problem
from .requirements_check import check_requirements, read_text

__all__ = ["check_lock", "check_python"]

_PYPROJECT = "pyproject.toml"
_POETRY_KEYS = ("dependencies", "source", "extras", "dev-dependencies", "group")
_POETRY_PROJECT_KEYS = ("requires-python", "dependencies", "optional-dependencies")
_ELSEWHERE = frozenset({"directory", "editable", "git", "path", "url", "virtual", "workspace"})
#: Forms of `poetry.lock` that are known.
_POETRY_FORMS = ("1.", "2.")


def check_lock(root: Path) -> list[Problem]:
    """What is wrong between a project's `pyproject.toml` and its lock file: that of uv, else that of poetry, else
    `requirements.txt`. Nothing is asked of a registry."""
    text = read_text(root / _PYPROJECT)
    try:
        project = _with_tables(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        return [Problem(_PYPROJECT, _line_in(error), f"it is not TOML: {error}; correct it", "bad_project")]
    shapes = list(_bad_shapes(project, text))
    if shapes:
        return shapes
    problems = [*_bad_requirements(project, text), *check_local_sources(root, project, text)]
    if (root / "uv.lock").is_file() and text:
        problems += _uv(project, text, read_text(root / "uv.lock"))
    elif (root / "poetry.lock").is_file() and text:
        problems += _poetry(project, read_text(root / "poetry.lock"))
    elif (root / "requirements.txt").is_file():
        problems += check_requirements(root, list(_requirements(project)))
    return problems


def check_python(root: Path, version: str) -> list[Problem]:
    """Whether the project says that it does not run with this version of Python."""
    text = read_text(root / _PYPROJECT)
    try:
        wanted = _with_tables(tomllib.loads(text)).get("project", {}).get("requires-python")
        if not isinstance(wanted, str) or SpecifierSet(wanted).contains(Version(version), prereleases=True):
            return []
    except (tomllib.TOMLDecodeError, InvalidSpecifier):
        return []  # said by `check_lock`
    what = (
        f"requires-python is {wanted!r}, and Python {version} is what the project would run with; change it, or name "
        "another Python in .python-version"
    )
    return [Problem(_PYPROJECT, _line_of(text, "requires-python"), what, "wrong_python")]


def _with_tables(project: dict[str, Any]) -> dict[str, Any]:
    """`pyproject.toml` without what stands where tables belong."""
    return {name: value for name, value in project.items() if isinstance(value, dict)}


def _bad_shapes(project: dict[str, Any], text: str) -> Iterator[Problem]:
    """Lists of requirements that are none."""
    table = project.get("project", {})
    extras = table.get("optional-dependencies", {})
    lists = {"dependencies": table.get("dependencies", [])}
    if not isinstance(extras, dict):
        what = f"optional-dependencies is {extras!r}; expected a table of lists"
        yield Problem(_PYPROJECT, _line_of(text, "optional-dependencies"), what, "bad_requirement")
        return
    lists |= extras
    for name, listed in lists.items():
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            what = f'{name} is {listed!r}; expected a list of requirements, such as ["httpx>=0.28"]'
            yield Problem(_PYPROJECT, _line_of(text, name), what, "bad_requirement")


def _bad_requirements(project: dict[str, Any], text: str) -> Iterator[Problem]:
    """Requirements and a range of Pythons that nobody can read."""
    for written in _written(project):
        try:
            Requirement(written)
        except InvalidRequirement as error:
            first = str(error).splitlines()[0]
            what = f'{written!r} is no requirement: {first}; expected a name and versions, such as "httpx>=0.28"'
            yield Problem(_PYPROJECT, _line_of(text, written), what, "bad_requirement")
    wanted = project.get("project", {}).get("requires-python")
    if wanted is not None:
        try:
            SpecifierSet(str(wanted))
        except InvalidSpecifier:
            what = f'requires-python is {wanted!r}; expected versions, such as ">=3.11"'
            yield Problem(_PYPROJECT, _line_of(text, "requires-python"), what, "bad_requirement")


def _uv(project: dict[str, Any], text: str, lock_text: str) -> Iterator[Problem]:
    advice = "run: uv lock"
    try:
        lock = tomllib.loads(lock_text)
    except tomllib.TOMLDecodeError as error:
        yield Problem("uv.lock", _line_in(error), f"it is not TOML: {error}; {advice}", "lock_mismatch")
        return
    table = project.get("project", {})
    if "name" not in table:
        return
    own = _own_package(lock, str(table["name"]))
    if own is None:
        what = f"it does not lock the project {table['name']!r} of this {_PYPROJECT}; {advice}"
        yield Problem("uv.lock", None, what, "lock_mismatch")
        return
    wanted, locked = table.get("requires-python"), lock.get("requires-python")
    if wanted is not None and locked is not None and _range(wanted) != _range(locked):
        what = f"requires-python is {wanted!r}, and uv.lock was made for {locked!r}; {advice}"
        yield Problem(_PYPROJECT, _line_of(text, "requires-python"), what, "lock_mismatch")
    if "dependencies" in table.get("dynamic", []):
        return
    requires = own.get("metadata", {}).get("requires-dist", [])
    known = {_locked_form(entry) for entry in requires}
    names = set()
    for requirement, written in _parsed(_written(project)):
        form = _form(requirement)
        names.add(form.name)
        # What is taken from elsewhere than a registry has no versions in the lock file.
        if form not in known and form._replace(versions=None) not in known:
            what = f"{written!r} is not what uv.lock was made from; {advice}"
            yield Problem(_PYPROJECT, _line_of(text, written), what, "lock_mismatch")
    for name in sorted({form.name for form in known} - names):
        what = f"it locks {name!r} for the project, which {_PYPROJECT} does not ask for any more; {advice}"
        yield Problem("uv.lock", _line_of(lock_text, f'name = "{name}"'), what, "lock_mismatch")


def _poetry(project: dict[str, Any], lock_text: str) -> Iterator[Problem]:
    try:
        metadata = tomllib.loads(lock_text).get("metadata", {})
    except tomllib.TOMLDecodeError as error:
        what = f"it is not TOML: {error}; run: poetry lock"
        yield Problem("poetry.lock", _line_in(error), what, "lock_mismatch")
        return
    known = metadata.get("content-hash")
    if known is None or not str(metadata.get("lock-version", "1.0")).startswith(_POETRY_FORMS):
        return
    if known not in set(_poetry_hashes(project)):
        what = f"it was not made from what {_PYPROJECT} says now; run: poetry lock"
        yield Problem("poetry.lock", _line_of(lock_text, "content-hash"), what, "lock_mismatch")


def _poetry_hashes(project: dict[str, Any]) -> Iterator[str]:
    """The hashes that versions of poetry give to a `pyproject.toml`: those before 2.0 read `[tool.poetry]` alone, those
    before 2.2 no groups."""
    tool = project.get("tool", {}).get("poetry", {})
    legacy = {key: tool.get(key) for key in _POETRY_KEYS if key != "group" or key in tool}
    present = {key: tool[key] for key in _POETRY_KEYS if key in tool}
    table = {key: value for key in _POETRY_PROJECT_KEYS if (value := project.get("project", {}).get(key)) is not None}
    groups = project.get("dependency-groups", {})
    contents: list[dict[str, Any]] = [legacy]
    if table:
        contents.append({"project": table, "tool": {"poetry": present}})
    if groups:
        standard = {"project": table} if table else {}
        contents.append({**standard, "dependency-groups": groups, "tool": {"poetry": present}})
    for content in contents:
        yield hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _own_package(lock: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The entry of the project itself."""
    wanted = canonicalize_name(name)
    for package in lock.get("package", []):
        source = package.get("source", {})
        if (
            canonicalize_name(str(package.get("name", ""))) == wanted
            and {"virtual", "editable", "directory"} & source.keys()
        ):
            return dict(package)
    return None


class _Form(NamedTuple):
    """What makes a requirement the same as another one, however they are written. Markers are left out, since uv writes
    its own. `versions`: None for what is not taken from a registry."""

    name: str
    versions: str | None
    extras: frozenset[str]


def _form(requirement: Requirement) -> _Form:
    versions = None if requirement.url else _range(str(requirement.specifier))
    return _Form(canonicalize_name(requirement.name), versions, frozenset(map(canonicalize_name, requirement.extras)))


def _locked_form(entry: dict[str, Any]) -> _Form:
    elsewhere = _ELSEWHERE & entry.keys()
    versions = None if elsewhere else _range(entry.get("specifier", ""))
    return _Form(canonicalize_name(entry["name"]), versions, frozenset(map(canonicalize_name, entry.get("extras", []))))


def _range(versions: str) -> str:
    try:
        return ",".join(sorted(str(one) for one in SpecifierSet(versions)))
    except InvalidSpecifier:
        return versions


def _parsed(listed: Iterable[Any]) -> Iterator[tuple[Requirement, str]]:
    for written in listed:
        try:
            yield Requirement(str(written)), str(written)
        except InvalidRequirement:
            continue


def _requirements(project: dict[str, Any]) -> Iterator[Requirement]:
    for requirement, _ in _parsed(project.get("project", {}).get("dependencies", [])):
        yield requirement


def _written(project: dict[str, Any]) -> Iterator[str]:
    table = project.get("project", {})
    yield from map(str, table.get("dependencies", []))
    for listed in table.get("optional-dependencies", {}).values():
        yield from map(str, listed)


def _line_of(text: str, part: str) -> int | None:
    """The first line that holds `part`."""
    lines = (number for number, line in enumerate(text.splitlines(), 1) if part in line)
    return next(lines, None)


def _line_in(error: tomllib.TOMLDecodeError) -> int | None:
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else None
