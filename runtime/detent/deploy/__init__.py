"""Bring a project to an environment: bundles, versions, promotion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..model.deployment_views import GitState
    from .building import Build, MakesEnvironments, build_project
    from .bundle import build_bundle
    from .checking import check_project
    from .deploying import deploy
    from .description import Description
    from .entries import Bundle, FileEntry
    from .events import DeployEvent
    from .extraction import check_bundle, extract_bundle
    from .failing import DeploymentCanceled, DeploymentFailed
    from .git import git_state
    from .lock_check import check_lock, check_python
    from .locks import Lock, lock_of
    from .problems import Problem
    from .reading import read_project
    from .system_packages import check_system_packages, missing_system_packages
    from .venvs import Environments, cache_folder

__all__ = [
    "Build",
    "Bundle",
    "DeployEvent",
    "DeploymentCanceled",
    "DeploymentFailed",
    "Description",
    "Environments",
    "FileEntry",
    "GitState",
    "Lock",
    "MakesEnvironments",
    "Problem",
    "build_bundle",
    "build_project",
    "cache_folder",
    "check_bundle",
    "check_lock",
    "check_project",
    "check_python",
    "check_system_packages",
    "deploy",
    "extract_bundle",
    "git_state",
    "lock_of",
    "missing_system_packages",
    "read_project",
]

#: Names are loaded at first use: servers need a few of them only.
_HOMES = {
    "Build": ".building",
    "Bundle": ".entries",
    "DeployEvent": ".events",
    "DeploymentCanceled": ".failing",
    "DeploymentFailed": ".failing",
    "Description": ".description",
    "Environments": ".venvs",
    "FileEntry": ".entries",
    "GitState": "..model.deployment_views",
    "Lock": ".locks",
    "MakesEnvironments": ".building",
    "Problem": ".problems",
    "build_bundle": ".bundle",
    "build_project": ".building",
    "cache_folder": ".venvs",
    "check_bundle": ".extraction",
    "check_lock": ".lock_check",
    "check_project": ".checking",
    "check_python": ".lock_check",
    "check_system_packages": ".system_packages",
    "deploy": ".deploying",
    "extract_bundle": ".extraction",
    "git_state": ".git",
    "lock_of": ".locks",
    "missing_system_packages": ".system_packages",
    "read_project": ".reading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'detent.deploy' has no name {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
