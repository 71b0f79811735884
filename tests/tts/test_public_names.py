"""Speech is written with what every user of detent has: proof that the SDK is enough."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import detent
import detent.tts

TTS = Path(detent.tts.__file__).parent
ALLOWED = {"detent", "detent.errors", "detent.sync"}


def imports_of(file: Path) -> Iterator[tuple[str, str]]:
    """Modules of detent that a file imports, and the names it takes from them."""
    package = ".".join(["detent.tts", *file.parent.relative_to(TTS).parts])
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            module = ".".join([*above, node.module or ""]).rstrip(".") if node.level else node.module or ""
            yield from ((module, alias.name) for alias in node.names)


def test_only_public_names_are_used() -> None:
    files = sorted(TTS.rglob("*.py"))
    foreign = [
        f"{file.relative_to(TTS)}: {module} {name}"
        for file in files
        for module, name in imports_of(file)
        if module.partition(".")[0] == "detent" and module not in ALLOWED and not f"{module}.".startswith("detent.tts.")
    ]
    private = [
        f"{file.relative_to(TTS)}: {name}"
        for file in files
        for module, name in imports_of(file)
        if module == "detent" and name not in detent.__all__ and name not in ("errors", "sync")
    ]

    assert len(files) > 10
    assert foreign == []
    assert private == []


def test_every_name_of_the_package_is_there() -> None:
    for name in detent.tts.__all__:
        assert getattr(detent.tts, name) is not None
