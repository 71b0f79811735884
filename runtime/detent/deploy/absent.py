"""Packages that only the machines of workers have, while a project is described on one without them.

A task file that says ``import torch`` shall be read where there is no torch: its names stand for nothing until a worker
imports the real one.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import re
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

__all__ = ["stand_in_for"]

#: Distributions that are imported by another name.
_IMPORTED_AS = {
    "beautifulsoup4": "bs4", "faiss-cpu": "faiss", "faiss-gpu": "faiss", "onnxruntime-gpu": "onnxruntime",
    "opencv-python": "cv2", "opencv-python-headless": "cv2", "pillow": "PIL", "protobuf": "google",
    "pycryptodome": "Crypto", "python-dotenv": "dotenv", "pytorch": "torch", "pyyaml": "yaml",
    "scikit-image": "skimage", "scikit-learn": "sklearn", "tensorflow-gpu": "tensorflow",
}  # fmt: skip


def stand_in_for(packages: Iterable[str]) -> None:
    """From now on in this process, imports of `packages` that are not installed give modules that hold anything."""
    names = set()
    for package in packages:
        plain = re.sub(r"[-_.]+", "-", package).lower()
        names |= {_IMPORTED_AS.get(plain, plain.replace("-", "_")), package}
    if names:
        sys.meta_path.append(_Finder(frozenset(names)))


class _AnyType(type):
    """The type of what stands in: its attributes are more of the kind."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _anything(f"{cls.__name__}.{name}")


class _Anything(metaclass=_AnyType):
    """May be a base class, be called, and decorate: a function that it decorates stays what it is."""

    def __init__(self, *arguments: object, **named: object) -> None:
        """With any arguments."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if len(arguments) == 1 and not named and callable(arguments[0]):
            return arguments[0]
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _anything(name)

    def __bool__(self) -> bool:
        return False


def _anything(name: str) -> Any:
    return _AnyType(name.rpartition(".")[2], (_Anything,), {})


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return "0"
        if name.startswith("__"):
            raise AttributeError(name)
        return _anything(name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The last one that is asked, so that what is installed goes first."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        top = fullname.partition(".")[0]
        if top not in self._names or not isinstance(sys.modules.get(top, _Module(top)), _Module):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""
