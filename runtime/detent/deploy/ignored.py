"""What a project leaves out of its bundles: what git ignores, what `.detentignore` names, what is never a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .ignoring import Pattern, Rules, read_patterns

__all__ = ["Ignored", "is_always_in", "never_in"]

_NEVER_FOLDERS = frozenset({
    ".detent", ".eggs", ".git", ".hg", ".hypothesis", ".ipynb_checkpoints", ".jj", ".mypy_cache", ".nox",
    ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", "__pycache__", "__pypackages__",
    "node_modules", "site-packages",
})  # fmt: skip
_NEVER_FILES = frozenset({".DS_Store", ".coverage", ".dmypy.json", ".git", "Thumbs.db"})
_ALWAYS = frozenset({".python-version", "detent.toml", "poetry.lock", "pyproject.toml", "uv.lock"})


def never_in(path: Path, *, is_folder: bool) -> bool:
    """Whether `path` is of a kind that no bundle holds: version control, virtual environments, caches, detent's own
    state."""
    if not is_folder:
        return path.name in _NEVER_FILES or path.suffix in (".pyc", ".pyo")
    if path.name in _NEVER_FOLDERS or path.name.endswith(".egg-info"):
        return True
    return (path / "pyvenv.cfg").exists() or (path / "conda-meta").is_dir()


def is_always_in(name: str) -> bool:
    """Whether the file `name` says what the project needs, and so is in its bundle even when it is ignored."""
    return name in _ALWAYS or (name.startswith("requirements") and name.endswith(".txt") and "/" not in name)


class Ignored:
    """The ignore files of one project. Those of a folder are read when `enter` is called with it.

    Parameters:
      root: the project's folder; `.gitignore` files above it count up to the top of its repository.
      exclude, include: patterns of the settings, which go before those of files.
    """

    def __init__(self, root: Path, exclude: Sequence[str] = (), include: Sequence[str] = ()) -> None:
        self._root = root
        self._top = _repository(root) or root
        self._prefix = root.relative_to(self._top).as_posix() if root != self._top else ""
        self._entered: set[str] = set()
        self._git: list[Rules] = []
        self._own: list[Rules] = []
        self._exclude = Rules("", read_patterns(exclude), "exclude")
        self._include = read_patterns(include)
        self._include_rules = Rules("", self._include, "include")
        if (self._top / ".git").is_dir():
            self._read(self._git, self._top / ".git/info/exclude", "")
        folder = self._top
        for part in root.relative_to(self._top).parts:
            self._read(self._git, folder / ".gitignore", folder.relative_to(self._top).as_posix())
            folder /= part

    @property
    def has_include(self) -> bool:
        """Whether the settings bring in what is ignored."""
        return bool(self._include)

    def enter(self, folder: Path, name: str) -> None:
        """Read the ignore files of a folder of the project; `name` is from the project's folder, "" for itself."""
        if name not in self._entered:
            self._entered.add(name)
            self._read(self._git, folder / ".gitignore", self._whole(name) if name else self._prefix)
            self._read(self._own, folder / ".detentignore", name)

    def excludes(self, name: str, *, is_folder: bool) -> bool:
        """Whether `exclude` names this file or folder."""
        return self._exclude.verdict(name, is_folder) is True

    def includes(self, name: str, *, is_folder: bool) -> bool:
        """Whether `include` names this file or folder."""
        return self._include_rules.verdict(name, is_folder) is True

    def ignores(self, name: str, *, is_folder: bool) -> bool:
        """Whether ignore files name this file or folder; `.detentignore` has the last word."""
        own = _last_word(self._own, name, is_folder)
        return (_last_word(self._git, self._whole(name), is_folder) if own is None else own) is True

    def unused(self, names: Sequence[str]) -> Iterator[Pattern]:
        """The patterns of `include` that name none of the files `names`, nor a folder of theirs."""
        folders = {
            "/".join(parts[:end]) for name in names if (parts := name.split("/")) for end in range(1, len(parts))
        }
        for pattern in self._include:
            used = any(pattern.matches(name, False) for name in names) or any(
                pattern.matches(folder, True) for folder in folders
            )
            if not used and not pattern.negated:
                yield pattern

    def _whole(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @staticmethod
    def _read(rules: list[Rules], file: Path, base: str) -> None:
        try:
            text = file.read_text(encoding="utf-8", errors="surrogateescape")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
            return
        patterns = read_patterns(text.split("\n"))
        if patterns:
            rules.append(Rules("" if base == "." else base, patterns, str(file)))


def _last_word(rules: Sequence[Rules], name: str, is_folder: bool) -> bool | None:
    """The verdict of the deepest file that has one."""
    for one in reversed(rules):
        if one.base and not name.startswith(f"{one.base}/"):
            continue
        verdict = one.verdict(name, is_folder)
        if verdict is not None:
            return verdict
    return None


def _repository(root: Path) -> Path | None:
    """The top of the repository that `root` lies in."""
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
