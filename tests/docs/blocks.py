"""The code blocks of the documentation, and what is to be done with each.

A comment right before a block says it, and holds for the blocks of the page that follow:

- ``<!-- test: types -->`` (also without a comment): the block fits the type checker.
- ``<!-- test: run -->``: besides, it is imported as a module; then its functions named ``test_...`` are called, or
  its ``main`` is run with a worker beside it.
- ``<!-- test: skip REASON -->``: nothing, for that block alone.

With ``continues`` after the word, the block goes on where the block before it ended. A block that awaits at its top
is the body of ``async def main()``.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Block", "blocks", "modules"]

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
PAGES += sorted((ROOT / "rules_templates").glob("*.md.j2"))
PAGES += sorted((ROOT / "skills").rglob("*.md"))

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!-- test: (?P<word>run|types|skip)(?P<rest>[^>]*?) -->\s*\Z")


@dataclass(frozen=True)
class Block:
    """One code block; `line` is where its code begins, `mark` the words of its comment."""

    page: Path
    line: int
    language: str
    code: str
    mark: str = ""
    rest: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


@dataclass(frozen=True)
class Module:
    """A block of Python as a whole file. `block` is the last one in it."""

    block: Block
    name: str
    source: str
    runs: bool


def blocks(*languages: str) -> Iterator[Block]:
    """The blocks in these languages, page by page."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in _FENCE.finditer(text):
            if found["language"] not in languages:
                continue
            mark = _MARK.search(text[: found.start()])
            yield Block(
                page,
                text.count("\n", 0, found.start("code")) + 1,
                found["language"],
                textwrap.dedent(found["code"]),
                mark["word"] if mark else "",
                mark["rest"].strip() if mark else "",
            )


def modules() -> list[Module]:
    """Every block of Python that is not skipped."""
    made: list[Module] = []
    page, word, before = None, "types", ""
    for block in blocks("python"):
        if block.page != page:
            page, word, before = block.page, "types", ""
        if block.mark == "skip":
            continue
        word = block.mark or word
        top, body = _parts(block)
        before = f"{before}\n\n{top}" if block.rest == "continues" else top
        name = f"block_{re.sub(r'[^a-z0-9]', '_', str(block).lower())}"
        made.append(Module(block, name, f"{before}\n\n{body}", word == "run"))
    return made


def _parts(block: Block) -> tuple[str, str]:
    """The code as statements of a module; those of a block that awaits at its top are the body of ``main``."""
    tree = compile(block.code, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(tree, ast.Module)
    try:
        compile(block.code, str(block), "exec")
    except SyntaxError:
        declares = [
            part for part in tree.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        ]
        assert not declares, f"{block} declares and awaits at its top: make two blocks of it"
        return "", f"async def main() -> None:\n{textwrap.indent(block.code, '    ')}"
    return block.code, ""
