"""Pages of Markdown in sections by their headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Page", "Section", "blocks_of", "cut_blocks", "read_page"]

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"^(#{1,4}) +(.+?) *#* *$")
_COMMENT = re.compile(r"^[ \t]*<!--.*?-->[ \t]*\n", re.MULTILINE | re.DOTALL)
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading, up to the next. `path`: the headings above it and its own, without the title of
    the page. `anchor` is empty for what stands before the first heading but the title."""

    page: str
    title: str
    anchor: str
    path: tuple[str, ...]
    text: str

    @property
    def link(self) -> str:
        """How the section is asked for."""
        return f"docs://{self.page}#{self.anchor}" if self.anchor else f"docs://{self.page}"

    @property
    def name(self) -> str:
        """Title of the page and headings."""
        return " / ".join((self.title, *self.path))


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its `id` as links name it, its title, its Markdown without comments, its sections in order."""

    id: str
    title: str
    summary: str
    text: str
    sections: tuple[Section, ...]


def read_page(id: str, markdown: str) -> Page:
    """The page of the Markdown text; front matter gives the title where there is no heading of the first level."""
    markdown = markdown.removeprefix("\ufeff").replace("\r\n", "\n")
    front = _FRONT.match(markdown)
    about = _front_values(front[1]) if front else {}
    body = markdown[front.end() :] if front else markdown
    text = "".join(_without_comments(body)).strip() + "\n"
    title = about.get("name") or id
    path: list[tuple[int, str]] = []
    found: list[tuple[tuple[str, ...], list[str]]] = [((), [])]
    for line, is_code in _lines(text):
        heading = None if is_code else _HEADING.match(line)
        if heading is None:
            found[-1][1].append(line)
        elif len(heading[1]) == 1:
            title = heading[2]
        else:
            level = len(heading[1])
            path = [*(above for above in path if above[0] < level), (level, heading[2])]
            found.append((tuple(name for _, name in path), []))
    anchors: dict[str, int] = {}
    sections = []
    for names, lines in found:
        content = "\n".join(lines).strip()
        anchor = _anchor(names[-1], anchors) if names else ""
        if content or names:
            sections.append(Section(id, title, anchor, names, content))
    summary = about.get("description") or _first_paragraph(text)
    return Page(id, title, summary, text, tuple(sections))


def blocks_of(text: str) -> list[str]:
    """The text in pieces that are kept whole: paragraphs, lists, tables row by row, blocks of code."""
    blocks: list[str] = []
    open_block: list[str] = []

    def close() -> None:
        if open_block:
            blocks.append("\n".join(open_block))
            open_block.clear()

    was_code = False
    for line, is_code in _lines(text):
        if is_code != was_code:
            close()
        was_code = is_code
        if not is_code and not line.strip():
            close()
        elif not is_code and line.startswith(("|", "* ", "- ")):
            close()
            blocks.append(line)
        else:
            open_block.append(line)
    close()
    return blocks


def cut_blocks(text: str, most: int) -> tuple[str, bool]:
    """As many whole blocks from the beginning as fit in `most` characters, and whether something was left out.

    A first block of code that is too long is left out whole; a first paragraph that is, is cut.
    """
    if len(text) <= most:
        return text, False
    kept: list[str] = []
    room = most
    for block in blocks_of(text):
        if len(block) + 2 > room:
            if not kept and not _FENCE.match(block):
                kept.append(block[: max(0, room - 1)].rsplit(" ", 1)[0] + "…")
            break
        kept.append(block)
        room -= len(block) + 2
    return _joined(kept), True


def _joined(blocks: list[str]) -> str:
    """Blocks with an empty line between them, but none between the rows of a table or a list."""
    text = ""
    for before, block in zip(["", *blocks], blocks, strict=False):
        is_row = block[:1] in {"|", "*", "-"} and before[:1] == block[:1]
        text += ("" if not text else "\n" if is_row else "\n\n") + block
    return text


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Lines, and whether each belongs to a block of code, its fences included."""
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            yield line, True
            if mark and mark[1].startswith(fence) and not line.strip().strip(mark[1][0]):
                fence = ""
        elif mark:
            fence = mark[1]
            yield line, True
        else:
            yield line, False


def _without_comments(text: str) -> Iterator[str]:
    """The text without comments, which are for those who write it, outside of code."""
    plain: list[str] = []
    for line, is_code in _lines(text):
        if is_code:
            yield _COMMENT.sub("", "".join(plain))
            plain = []
            yield line + "\n"
        else:
            plain.append(line + "\n")
    yield _COMMENT.sub("", "".join(plain))


def _anchor(heading: str, taken: dict[str, int]) -> str:
    """The anchor that web views of Markdown give to a heading."""
    base = re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
    number = taken.get(base, 0)
    taken[base] = number + 1
    return f"{base}-{number}" if number else base


def _front_values(front: str) -> dict[str, str]:
    """The plain values of front matter; folded ones are joined to one line."""
    values: dict[str, str] = {}
    key = ""
    for line in front.split("\n"):
        named = re.match(r"([\w-]+):\s*(.*)$", line)
        if named:
            key = named[1]
            values[key] = named[2].strip().strip("\"'").removeprefix(">-").removeprefix(">").removeprefix("|").strip()
        elif key and line.strip():
            values[key] = f"{values[key]} {line.strip()}".strip()
    return values


def _first_paragraph(text: str) -> str:
    for block in blocks_of(text):
        if not block.startswith(("#", "`", "|", "<", "~")):
            return " ".join(block.split())
    return ""
