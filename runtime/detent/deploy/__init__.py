"""Bring a project to an environment: bundles, versions, promotion."""

from .bundle import build_bundle
from .entries import Bundle, FileEntry
from .extraction import check_bundle, extract_bundle
from .locks import Lock, lock_of
from .problems import Problem
from .venvs import Environments, cache_folder

__all__ = [
    "Bundle",
    "Environments",
    "FileEntry",
    "Lock",
    "Problem",
    "build_bundle",
    "cache_folder",
    "check_bundle",
    "extract_bundle",
    "lock_of",
]
