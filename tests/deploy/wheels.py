"""Tiny packages in a folder, as an index that needs no network."""

from __future__ import annotations

import hashlib
import os
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path

import pytest


def wheel(folder: Path, name: str, version: str, needs: Sequence[str] = (), source: str = "") -> str:
    """Write a wheel; its hash as lock files write it."""
    folder.mkdir(parents=True, exist_ok=True)
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": source or f'VERSION = "{version}"\n',
        f"{about}/METADATA": "\n".join(
            [
                "Metadata-Version: 2.1",
                f"Name: {name}",
                f"Version: {version}",
                *(f"Requires-Dist: {n}" for n in needs),
                "",
            ]
        ),
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_hash(text)},{len(text)}\n" for path, text in files.items()) + f"{about}/RECORD,,\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in (files | {f"{about}/RECORD": record}).items():
            archive.writestr(zipfile.ZipInfo(file, (2026, 1, 1, 0, 0, 0)), text)
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def only_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let installers find packages in `folder` alone, and ask nobody else."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def _hash(text: str) -> str:
    return "sha256=" + urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
