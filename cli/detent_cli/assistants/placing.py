"""Files of detent in other folders: written, brought up to date, taken out; what a person has changed is left alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from detent.errors import ConfigError
from detent_cli.assistants.config_file import write_whole
from detent_cli.assistants.ledger import Ledger, hash_of

__all__ = ["Placed", "Wanted", "put", "remove", "state_of"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that belongs somewhere: at `path`, with `content`, part of `name`, which is a `kind` of thing; `source` is
    the shipped file, where there is one to link to."""

    path: Path
    content: bytes
    kind: str
    name: str
    source: Path | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a file: `action` is ``created``, ``updated``, ``kept``, ``removed``, ``changed`` (by hand, so it
    was left alone) or ``missing``."""

    path: Path
    action: str
    name: str


def state_of(wanted: Wanted, ledger: Ledger) -> str:
    """``current``, ``outdated``, ``changed`` (by hand) or ``missing``."""
    if not wanted.path.exists():
        return "missing"
    try:
        now = hash_of(wanted.path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{wanted.path} cannot be read: {error.strerror or error}") from None
    if now == hash_of(wanted.content):
        return "current"
    known = ledger.find(wanted.path)
    return "outdated" if known is not None and known.hash == now else "changed"


def put(
    files: Sequence[Wanted], ledger: Ledger, version: str, *, link: bool = False, force: bool = False
) -> list[Placed]:
    """Write files that are missing or older; those that a person has changed only with `force`.

    Parameters:
      link: link to the shipped file instead of a copy.
    """
    done = []
    for wanted in files:
        state = state_of(wanted, ledger)
        if state == "changed" and not force:
            done.append(Placed(wanted.path, "changed", wanted.name))
            continue
        is_link = wanted.path.is_symlink()
        if state == "current" and (is_link == link or wanted.source is None):
            action = "kept"
        else:
            action = "created" if state == "missing" else "updated"
            _write(wanted, link=link)
        ledger.keep(wanted.path, wanted.kind, wanted.name, wanted.content, version, link=link)
        done.append(Placed(wanted.path, action, wanted.name))
    return done


def remove(paths: Sequence[tuple[Path, str]], ledger: Ledger, root: Path, *, force: bool = False) -> list[Placed]:
    """Take files out, and folders that are empty then; those that a person has changed only with `force`."""
    done = []
    for path, name in paths:
        known = ledger.find(path)
        if not path.exists() and not path.is_symlink():
            if known is not None:
                ledger.forget(path)
            continue
        changed = not path.is_symlink() and (known is None or known.hash != hash_of(path.read_bytes()))
        if changed and not force:
            done.append(Placed(path, "changed", name))
            continue
        path.unlink()
        if known is not None:
            ledger.forget(path)
        _prune(path.parent, root)
        done.append(Placed(path, "removed", name))
    return done


def _write(wanted: Wanted, *, link: bool) -> None:
    if not link or wanted.source is None:
        if wanted.path.is_symlink():
            wanted.path.unlink()
        write_whole(wanted.path, wanted.content)
        return
    try:
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            wanted.path.unlink()
        wanted.path.symlink_to(os.path.relpath(wanted.source, wanted.path.parent))
    except OSError as error:
        raise ConfigError(f"{wanted.path} cannot be a link ({error.strerror or error}); leave --link out") from None


def _prune(folder: Path, root: Path) -> None:
    while folder not in (root, folder.parent) and folder.is_dir() and not any(folder.iterdir()):
        shutil.rmtree(folder)
        folder = folder.parent
