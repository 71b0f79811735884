"""What `search_docs` answers: the sections that fit best, as far as there is room, and links to more."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from detent_mcp.docs_index import DocsIndex, Hit
from detent_mcp.docs_sections import Page, Section, cut_blocks

__all__ = ["answer", "is_link", "read_part"]

#: Sections that are shown with their text; characters of all texts of an answer, and of what a link leads to.
SHOWN, CHARS, PART_CHARS = 4, 6_000, 18_000
#: A section that fits much worse than the best is only linked.
_LEAST_SCORE = 0.25


def is_link(question: str) -> bool:
    """Whether a question is a link to a page or a section."""
    return question.strip().startswith("docs://")


def answer(index: DocsIndex, question: str) -> dict[str, Any]:
    """The sections that answer `question`, the best first. It never fails, whatever the question is."""
    hits = index.search(question)
    told: dict[str, Any] = {"version": _version()}
    if not hits:
        pages = {page.id: page.summary[:120] for page in index.pages.values() if page.id != "index"}
        return told | {"found": 0, "pages": pages, "next": "ask in other words, or read a page by docs://PAGE"}
    results, linked = [], []
    room = CHARS
    for place, hit in enumerate(hits):
        fits = place < SHOWN and hit.score >= _LEAST_SCORE * hits[0].score
        # The best may take most of the room, so that what is left is not spent on pieces of others.
        most = min(room, CHARS * 2 // 3 if place == 0 else CHARS // 2)
        text, is_cut = cut_blocks(hit.section.text, most) if fits else ("", True)
        if not text:
            linked.append(_linked(hit))
            continue
        room -= len(text)
        found = {"link": hit.section.link, "title": hit.section.name, "text": text}
        results.append(found | {"cut": f"read {hit.section.link} for the rest"} if is_cut else found)
    told["results"] = results
    if linked:
        told["more"] = linked
    return told | {"next": 'search_docs(query="docs://…") reads a section or a page whole'}


def read_part(index: DocsIndex, link: str) -> dict[str, Any]:
    """What a link leads to, as far as there is room, and the sections in it that are left out.

    Errors: `NotFound` with near names.
    """
    found = index.find(link)
    if isinstance(found, Page):
        text, is_cut = cut_blocks(found.text, PART_CHARS)
        told = {"version": _version(), "link": f"docs://{found.id}", "title": found.title, "text": text}
        return told | ({"sections": [section.link for section in found.sections]} if is_cut else {})
    text, is_cut = cut_blocks(index.within(found), PART_CHARS)
    told = {"version": _version(), "link": found.link, "title": found.name, "text": text}
    return told | ({"sections": _below(index, found)} if is_cut else {})


def _below(index: DocsIndex, section: Section) -> list[str]:
    page = index.pages[section.page]
    depth = len(section.path)
    return [one.link for one in page.sections if one.path[:depth] == section.path and one is not section]


def _linked(hit: Hit) -> str:
    return f"{hit.section.link} ({hit.section.name})"


def _version() -> str:
    try:
        return version("detent")
    except PackageNotFoundError:
        return "unknown"
