"""Make the bundle of a project: one file, whose hash is that of its contents."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from ..config import Config
from ..deploy_settings import DeploySettings
from ..errors import DeployError
from .archive import END, header, padding
from .entries import Bundle, FileEntry
from .git import tracked_although_ignored
from .ignored import never_in
from .ignoring import Rules, read_patterns
from .pre_build import run_pre_build
from .problems import Problem, refuse
from .secrets_in_files import secret_name, secrets_in
from .selection import Selected, Selection, select_files

__all__ = ["build_bundle"]

_LARGEST_SHOWN = 5
_MOST_READ = 1024 * 1024


def build_bundle(config: Config, into: Path, *, on_line: Callable[[str], None] | None = None) -> Bundle:
    """Put the files of a project into one file. The same files make the same file, whatever the machine.

    Parameters:
      config: of the project, with what stands under ``[tool.detent.deploy]``.
      into: the folder for the file, which is called ``HASH.tar``; it is made when it is missing.
      on_line: is called with each line to show, among them what the command before the build writes.

    Errors: `DeployError` with everything that must not be in a bundle, each with file and line and what to do; nothing
    is left in `into` then.
    """
    tell = on_line or _silent
    run_pre_build(config, tell)
    settings = config.deploy
    selection = select_files(config.root, include=settings.include, exclude=settings.exclude)
    problems = [*_outside(config), *selection.problems, *_sizes(selection, settings)]
    if not selection.files:
        problems.append(Problem("", None, f"no file of {config.root} belongs to it", "no_files"))
    if problems:
        # Files that are refused by name are not read; the others are, so that all secrets are named at once.
        problems += _secrets_of(selection, settings)
        refuse("the bundle cannot be made", problems, _advice(problems, settings))
    try:
        into.mkdir(parents=True, exist_ok=True)
        handle, place = tempfile.mkstemp(prefix=".bundle.", suffix=".tar", dir=into)
    except OSError as error:
        raise DeployError(f"the bundle cannot be written to {into}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            bundle = _write(selection, settings, file)
        path = into / f"{bundle.hash}.tar"
        Path(place).replace(path)
    except OSError as error:
        raise DeployError(f"the bundle cannot be written to {into}: {error.strerror}") from error
    finally:
        Path(place).unlink(missing_ok=True)
    notes = (*selection.notes, *_kept_by_git(config, bundle))
    for note in notes:
        tell(note)
    return Bundle(path, bundle.hash, bundle.bytes, bundle.files, notes)


def _kept_by_git(config: Config, bundle: Bundle) -> list[str]:
    """What people may miss: a clone has these files."""
    inside = {file.name for file in bundle.files}
    excluded = Rules("", read_patterns(config.deploy.exclude))
    missed = [
        name
        for name in tracked_although_ignored(config.root)
        if name not in inside
        and not excluded.verdict(name, False)
        and not never_in(config.root / name, is_folder=False)
    ]
    shown = ", ".join(missed[:_LARGEST_SHOWN]) + (
        f" and {len(missed) - _LARGEST_SHOWN} more" if missed[_LARGEST_SHOWN:] else ""
    )
    what = f"left out since .gitignore names them, although git tracks them: {shown}; name what tasks need in include"
    return [what] if missed else []


def _write(selection: Selection, settings: DeploySettings, file: BinaryIO) -> Bundle:
    digest = hashlib.sha256()
    size = 0
    allowed = Rules("", read_patterns(settings.allow_secrets))
    problems: list[Problem] = []
    entries = []
    for selected in selection.files:
        content = _content(selected, problems)
        problems += _secrets(selected, content, allowed)
        entries.append(FileEntry(selected.name, len(content), selected.executable, hashlib.sha256(content).hexdigest()))
        for part in (
            header(selected.name, len(content), executable=selected.executable),
            content,
            padding(len(content)),
        ):
            digest.update(part)
            size += file.write(part)
    digest.update(END)
    size += file.write(END)
    refuse("the bundle cannot be made", problems, _advice(problems, settings))
    return Bundle(Path(), digest.hexdigest(), size, entries)


def _secrets_of(selection: Selection, settings: DeploySettings) -> list[Problem]:
    allowed = Rules("", read_patterns(settings.allow_secrets))
    problems: list[Problem] = []
    for selected in selection.files:
        # What is too large is refused already, and may be a great deal.
        content = _content(selected, problems) if selected.bytes <= _MOST_READ else b""
        problems += _secrets(selected, content, allowed)
    return problems


def _content(selected: Selected, problems: list[Problem]) -> bytes:
    try:
        content = selected.path.read_bytes()
    except OSError as error:
        what = f"it cannot be read: {error.strerror}; make it readable, or leave it out by .detentignore"
        problems.append(Problem(selected.name, None, what, "unreadable"))
        return b""
    if len(content) != selected.bytes:
        what = "it changed while the bundle was made; try again when nothing writes to it"
        problems.append(Problem(selected.name, None, what, "changed"))
    return content


def _secrets(selected: Selected, content: bytes, allowed: Rules) -> list[Problem]:
    if allowed.verdict(selected.name, False):
        return []
    what = secret_name(selected.name) or secret_name(selected.target)
    if what is not None:
        return [Problem(selected.name, None, f"by its name it holds {what}", "secret")]
    return [
        Problem(selected.name, found.line, f"this looks like {found.what}", "secret")
        for found in secrets_in(selected.name, content)
    ]


def _advice(problems: Sequence[Problem], settings: DeploySettings) -> str:
    """What to do with the files that hold secrets; "" where there are none."""
    names = sorted({problem.file for problem in problems if problem.code == "secret"})
    if not names:
        return ""
    shown = ", ".join(f'"{name}"' for name in names[:_LARGEST_SHOWN])
    return (
        "Leave files with secrets out by .detentignore, and give the values to workers by `detent env import`; a "
        f"file that may be deployed goes into allow_secrets = [{shown}] in {settings.place}"
    )


def _sizes(selection: Selection, settings: DeploySettings) -> list[Problem]:
    size = len(END) + sum(
        len(header(file.name, 0, executable=False)) + file.bytes + len(padding(file.bytes)) for file in selection.files
    )
    if size <= settings.max_bytes:
        return []
    largest = sorted(selection.files, key=lambda file: (-file.bytes, file.name))[:_LARGEST_SHOWN]
    shown = ", ".join(f"{file.name} ({_size(file.bytes)})" for file in largest)
    return [
        Problem(
            "",
            None,
            f"its files have {_size(size)}, the most are {_size(settings.max_bytes)} (max_bytes in {settings.place}); "
            f"the largest are {shown}. Leave out by .detentignore what tasks do not need; keep data in an object store",
            "too_large",
        )
    ]


def _outside(config: Config) -> Sequence[Problem]:
    """The folders with tasks that no bundle of this project can hold."""
    root = config.root.resolve()
    return [
        Problem(
            config.file.name if config.file else "",
            None,
            f"dirs names {folder}, which lies outside of the project {root}; move it into the project",
            "outside",
        )
        for folder in config.dirs
        if not folder.resolve().is_relative_to(root)
    ]


def _size(count: int) -> str:
    for unit, least in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count} bytes"


def _silent(line: str) -> None:
    """Of those who do not want to hear."""
