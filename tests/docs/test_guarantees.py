"""The page of guarantees names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.docs.blocks import ROOT

PAGE = ROOT / "docs" / "guarantees.md"
_PROOF = re.compile(r"\[`([^`\]]+)`\]\(\.\./(tests/[^)]+)\)")
_ROW = re.compile(r"^\| (?P<promise>[^|]+) \| (?P<proof>[^|]+) \|$", re.MULTILINE)

PROOFS = _PROOF.findall(PAGE.read_text(encoding="utf-8"))


def functions_of(path: Path) -> set[str]:
    """The names of the functions at the top of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {part.name for part in tree.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("name", "file"), PROOFS, ids=[name.rpartition("/")[2] for name, _ in PROOFS])
def test_a_test_that_a_promise_leads_to_is_there(name: str, file: str) -> None:
    path = ROOT / file
    assert path.is_file()
    if name != file:
        assert name in functions_of(path)


def test_every_promise_has_its_proof() -> None:
    _, _, table = PAGE.read_text(encoding="utf-8").partition("| Promise | Tests |\n|---|---|\n")
    rows = _ROW.findall(table)
    assert len(rows) > 30
    assert [promise for promise, proof in rows if not _PROOF.search(proof)] == []
