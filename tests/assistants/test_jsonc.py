"""JSON documents with comments, edited in place, and judged by a reader that was not made for it."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from detent_cli.assistants import jsonc
from detent_cli.assistants.unreadable import Unreadable

SERVER = {"command": "/x/detent", "args": ["mcp"]}
#: A text, or what is to be left out: comments, and commas before a brace.
_TOKENS = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\r\n]*|/\*.*?\*/', re.DOTALL)
_COMMAS = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')


def read(text: str) -> Any:
    """What the document says: comments and trailing commas left out, the rest read by Python's own reader."""
    bare = _TOKENS.sub(lambda found: found[1] or " ", text.removeprefix("\ufeff"))
    return json.loads(_COMMAS.sub(lambda found: found[1] or "", bare))


def some_value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if depth > 3 or kind < 0.3:
        return chance.choice([1, -2.5, 1e9, 'a"b', "ü€", "{not}", "// no", "/* x */", ",]", True, None, "", "\\"])
    if kind < 0.75:
        names = ["a", "b", "mcpServers", "d e", 'q"', "ü"]
        return {chance.choice(names): some_value(chance, depth + 1) for _ in range(chance.randrange(4))}
    return [some_value(chance, depth + 1) for _ in range(chance.randrange(4))]


def written(chance: random.Random, value: Any, eol: str) -> str:
    """`value` with blanks, comments, doubled names and trailing commas strewn in."""

    def gap() -> str:
        signs = [" ", "\t", eol, "/* c } */", f'// l {{",{eol}', f"/* two{eol} lines */"]
        return "".join(chance.choice(signs) for _ in range(chance.randrange(3)))

    if isinstance(value, dict):
        items = list(value.items())
        if items and chance.random() < 0.1:
            items.insert(0, (items[-1][0], "the first of two"))
        parts = [f"{json.dumps(name)}{gap()}:{gap()}{written(chance, each, eol)}{gap()}" for name, each in items]
        return "{" + gap() + _joined(chance, parts, gap) + "}"
    if isinstance(value, list):
        return "[" + gap() + _joined(chance, [f"{written(chance, each, eol)}{gap()}" for each in value], gap) + "]"
    return json.dumps(value, ensure_ascii=chance.random() < 0.5)


def _joined(chance: random.Random, parts: list[str], gap: Any) -> str:
    text = "".join(f"{part},{gap()}" for part in parts[:-1])
    if parts:
        text += parts[-1] + (f",{gap()}" if chance.random() < 0.2 else "")
    return text


def laid_out(chance: random.Random, value: Any, eol: str) -> str:
    """`value` as people lay it out, with comments at the ends of lines and between them."""
    lines = []
    for line in json.dumps(value, indent=chance.choice([2, 4, "\t"]), ensure_ascii=False).split("\n"):
        if chance.random() < 0.2:
            lines.append("  // a note, }")
        lines.append(line + (" // c, }" if line.endswith((",", "{", "[")) and chance.random() < 0.2 else ""))
    return eol.join(lines) + chance.choice(["", eol])


@pytest.mark.parametrize("seed", range(40))
def test_random_documents_say_what_was_put_into_them_and_nothing_else_changes(seed: int) -> None:
    for number in range(50):
        chance = random.Random(seed * 1_000 + number)
        eol = chance.choice(["\n", "\r\n"])
        whole = {f"k{place}": some_value(chance) for place in range(chance.randrange(4))}
        text = (written if chance.random() < 0.5 else laid_out)(chance, whole, eol)
        text = chance.choice(["", "", "\ufeff", f"// top{eol}"]) + text
        path = chance.choice([["mcpServers", "detent"], ["k0", "detent"], ["new"], ["a", "b", "c"]])
        value = chance.choice([SERVER, 5, {"a": {"b": [1, {"c": "ü"}]}}])
        expected = read(text)
        try:
            after = jsonc.put(text, path, value)
        except Unreadable:
            assert not isinstance(expected["k0"], dict)
            continue
        place = expected
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value
        assert read(after) == expected, (seed, number)
        assert jsonc.get(after, path) == value
        assert jsonc.put(after, path, value) == after
        del place[path[-1]]
        assert read(jsonc.remove(after, path)) == expected, (seed, number)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", '{\n  "s": {\n    "d": 1\n  }\n}'),
        ('{"a": 1}', '{"a": 1, "s": {"d": 1}}'),
        ('{\n    "s": {}\n}\n', '{\n    "s": {\n        "d": 1\n    }\n}\n'),
        ('{\n\t"s": {\n\t\t"o": 2 // c\n\t}\n}', '{\n\t"s": {\n\t\t"o": 2, // c\n\t\t"d": 1\n\t}\n}'),
        ('{\r\n "s": {\r\n  "o": 2,\r\n },\r\n}', '{\r\n "s": {\r\n  "o": 2,\r\n  "d": 1\r\n },\r\n}'),
        ('{"s": {"o": 2}}', '{"s": {"o": 2, "d": 1}}'),
        ("// only\n", '// only\n{\n  "s": {\n    "d": 1\n  }\n}\n'),
    ],
)
def test_what_is_put_in_stands_as_its_neighbours_do(before: str, after: str) -> None:
    assert jsonc.put(before, ["s", "d"], 1) == after


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{"a": 1 "b": 2}', 1, 9),
        ('{\n  "a": 1,\n  b: 2\n}', 3, 3),
        ("{\n/* open", 2, 1),
        ('{"a": [1, 2}', 1, 12),
        ('{"a": 01}', 1, 8),
        ('{"a": "x\n"}', 1, 7),
        ("{} {}", 1, 4),
        ("[" * 5_000, 1, 202),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(text: str, line: int, column: int) -> None:
    with pytest.raises(Unreadable) as refused:
        jsonc.put(text, ["s"], 1)
    assert (refused.value.line, refused.value.column) == (line, column)
