"""Fill a new environment with what a lock says."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from ..errors import DeployError
from .installers import Installer, Uv, program_of
from .locks import Lock
from .own_packages import OwnPackages, comes_from_here, site_of
from .pinned import marker_environment, of_poetry, of_uv
from .pythons import Interpreter
from .requirement_files import package_of

__all__ = ["fill"]

OnLine = Callable[[str], None]


def fill(
    environment: Path,
    lock: Lock,
    python: Interpreter,
    *,
    project: Path,
    installer: Installer,
    say: OnLine,
    external: Sequence[str] = (),
    extras: Sequence[str] = (),
) -> None:
    """Install what `lock` pins, or the project's dependencies, into `environment`; then detent with `extras`, where it
    is not among them, and the `external` packages.

    Errors: `DeployError`.
    """
    brought = [canonicalize_name(name) for name in external]
    # No index has the detent of a checkout, nor one that was installed from a file.
    own = {"detent"} if comes_from_here() else set()
    left_out = {*brought, *own}
    marker = marker_environment(python.version)
    if lock.kind == "uv" and isinstance(installer, Uv):
        installer.sync(environment, sorted(left_out), project, say)
        wanted = ["detent"]
    else:
        lines, constraints, wanted = _lines(lock, marker, left_out)
        _install(environment, lines, constraints, project=project, installer=installer, say=say)
    if extras:
        wanted.append(f"detent[{','.join(extras)}]")
    site = site_of(environment)
    name = lock.file.name if lock.file is not None else None
    plan = OwnPackages.plan(site, wanted, marker, as_here=python.is_as_here, lock=name)
    plan.put_into(site)
    if plan.missing:
        say(f"detent needs {', '.join(plan.missing)}, too")
        there = [(one.metadata["Name"], one.version) for one in metadata.distributions(path=[str(site)])]
        pins = [f"{name}=={version}" for name, version in there if name != "detent"]
        _install(environment, plan.missing, pins, project=project, installer=installer, say=say)
    if brought:
        _bring(site, brought, marker, python, say)


def _lines(lock: Lock, marker: dict[str, str], left_out: Collection[str]) -> tuple[list[str], list[str], list[str]]:
    """What to install, the constraints of it, and what is wanted of detent."""
    constraints: list[str] = []
    match lock.kind:
        case "uv":
            assert lock.file is not None
            return of_uv(lock.file, marker, left_out), [], ["detent"]
        case "poetry":
            assert lock.file is not None
            return of_poetry(lock.file, lock.project, marker, left_out), [], ["detent"]
        case "requirements":
            assert lock.requirements is not None
            constraints = lock.requirements.constraints
            all_lines = list(lock.requirements.lines)
            if lock.requirements.includes_project:
                all_lines += _dependencies(lock, lock.requirements.project_extras)
        case "pyproject":
            all_lines = _dependencies(lock, ())
        case "none":
            all_lines = []
    lines, wanted = [], ["detent"]
    for line in all_lines:
        package = package_of(line)
        if package is None or package[0] not in left_out:
            lines.append(line)
        elif package[0] == "detent" and package[1]:
            wanted.append(f"detent[{','.join(package[1])}]")
    return lines, constraints, wanted


def _dependencies(lock: Lock, extras: Iterable[str]) -> list[str]:
    table = lock.project.get("project", {})
    found = list(table.get("dependencies", []))
    for extra in extras:
        found += table.get("optional-dependencies", {}).get(extra, [])
    if not all(isinstance(one, str) for one in found):
        raise DeployError('pyproject.toml: project.dependencies must be a list of texts such as ["httpx>=0.28"]')
    return found


def _install(
    environment: Path,
    lines: Sequence[str],
    constraints: Sequence[str],
    *,
    project: Path,
    installer: Installer,
    say: OnLine,
) -> None:
    if not any(not line.startswith("-") for line in lines):
        return
    # Beside the environment: the project's folder stays as it is.
    file, limits = environment / "requirements.txt", environment / "constraints.txt"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    limits.write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
    more = ["-c", str(limits)] if constraints else []
    installer.install(program_of(environment), ["-r", str(file), *more], project, say)


def _bring(site: Path, names: Sequence[str], marker: dict[str, str], python: Interpreter, say: OnLine) -> None:
    """The external packages, with what they need."""
    plan = OwnPackages.plan(site, names, marker, as_here=python.is_as_here, lock=None)
    plan.put_into(site)
    for name in plan.missing:
        say(f"external names {json.dumps(name)}, which is not installed beside detent on this machine")
