"""Which files of a project belong into its bundle.

- The files of the project's folder, without what git ignores and what `.detentignore` names.
- Never: version control, virtual environments, caches, `.detent`. Always: what says which packages are needed.
- A link to a file or a folder of the project is followed: the bundle holds what it leads to. One that leads out of the
  project, nowhere, or round in a circle is refused.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .entries import MOST_FILES
from .ignored import Ignored, is_always_in, never_in
from .names import doubles, name_fault
from .problems import Problem

__all__ = ["Selected", "Selection", "select_files"]


@dataclass(frozen=True, slots=True)
class Selected:
    """A file for the bundle: its name there, where it lies, its size in bytes, whether its owner may run it; `target`
    is the name of the file that a link leads to, else the name."""

    name: str
    path: Path
    bytes: int
    executable: bool
    target: str


@dataclass(slots=True)
class Selection:
    """What belongs into the bundle, sorted by name; what does not although it is no source of doubt (`notes`, one
    sentence each); what keeps the bundle from being made (`problems`)."""

    files: list[Selected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def select_files(root: Path, *, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Selection:
    """Look through a project's folder.

    Parameters:
      root: the folder.
      include: patterns as in `.gitignore`, of files that belong to the bundle although they are ignored.
      exclude: patterns of files that do not; they go before `include`.
    """
    walk = _Walk(root.resolve(), Ignored(root.resolve(), exclude, include))
    walk.folder(walk.root, _Here("", "", (walk.root,), "usual"))
    selection = walk.selection
    selection.files.sort(key=lambda file: file.name)
    for name, other in doubles(file.name for file in selection.files):
        what = f"{other!r} has the same name where case and accents do not count; rename one of them"
        selection.problems.append(Problem(_shown(name), None, what, "same_name"))
    if len(selection.files) > MOST_FILES:
        selection.problems.append(Problem("", None, _too_many(selection.files), "too_many_files"))
    for pattern in walk.ignored.unused([file.name for file in selection.files]):
        selection.problems.append(
            Problem(
                "", None, f"include names {pattern.text!r}, and no file has such a name; correct it", "no_such_file"
            )
        )
    return selection


@dataclass(frozen=True, slots=True)
class _Here:
    """A folder on the way: its name in the bundle, and in the project, which is another one behind a link; the real
    folders from the project down to it; which of its files are taken: what is not ignored ("usual"), what `include`
    names ("named"), everything but what is excluded ("all")."""

    name: str
    real: str
    chain: tuple[Path, ...]
    taking: Literal["usual", "named", "all"]

    def inner(self, name: str) -> tuple[str, str]:
        """The two names of what lies in it."""
        return (f"{self.name}/{name}" if self.name else name, f"{self.real}/{name}" if self.real else name)


class _Walk:
    def __init__(self, root: Path, ignored: Ignored) -> None:
        self.root = root
        self.ignored = ignored
        self.selection = Selection()

    def folder(self, folder: Path, here: _Here) -> None:
        """Take what belongs to the bundle from one folder."""
        self.ignored.enter(folder, here.name)
        self.ignored.enter(folder, here.real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            what = f"this folder cannot be read: {error.strerror}; make it readable, or leave it out by .detentignore"
            self._problem(here.name or ".", what, "unreadable")
            return
        for entry in entries:
            if len(self.selection.files) <= MOST_FILES:
                self._entry(Path(entry.path), here)

    def _entry(self, path: Path, here: _Here) -> None:
        try:
            mode = path.lstat().st_mode
        except OSError:
            return  # it went away
        name, real = here.inner(path.name)
        is_folder, is_link = stat.S_ISDIR(mode), stat.S_ISLNK(mode)
        if never_in(path, is_folder=path.is_dir() if is_link else is_folder):
            return
        taking = self._taking(name, real, here, is_folder)
        if taking is None:
            return
        if is_link:
            self._link(path, name, here)
        elif is_folder:
            self.folder(path, _Here(name, real, (*here.chain, path), taking))
        elif stat.S_ISREG(mode):
            self._file(path, name, real)
        else:
            kind = "a socket" if stat.S_ISSOCK(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device"
            self.selection.notes.append(f"{_shown(name)} is {kind} and is left out")

    def _taking(self, name: str, real: str, here: _Here, is_folder: bool) -> Literal["usual", "named", "all"] | None:
        """What to take of this file or folder; None when it is left out."""
        if not is_folder and is_always_in(name):
            return "all"
        if any(self.ignored.excludes(one, is_folder=is_folder) for one in {name, real}):
            return None
        if here.taking == "all" or self.ignored.includes(name, is_folder=is_folder):
            return "all"
        if here.taking == "usual" and not any(self.ignored.ignores(one, is_folder=is_folder) for one in {name, real}):
            return "usual"
        return "named" if is_folder and self.ignored.has_include else None

    def _link(self, path: Path, name: str, here: _Here) -> None:
        aim = path.readlink().as_posix()
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            self._problem(name, f"it is a link to {aim!r}, which leads nowhere; remove or mend it", "bad_link")
            return
        if not real.is_relative_to(self.root):
            what = "copy what it leads to into the project, or leave the link out by .detentignore"
            self._problem(name, f"it is a link to {aim!r}, which lies outside of the project; {what}", "bad_link")
        elif any(real == folder or real in folder.parents for folder in here.chain):
            self._problem(name, f"it is a link to {aim!r}, a folder that it lies in itself; remove it", "bad_link")
        elif self._is_never_in(real):
            what = "copy what it leads to, or leave the link out by .detentignore"
            self._problem(name, f"it is a link to {aim!r}, which no bundle holds; {what}", "bad_link")
        elif real.is_file():
            self._file(real, name, real.relative_to(self.root).as_posix())
        elif real.is_dir():
            self._enter_above(real)
            chain = (*here.chain, path.parent.resolve(), real)
            self.folder(real, _Here(name, real.relative_to(self.root).as_posix(), chain, here.taking))
        else:
            self.selection.notes.append(f"{_shown(name)} leads to a socket, a pipe or a device and is left out")

    def _is_never_in(self, real: Path) -> bool:
        """Whether something from the project down to `real` belongs into no bundle."""
        parts = real.relative_to(self.root).parts
        folders = (self.root.joinpath(*parts[:end]) for end in range(1, len(parts)))
        return any(never_in(folder, is_folder=True) for folder in folders) or never_in(real, is_folder=real.is_dir())

    def _enter_above(self, real: Path) -> None:
        folder = self.root
        for part in real.relative_to(self.root).parts:
            self.ignored.enter(folder, folder.relative_to(self.root).as_posix() if folder != self.root else "")
            folder /= part

    def _file(self, path: Path, name: str, target: str) -> None:
        clean = unicodedata.normalize("NFC", name) if _is_text(name) else name
        fault = name_fault(clean)
        if fault is not None:
            self._problem(_shown(name), f"{fault}; rename it, or leave it out by .detentignore", "bad_name")
            return
        try:
            status = path.stat()
        except OSError as error:
            self._problem(name, f"it cannot be read: {error.strerror}; make it readable", "unreadable")
            return
        if not os.access(path, os.R_OK):
            self._problem(name, "it cannot be read; make it readable, or leave it out by .detentignore", "unreadable")
            return
        executable = bool(status.st_mode & stat.S_IXUSR)
        self.selection.files.append(Selected(clean, path, status.st_size, executable, target))

    def _problem(self, name: str, message: str, code: str) -> None:
        self.selection.problems.append(Problem(_shown(name), None, message, code))


def _too_many(files: Sequence[Selected]) -> str:
    """What to say of too many files: the folders that hold the most."""
    counts = Counter(file.name.rpartition("/")[0] or "." for file in files)
    folders = ", ".join(f"{folder} ({count:,})" for folder, count in counts.most_common(3))
    return (
        f"more than {MOST_FILES:,} files belong to the bundle; leave out by .detentignore what tasks do not need. "
        f"Most lie in {folders}"
    )


def _is_text(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _shown(name: str) -> str:
    """A name that may be printed."""
    return name if _is_text(name) and name.isprintable() else repr(name)[1:-1]
