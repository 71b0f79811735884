"""The editor of settings compared with the reader that VS Code reads them by."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest
from tests.assistants.test_jsonc import SERVER, laid_out, read, some_value, written
from tests.clients.packages import folder, surroundings
from tests.clients.results import Results

from detent_cli.assistants import jsonc
from detent_cli.assistants.unreadable import Unreadable

pytestmark = pytest.mark.clients

DOCUMENTS = 5_000
#: Reads a list of documents, and answers with what each says and which errors are in it.
READER = """\
const { parse } = require("jsonc-parser");
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
const read = (text) => {
  const errors = [];
  const value = parse(text.replace(/^\\uFEFF/, ""), errors, { allowTrailingComma: true });
  return { value, errors };
};
process.stdout.write(JSON.stringify(texts.map(read)));
"""


def test_thousands_of_edited_documents_say_the_same_to_the_reader_of_vs_code(home: Path, results: Results) -> None:
    """Given random documents with comments, blanks, doubled names and trailing commas, when a server is put in and
    taken out again, then Microsoft's reader finds no error and exactly the values that are expected."""
    texts, values = [], []
    for seed in range(DOCUMENTS):
        chance = random.Random(seed)
        eol = chance.choice(["\n", "\r\n"])
        whole = {f"k{place}": some_value(chance) for place in range(chance.randrange(5))}
        text = (written if chance.random() < 0.5 else laid_out)(chance, whole, eol)
        text = chance.choice(["", "", "\ufeff", f"// top{eol}"]) + text
        path = chance.choice([["mcpServers", "detent"], ["k0", "detent"], ["new"], ["a", "b", "c"]])
        expected = read(text)
        texts.append(text)
        values.append(read(text))
        try:
            after = jsonc.put(text, path, SERVER)
        except Unreadable:
            continue
        place = expected
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = SERVER
        without = json.loads(json.dumps(expected))
        inner = without
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]
        texts += [after, jsonc.remove(after, path)]
        values += [expected, without]
    found = _read_by_microsoft(texts, home)
    for text, value, seen in zip(texts, values, found, strict=True):
        assert seen["errors"] == [], text
        assert seen["value"] == value, text
    results.see("jsonc-parser", "random documents, edited", f"{len(texts):,} say what is expected, without an error")


@pytest.mark.parametrize(
    "text",
    ['{"a": 1 "b": 2}', '{"a": }', '{"a": 01}', "{/* open", '{"a": "x\n"}', "{} {}", "[1, 2}", "{,}", "[,]", "{a: 1}"],
)
def test_what_one_refuses_the_other_does_not_take(text: str, home: Path) -> None:
    """Given no document, when both read it, then both find errors."""
    [seen] = _read_by_microsoft([text], home)
    assert seen["errors"]
    with pytest.raises(Unreadable):
        jsonc.put(text, ["s"], 1)


def _read_by_microsoft(texts: list[str], home: Path) -> list[dict[str, object]]:
    done = subprocess.run(
        ["node", "-e", READER],
        cwd=folder("jsonc-parser"),
        env=surroundings(home),
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found
