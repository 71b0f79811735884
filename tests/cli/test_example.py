from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, TypeAdapter

from detent_cli.example import example_of


class Colour(Enum):
    RED = "red"


class Inner(BaseModel):
    at: datetime
    colour: Colour


class Outer(BaseModel):
    inner: Inner
    kinds: list[Literal["a", "b"]]
    size: float | None
    left_out: int = 3


@dataclass
class Node:
    name: str
    children: list[Node] = field(default_factory=list)


@pytest.mark.parametrize("kind", [Outer, Inner, Node, str, int, list[Inner], dict[str, int], bool | None, Any])
def test_an_example_fits_its_own_schema(kind: Any) -> None:
    adapter = TypeAdapter(kind)
    adapter.validate_python(example_of(adapter.json_schema()))


def test_an_example_names_the_required_fields() -> None:
    assert example_of(TypeAdapter(Outer).json_schema()) == {
        "inner": {"at": "2026-11-22T09:00:00Z", "colour": "red"},
        "kinds": ["a"],
        "size": 1.0,
    }


def test_a_schema_that_refers_to_itself_has_an_end() -> None:
    recursive = {"$ref": "#/$defs/N", "$defs": {"N": {"type": "array", "items": {"$ref": "#/$defs/N"}}}}
    assert example_of(recursive) is not None
