"""The packages that `uv.lock` and `poetry.lock` pin, as requirements that pip takes: the tool itself may be missing."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker, default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from ..errors import DeployError

__all__ = ["marker_environment", "of_poetry", "of_uv"]

Package = Mapping[str, Any]


def marker_environment(python: str) -> dict[str, str]:
    """What markers are compared with, on this machine.

    Parameters:
      python: the full version of the interpreter, such as ``3.12.1``.
    """
    found = {name: str(value) for name, value in default_environment().items()}
    minor = ".".join(python.split(".")[:2])
    return found | {"python_version": minor, "python_full_version": python, "implementation_version": python}


def of_uv(file: Path, environment: Mapping[str, str], left_out: Collection[str] = ()) -> list[str]:
    """The requirements of the project's own dependencies in `uv.lock`, with hashes; groups and extras are left out.

    Parameters:
      environment: see `marker_environment`. `left_out`: names of packages that are not wanted themselves.

    Errors: `DeployError` for a lock that does not hold the project.
    """
    packages = tomllib.loads(file.read_text(encoding="utf-8")).get("package", [])
    roots = [package for package in packages if _own_path(package) == "."]
    if not roots:
        raise DeployError(f"{file.name} does not hold the project itself; run: uv lock")
    by_name: dict[str, list[Package]] = {}
    for package in packages:
        by_name.setdefault(canonicalize_name(package["name"]), []).append(package)
    wanted: dict[tuple[str, str], Package] = {}
    seen: set[tuple[str, str, str]] = set()
    ahead: list[tuple[Package, str]] = [(root, "") for root in roots]
    while ahead:
        package, extra = ahead.pop()
        key = (package["name"], str(package.get("version", "")), extra)
        if key in seen:
            continue
        seen.add(key)
        if package not in roots:
            wanted[key[:2]] = package
        edges = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
        for edge in edges:
            if not _applies(edge.get("marker"), environment):
                continue
            for found in by_name.get(canonicalize_name(edge["name"]), []):
                if "version" in edge and edge["version"] != found.get("version"):
                    continue
                if "source" in edge and edge["source"] != found.get("source"):
                    continue
                ahead += [(found, ""), *((found, name) for name in edge.get("extra", []))]
    kept = [package for package in wanted.values() if canonicalize_name(package["name"]) not in left_out]
    return _with_hashes([(_line_of_uv(package), _hashes_of_uv(package)) for package in kept])


def of_poetry(
    file: Path, project: Mapping[str, Any], environment: Mapping[str, str], left_out: Collection[str] = ()
) -> list[str]:
    """The requirements of the group main in `poetry.lock`, with hashes.

    Parameters:
      project: `pyproject.toml`, whose dependencies older locks are walked from. The others as of `of_uv`.
    """
    packages = tomllib.loads(file.read_text(encoding="utf-8")).get("package", [])
    if all("groups" in package for package in packages):
        kept = [package for package in packages if _is_main(package, environment)]
    else:
        kept = _walked(packages, _roots(project, environment), environment)
    kept = [package for package in kept if canonicalize_name(package["name"]) not in left_out]
    indexes = sorted(
        {package["source"]["url"] for package in kept if package.get("source", {}).get("type") == "legacy"}
    )
    lines = _with_hashes([(_line_of_poetry(package), _hashes_of_poetry(package)) for package in kept])
    return [*(f"--extra-index-url {index}" for index in indexes), *lines]


def _with_hashes(found: list[tuple[str, list[str]]]) -> list[str]:
    """pip asks for hashes of all or none."""
    found = sorted(found)
    if not all(hashes for _, hashes in found):
        return [line for line, _ in found]
    return [" ".join([line, *(f"--hash={digest}" for digest in sorted(hashes))]) for line, hashes in found]


def _applies(marker: object, environment: Mapping[str, str]) -> bool:
    if not isinstance(marker, str) or not marker:
        return True
    return Marker(marker).evaluate({**environment, "extra": ""})


def _own_path(package: Package) -> str | None:
    source = package.get("source", {})
    return next((source[key] for key in ("virtual", "editable", "directory") if key in source), None)


def _line_of_uv(package: Package) -> str:
    source = package.get("source", {})
    name = package["name"]
    if "git" in source:
        address, _, commit = source["git"].partition("#")
        return f"{name} @ git+{address.partition('?')[0]}@{commit}"
    if "url" in source:
        return f"{name} @ {source['url']}"
    path = source.get("path") or _own_path(package)
    if path is not None:
        return f"./{path}" if not str(path).startswith((".", "/")) else str(path)
    return f"{name}=={package['version']}"


def _hashes_of_uv(package: Package) -> list[str]:
    if not {"registry", "url"}.intersection(package.get("source", {})):
        return []
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    return [file["hash"] for file in files if "hash" in file]


def _is_main(package: Package, environment: Mapping[str, str]) -> bool:
    if "main" not in package["groups"] or package.get("optional", False):
        return False
    markers = package.get("markers")
    return _applies(markers.get("main") if isinstance(markers, Mapping) else markers, environment)


def _roots(project: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    own = project.get("tool", {}).get("poetry", {}).get("dependencies", {})
    names = [name for name, edge in own.items() if name != "python" and _edge_applies(edge, environment)]
    for text in project.get("project", {}).get("dependencies", []):
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise DeployError(f"pyproject.toml: the dependency {text!r} cannot be read: {error}") from None
        if requirement.marker is None or requirement.marker.evaluate(dict(environment)):
            names.append(requirement.name)
    return names


def _walked(packages: list[Package], roots: list[str], environment: Mapping[str, str]) -> list[Package]:
    by_name: dict[str, list[Package]] = {}
    for package in packages:
        if _python_fits(package.get("python-versions", "*"), environment):
            by_name.setdefault(canonicalize_name(package["name"]), []).append(package)
    kept: dict[str, Package] = {}
    ahead = [canonicalize_name(name) for name in roots]
    while ahead:
        name = ahead.pop()
        if name in kept or name not in by_name:
            continue
        kept[name] = by_name[name][-1]
        edges: Mapping[str, object] = kept[name].get("dependencies", {})
        ahead += [canonicalize_name(inner) for inner, edge in edges.items() if _edge_applies(edge, environment)]
    return list(kept.values())


def _edge_applies(edge: object, environment: Mapping[str, str]) -> bool:
    return any(_variant_applies(variant, environment) for variant in _variants(edge))


def _variants(edge: object) -> Iterator[object]:
    yield from edge if isinstance(edge, list) else (edge,)


def _variant_applies(edge: object, environment: Mapping[str, str]) -> bool:
    if not isinstance(edge, Mapping):
        return True
    if edge.get("optional", False):
        return False
    return _applies(edge.get("markers"), environment) and _python_fits(str(edge.get("python", "*")), environment)


def _python_fits(wanted: str, environment: Mapping[str, str]) -> bool:
    try:
        return wanted == "*" or SpecifierSet(wanted).contains(environment["python_full_version"], prereleases=True)
    except InvalidSpecifier:
        return True


def _line_of_poetry(package: Package) -> str:
    source = package.get("source", {})
    name = package["name"]
    match source.get("type"):
        case "git":
            return f"{name} @ git+{source['url']}@{source['resolved_reference']}"
        case "url":
            return f"{name} @ {source['url']}"
        case "directory" | "file":
            path = str(source["url"])
            return path if path.startswith((".", "/")) else f"./{path}"
    return f"{name}=={package['version']}"


def _hashes_of_poetry(package: Package) -> list[str]:
    if package.get("source", {}).get("type") in ("git", "directory", "file"):
        return []
    return [file["hash"] for file in package.get("files", []) if "hash" in file]
