"""Bring a project to an environment: bundles, versions, promotion."""

from .bundle import build_bundle
from .entries import Bundle, FileEntry
from .extraction import check_bundle, extract_bundle
from .problems import Problem

__all__ = ["Bundle", "FileEntry", "Problem", "build_bundle", "check_bundle", "extract_bundle"]
