"""detent itself in the environments of projects: the one that this process runs, with what it needs.

It is taken over from this process's own environment, file by file, without a resolver and without a network, where the
lock does not bring it. What this environment does not have is installed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..errors import DeployError

__all__ = ["OwnPackages", "comes_from_here", "own_version", "site_of"]

_NAME = "detent"
_SOURCES = ("detent", "detent_cli", "detent_mcp")


@dataclass(slots=True)
class OwnPackages:
    """What is to be done so that detent runs in an environment.

    `taken`: distributions of this environment that are taken over. `missing`: requirements that neither has.
    """

    taken: list[metadata.Distribution] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @classmethod
    def plan(
        cls, site: Path, names: Iterable[str], marker: dict[str, str], *, as_here: bool, lock: str | None
    ) -> OwnPackages:
        """For the packages in `site`, see `site_of`.

        Parameters:
          names: what is wanted, such as ``detent[openai]``. `marker`: what markers are compared with.
          as_here: the environment's Python is like this process's. `lock`: the name of the file whose versions count.

        Errors: `DeployError` for a package that the lock holds in a version that detent cannot use.
        """
        found = cls()
        there = {_canonical(one): one for one in metadata.distributions(path=[str(site)])}
        here = {} if not as_here else {_canonical(one): one for one in metadata.distributions()}
        own = _own()
        ahead = [(Requirement(name), "") for name in names]
        seen: set[str] = set()
        while ahead:
            wanted, by = ahead.pop()
            if str(wanted) in seen or not _applies(wanted, marker):
                continue
            seen.add(str(wanted))
            name = canonicalize_name(wanted.name)
            installed = there.get(name)
            if installed is not None:
                if not wanted.specifier.contains(installed.version, prereleases=True):
                    if by != own.metadata["Name"] and name != _NAME:
                        # What is here was resolved without the lock: a resolver may find other versions.
                        return cls([own], [str(need) for need, _ in _needs(own, (), marker)])
                    raise DeployError(
                        f"{lock or 'the project'} brings {installed.metadata['Name']} {installed.version}, and {by} "
                        f"needs {wanted}; allow that version"
                        + (f" and make {lock} anew" if lock in ("uv.lock", "poetry.lock") else "")
                    )
                if not wanted.extras:
                    continue
                ahead += _needs(installed, wanted.extras, marker)
                continue
            mine = own if name == _NAME else here.get(name)
            if mine is None or not wanted.specifier.contains(mine.version, prereleases=True):
                found.missing.append(str(wanted))
                continue
            if mine not in found.taken:
                found.taken.append(mine)
            ahead += _needs(mine, wanted.extras, marker)
        return found

    def put_into(self, site: Path) -> None:
        """Take over what is to be taken over. Errors: `DeployError` where a file of this environment is missing."""
        for distribution in self.taken:
            _take_over(distribution, site)


def comes_from_here() -> bool:
    """Whether detent was installed from a file or a folder, or is run from a checkout: no index has just this one."""
    try:
        own = metadata.distribution(_NAME)
    except metadata.PackageNotFoundError:
        return True
    return own.read_text("direct_url.json") is not None or _own_roots(own) != []


def own_version() -> str:
    """The version of detent in this process, and, of a checkout, where it is and what it needs by now: what an
    environment depends on."""
    own = _own()
    roots = _own_roots(own)
    needs = sha256("\n".join(own.requires or ()).encode()).hexdigest() if roots else ""
    return " ".join([own.version, *(str(root) for root in roots), needs]).rstrip()


def site_of(environment: Path) -> Path:
    """Where an environment keeps its packages."""
    if os.name == "nt":
        return environment / "Lib" / "site-packages"
    return next((environment / "lib").glob("*/site-packages"))


def _own() -> metadata.Distribution:
    try:
        return metadata.distribution(_NAME)
    except metadata.PackageNotFoundError:
        raise DeployError(
            "detent runs here without being installed, so that what it needs is not known; install it: pip install -e ."
        ) from None


def _own_roots(own: metadata.Distribution) -> list[Path]:
    """The folders of a checkout that have to be on ``sys.path``; none where detent is installed as others are."""
    installed = Path(str(own.locate_file(""))).resolve()
    found = []
    for source in _SOURCES:
        spec = find_spec(source)
        if spec is None or spec.origin is None:
            continue
        root = Path(spec.origin).resolve().parents[1]
        if root != installed and root not in found:
            found.append(root)
    return found


def _needs(
    distribution: metadata.Distribution, extras: Iterable[str], marker: dict[str, str]
) -> list[tuple[Requirement, str]]:
    found = []
    for text in distribution.requires or ():
        wanted = Requirement(text)
        if _applies(wanted, marker, extras):
            bare = Requirement(text)
            bare.marker = None
            found.append((bare, distribution.metadata["Name"]))
    return found


def _applies(wanted: Requirement, marker: dict[str, str], extras: Iterable[str] = ()) -> bool:
    if wanted.marker is None:
        return True
    return any(wanted.marker.evaluate({**marker, "extra": extra}) for extra in ("", *extras))


def _canonical(distribution: metadata.Distribution) -> str:
    return canonicalize_name(distribution.metadata["Name"] or "")


def _take_over(distribution: metadata.Distribution, site: Path) -> None:
    name = distribution.metadata["Name"]
    if canonicalize_name(name) == _NAME:
        roots = _own_roots(distribution)
        if roots:
            (site / "detent-checkout.pth").write_text("".join(f"{root}\n" for root in roots), encoding="utf-8")
            about = site / f"detent-{distribution.version}.dist-info"
            about.mkdir(exist_ok=True)
            (about / "METADATA").write_text(distribution.read_text("METADATA") or "", encoding="utf-8")
            (about / "RECORD").write_text("", encoding="utf-8")
            return
    files = distribution.files
    if files is None:
        raise DeployError(f"the package {name} of this environment has no list of its files; install it again")
    for file in files:
        # What lies outside, its programs, begins with the name of this environment's interpreter.
        if ".." in file.parts or file.is_absolute() or file.suffix == ".pyc" or "__pycache__" in file.parts:
            continue
        source, target = Path(str(distribution.locate_file(file))), site / file
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(source, target)
        except FileNotFoundError:
            raise DeployError(f"{file} of the package {name} is missing here; install {name} again") from None
