"""The search over the documentation and the skills that belong to this version: offline, in memory."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import Lock, Thread

from detent.errors import ConfigError, NotFound, near_names
from detent.shipped import shipped
from detent_mcp.docs_sections import Page, Section, blocks_of, read_page
from detent_mcp.docs_words import joined_too, synonyms, terms_of

__all__ = ["DocsIndex", "Hit", "prepare_docs", "shipped_docs"]

#: How much a word counts in the title of a page, in headings, in what the index says of the page, in text, in code.
_WEIGHTS = "10.0, 10.0, 2.0, 1.0, 0.6"
#: Pages that name everything and explain little count less.
_PAGES = {
    "index": 0.3,
    "architecture": 0.6,
    "api": 0.7,
    "guarantees": 0.75,
    "cli": 0.8,
    "security": 0.9,
    "tts": 0.5,
    "testing": 0.8,
    "mcp": 0.7,
}
_INDEX_LINE = re.compile(r"^\* \[[^\]]+\]\(([\w-]+)\.md\): (.+)$", re.MULTILINE)
#: What a synonym, a longer word that begins so, a word that is written nearly so, and two words in a row count.
_SYNONYM, _BEGINNING, _NEAR, _PAIR = 0.35, 0.6, 0.5, 0.4
#: A section that has all words counts this many times as much as its words alone.
_COVERED = 3.0
#: One that is mostly links counts so much: with a link in so many characters.
_LINKS, _LINK_CHARS = 0.5, 90


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that was found, and how well it fits."""

    section: Section
    score: float


class DocsIndex:
    """Pages that can be searched and read.

    Parameters:
      pages: all of them; the first sections of a page count as its title.
    """

    def __init__(self, pages: Iterable[Page]) -> None:
        self.pages = {page.id: page for page in pages}
        self._sections = [section for page in self.pages.values() for section in page.sections]
        self._worth = [_worth(section) for section in self._sections]
        self._lock = Lock()
        self._words: dict[str, list[str]] = {}
        self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._connection.execute(
            "CREATE VIRTUAL TABLE sections USING fts5(title, path, about, text, code, tokenize = 'porter unicode61')"
        )
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO sections (rowid, title, path, about, text, code) VALUES (?, ?, ?, ?, ?, ?)",
            self._rows(),
        )
        self._connection.execute("COMMIT")

    def search(self, question: str, most: int = 8) -> list[Hit]:
        """The sections that answer `question` best, the best first; any text will do, and none fails.

        Parameters:
          most: of so many, at most three of one page, and one of a skill.
        """
        terms = terms_of(question)
        with self._lock:
            scores = self._scores(terms)
        ranked = sorted(scores, key=lambda row: (-scores[row], row))
        hits: list[Hit] = []
        of_page: dict[str, int] = defaultdict(int)
        for row in ranked:
            section = self._sections[row]
            of_page[section.page] += 1
            if of_page[section.page] <= (1 if section.page.startswith("skills/") else 3):
                hits.append(Hit(section, scores[row]))
            if len(hits) == most:
                break
        return hits

    def find(self, link: str) -> Page | Section:
        """What a link such as ``docs://queues`` or ``docs://queues#limits`` leads to.

        Errors: `NotFound` with near names.
        """
        name, _, anchor = link.strip().removeprefix("docs://").strip("/").removesuffix(".md").partition("#")
        name = name.removesuffix(".md").removesuffix("/")
        page = self.pages.get(name)
        if page is None:
            raise NotFound(near_names("page", name, sorted(self.pages)))
        if not anchor:
            return page
        for section in page.sections:
            if section.anchor == anchor:
                return section
        anchors = [section.anchor for section in page.sections if section.anchor]
        raise NotFound(near_names(f"section of docs://{name}", anchor, anchors))

    def within(self, section: Section) -> str:
        """The section and the ones below it, as they stand on the page."""
        page = self.pages[section.page]
        begin = page.sections.index(section)
        parts = [f"{'#' * (len(section.path) + 1)} {section.path[-1] if section.path else section.title}", section.text]
        for below in page.sections[begin + 1 :]:
            if not section.path or below.path[: len(section.path)] != section.path or below.path == section.path:
                break
            parts += [f"{'#' * (len(below.path) + 1)} {below.path[-1]}", below.text]
        return "\n\n".join(part for part in parts if part)

    def _rows(self) -> Iterator[tuple[int, str, str, str, str, str]]:
        index = self.pages.get("index")
        about = {} if index is None else dict(_INDEX_LINE.findall(index.text))
        for row, section in enumerate(self._sections):
            code: list[str] = []
            text: list[str] = []
            for block in blocks_of(section.text):
                (code if block.startswith(("```", "~~~")) else text).append(block)
            is_first = not section.path
            # The title counts most where the page begins, or every section of it would be found by it.
            title = f"{section.title} {section.page}" if is_first else ""
            summary = f"{section.title}: {about.get(section.page) or self.pages[section.page].summary}"
            path, about_it, plain = map(joined_too, (" ".join(section.path), summary, "\n".join(text)))
            yield row, title, path, about_it, plain, "\n".join(code)

    def _scores(self, terms: list[str]) -> dict[int, float]:
        scores: dict[int, float] = defaultdict(float)
        matched: dict[int, float] = defaultdict(float)
        possible = 0.0
        for term in terms:
            best = self._matches(term)
            if not best:
                continue
            # A word that stands nearly everywhere says little of what is meant.
            rarity = 1 - len(best) / (len(self._sections) + 1)
            possible += rarity
            top = max(best.values())
            for row, score in best.items():
                scores[row] += score
                matched[row] += rarity * min(1.0, 2 * score / top)
        for first, second in pairwise(terms):
            for row, score in self._match(f'"{first} {second}"').items():
                scores[row] += _PAIR * score
        for row in scores:
            scores[row] *= 1 + (_COVERED - 1) * matched[row] / (possible or 1.0)
            scores[row] *= self._worth[row]
        return scores

    def _matches(self, term: str) -> dict[int, float]:
        """The sections with a word, or with others that mean it."""
        best = self._match(f'"{term}"')
        for other in synonyms(term):
            for row, score in self._match(f'"{other}"').items():
                best[row] = max(best.get(row, 0.0), _SYNONYM * score)
        if not best and len(term) >= 3:
            best = {row: _BEGINNING * score for row, score in self._match(f'"{term}"*').items()}
        if not best and len(term) >= 4:
            for near in self._near(term):
                for row, score in self._match(f'"{near}"').items():
                    best[row] = max(best.get(row, 0.0), _NEAR * score)
        return best

    def _match(self, expression: str) -> dict[int, float]:
        # `bm25` is the better the lower it is, and it is below zero.
        sql = f"SELECT rowid, -bm25(sections, {_WEIGHTS}) FROM sections WHERE sections MATCH ?"  # noqa: S608  # fixed
        return {row: max(score, 1e-6) for row, score in self._connection.execute(sql, (expression,))}

    def _near(self, term: str) -> list[str]:
        """Words of the pages that are written nearly like `term` and begin with the same letter."""
        if not self._words:
            self._connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab('main', 'sections', 'row')")
            for (word,) in self._connection.execute("SELECT term FROM temp.words WHERE length(term) > 3"):
                self._words.setdefault(word[0], []).append(word)
        alike = [word for word in self._words.get(term[0], ()) if abs(len(word) - len(term)) <= 3]
        return get_close_matches(term, alike, n=2, cutoff=0.75)


#: A skill is the short form of pages, which have all of it.
_SKILLS = 0.4


def _worth(section: Section) -> float:
    """What a section counts, whatever is asked."""
    worth = _SKILLS if section.page.startswith("skills/") else _PAGES.get(section.page, 1.0)
    # A list of links leads to what explains, and explains nothing.
    is_links = section.text.count("](") * _LINK_CHARS > len(section.text)
    return worth * _LINKS if is_links else worth


def shipped_docs() -> DocsIndex:
    """The documentation and the skills of this version. Errors: `ConfigError` when the installation lacks them."""
    with _making:  # whoever comes while it is made waits for it
        return _shipped_docs()


@cache
def prepare_docs() -> None:
    """Begin to make the index, which takes some tens of milliseconds, so that the first search need not wait for it."""
    Thread(target=_prepare, name="detent-docs", daemon=True).start()


def _prepare() -> None:
    with suppress(ConfigError):  # the search will say so
        shipped_docs()


@cache
def _shipped_docs() -> DocsIndex:
    return DocsIndex(_pages())


_making = Lock()


def _pages() -> Iterator[Page]:
    docs = shipped("docs")
    for file in sorted(docs.glob("*.md")):
        yield read_page(file.stem, _text(file))
    # A version without skills has no folder for them.
    skills = docs.parent / "skills"
    for file in sorted(skills.rglob("*.md")) if skills.is_dir() else ():
        place = file.relative_to(skills).with_suffix("").as_posix()
        yield read_page(f"skills/{place.removesuffix('/SKILL')}", _text(file))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
