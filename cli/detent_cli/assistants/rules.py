"""Rule sets for assistants: templates filled in with what the project is, and where each assistant reads them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from detent.config import Config
from detent.errors import InvalidOptions, near_names
from detent.shipped import shipped

__all__ = ["OPTIONS", "RuleSet", "RuleTarget", "pointer", "rule_sets", "rule_targets", "targets_named"]

#: The rule sets, in the order in which they are offered; the first is the usual one.
OPTIONS = ("basic", "advanced", "config", "realtime", "agents")

_FOR_TESTS = re.compile(r"^<!-- test: [^>]*-->\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RuleTarget:
    """An assistant that reads rules: from a file that is `shared` with others, files of detent's `own`, or both."""

    id: str
    name: str
    shared: str | None
    own: str | None
    front: str
    marks: tuple[str, ...]

    def is_used(self, root: Path) -> bool:
        """Whether the project seems to be worked on with it."""
        return any((root / mark).exists() for mark in self.marks)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A rule set as it is for one project: what it is about, and its text without front matter."""

    name: str
    description: str
    body: str

    @property
    def tokens(self) -> int:
        """About how many tokens it costs."""
        return len(self.body.encode()) // 4

    def text(self, target: RuleTarget, globs: Sequence[str]) -> str:
        """The file for a target."""
        values = {
            "description": self.description,
            "name": self.name,
            "globs": ",".join(globs),
            "globs_json": json.dumps(list(globs)),
            "globs_yaml": "".join(f"  - {json.dumps(glob)}\n" for glob in globs),
        }
        return target.front.format_map(values) + ("\n" if target.front else "") + self.body


@cache
def rule_targets() -> tuple[RuleTarget, ...]:
    """All that are known."""
    text = (files("detent_cli.assistants") / "rule_targets.toml").read_text(encoding="utf-8")
    return tuple(
        RuleTarget(
            name, table["name"], table.get("shared"), table.get("own"), table.get("front", ""), tuple(table["marks"])
        )
        for name, table in tomllib.loads(text).items()
    )


def targets_named(names: Sequence[str]) -> list[RuleTarget]:
    """The targets of these ids. Errors: `InvalidOptions` with near ids."""
    known = {target.id: target for target in rule_targets()}
    for name in names:
        if name not in known:
            raise InvalidOptions(near_names("target of rules", name, list(known)))
    return [known[name] for name in dict.fromkeys(names)]


def rule_sets(config: Config, tasks: Sequence[dict[str, Any]] = (), queues: Sequence[str] = ()) -> list[RuleSet]:
    """All rule sets, filled in for a project.

    Parameters:
      tasks: its tasks as they are known (`id`, `file`). `queues`: the names of its queues.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(shipped("rules_templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Markdown for assistants, of names that were checked
    )
    values = _values(config, tasks, queues)
    return [_filled(templates.get_template(f"{name}.md.j2").render(values), name) for name in OPTIONS]


def pointer(config: Config) -> str:
    """The short text that stands where it is always read."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(shipped("rules_templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701  # likewise
    )
    return templates.get_template("pointer.md.j2").render(_values(config, (), ()))


def globs_of(config: Config) -> list[str]:
    """Which files of a project are about detent: its folders of tasks, and its settings."""
    folders = []
    for entry in config.dirs:
        name = entry.relative_to(config.root).as_posix() if entry.is_relative_to(config.root) else str(entry)
        folders.append(name if entry.suffix == ".py" else f"{name}/**/*.py")
    return [*(folders or ["**/*.py"]), *(["detent.toml"] if (config.root / "detent.toml").exists() else [])]


def _filled(text: str, name: str) -> RuleSet:
    # The first line of a template says what it is about; what stands there for tests of its code is left out.
    first, _, body = text.partition("\n")
    return RuleSet(
        name, first.removeprefix("<!-- ").removesuffix(" -->").strip(), _FOR_TESTS.sub("", body).lstrip("\n")
    )


def _values(config: Config, tasks: Sequence[dict[str, Any]], queues: Sequence[str]) -> dict[str, Any]:
    root = config.root
    manager = next(
        (
            name
            for name, file in (("uv", "uv.lock"), ("poetry", "poetry.lock"), ("pdm", "pdm.lock"))
            if (root / file).is_file()
        ),
        "pip",
    )
    run = {"uv": "uv run ", "poetry": "poetry run ", "pdm": "pdm run "}.get(manager, "")
    add = {"uv": "uv add", "poetry": "poetry add", "pdm": "pdm add"}.get(manager, "pip install")
    dirs = [entry.relative_to(root).as_posix() for entry in config.dirs if entry.is_relative_to(root)]
    return {
        "project": config.project,
        "dirs": dirs or ["tasks"],
        "tasks": list(tasks),
        "queues": list(queues),
        "manager": manager,
        "run": run,
        "add": add,
        "settings": "detent.toml" if (root / "detent.toml").is_file() else "pyproject.toml",
    }
