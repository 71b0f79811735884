"""From a folder to what an environment is given: a bundle, and what is in it.

The bundle is made first and taken apart in an empty place; there the environment of its lock file imports the tasks. So
a file that the bundle lacks, or a package that the lock lacks, is found before anything is sent.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ..config import Config, load_config
from ..errors import DeployError
from ..model.deployment_views import GitState
from ..model.manifest import Manifest
from .bundle import build_bundle
from .checking import check_project
from .entries import Bundle
from .extraction import extract_bundle
from .git import git_state
from .lock_check import check_lock, check_python
from .locks import lock_of
from .problems import Problem, refuse
from .reading import read_project

__all__ = ["Build", "MakesEnvironments", "build_project"]


class MakesEnvironments(Protocol):
    """Makes virtual environments for projects."""

    def ensure(self, project: Path, *, on_line: Callable[[str], None], external: Sequence[str]) -> Path:
        """The Python of an environment with the packages of the project in the folder `project`, without those that the
        machine brings itself (`external`), and with detent.

        Errors: `DeployError` with what the resolver says.
        """
        ...


@dataclass(frozen=True, slots=True)
class Build:
    """A project that can be deployed. `manifest`: what it can run; files in it are from the project's folder.
    `lock_hash`: of what decides its packages. `python`, `detent`: the versions that it was imported with. `git`: None
    outside of a repository."""

    bundle: Bundle
    manifest: Manifest
    lock_hash: str
    python: str
    detent: str
    git: GitState | None


def build_project(
    config: Config,
    into: Path,
    *,
    environments: MakesEnvironments,
    variables: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    on_bundle: Callable[[Bundle], None] | None = None,
) -> Build:
    """Make the bundle of a project and see that it can run.

    Parameters:
      config: of the project.
      into: the folder for the bundle.
      environments: makes the environment that its tasks are imported in.
      variables: of the environment that it is for, which task files may read while they are imported.
      on_line: is called with each line to show. `on_bundle`: is called with the bundle, before it is looked into; what
        it raises ends the build.

    Errors: `DeployError` with everything that would fail later, each with file and line and what to do.
    """
    tell = on_line or _silent
    git = git_state(config.root)
    bundle = build_bundle(config, into, on_line=tell)
    tell(f"bundle {bundle.hash[:12]}: {len(bundle.files)} files, {bundle.bytes:,} bytes")
    if on_bundle is not None:
        on_bundle(bundle)
    with tempfile.TemporaryDirectory(prefix="detent-build-") as folder:
        # The folder is called as the project is, since packages and messages may show its name.
        root = Path(folder).resolve() / (config.root.name or "project")
        extract_bundle(bundle.path, bundle.hash, root)
        problems = check_lock(root)
        try:
            lock = lock_of(root)
            if lock.kind == "pyproject":
                tell("there is no lock file: each machine takes the newest packages that fit; pin them by: uv lock")
            python = environments.ensure(root, on_line=tell, external=config.deploy.external)
        except DeployError:
            # A lock file that does not fit is why, or at least what to mend first.
            refuse(_HEAD, problems)
            raise
        tell("importing the tasks")
        description = read_project(root, python, variables=variables, stand_ins=True, on_line=tell)
        of_bundle = load_config(env={"DETENT_PROJECT_DIR": str(root)})
        found = [*check_project(description, of_bundle), *check_python(root, description.python)]
        problems += [_explained(problem, config, bundle) for problem in found]
        refuse(_HEAD, problems)
    return Build(bundle, description.manifest, lock.hash, description.python, description.detent, git)


_HEAD = "the project cannot be deployed"


def _explained(problem: Problem, config: Config, bundle: Bundle) -> Problem:
    """A problem that is there only because ignore files keep files out says so."""
    names = [file.name for file in bundle.files]
    if problem.code == "import_failed":
        missing = re.search(r"No module named '([\w.]+)'", problem.message)
        path = "" if missing is None else missing[1].replace(".", "/")
        left = next((name for name in (f"{path}.py", path) if path and (config.root / name).exists()), None)
        if left is None or any(name == left or name.startswith(f"{left}/") for name in names):
            return problem
        return replace(problem, message=f"{problem.message}\n    {_left_out(left, config)}")
    if problem.code not in ("missing_dir", "no_dirs", "no_tasks"):
        return problem
    for folder in config.dirs:
        if not folder.exists() or not folder.is_relative_to(config.root):
            continue
        name = folder.relative_to(config.root).as_posix()
        if not any(one == name or one.startswith(f"{name}/") or name == "." for one in names):
            return replace(problem, message=_left_out(name, config))
    return problem


def _left_out(name: str, config: Config) -> str:
    pattern = f"{name}/" if (config.root / name).is_dir() else name
    return (
        f"{name} is not in the bundle, since .gitignore, .detentignore or exclude leave it out; correct them, or set "
        f'include = ["{pattern}"] in {config.deploy.place}'
    )


def _silent(line: str) -> None:
    """Of those who do not want to hear."""
