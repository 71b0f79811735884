"""Files of variables are read as people write them."""

from __future__ import annotations

import pytest

from detent.errors import InvalidOptions
from detent.model.dotenv import parse_dotenv


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB = two words \n", {"A": "1", "B": "two words"}),
        ("# note\n\nexport A=1 # why\n", {"A": "1"}),
        ("A=\"x # y\"\nB='raw \\n $A'\n", {"A": "x # y", "B": "raw \\n $A"}),
        ('A="line\\none"\n', {"A": "line\none"}),
        ('KEY="-----BEGIN-----\nabc\n-----END-----"\nB=2', {"KEY": "-----BEGIN-----\nabc\n-----END-----", "B": "2"}),
        ('A="say \\"hi\\" \\\\"', {"A": 'say "hi" \\'}),
        ("A=\nB=''", {"A": "", "B": ""}),
        ("A=a#b\r\nA=2\r\n", {"A": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("", {}),
    ],
)
def test_a_file_is_read_as_it_was_meant(text: str, expected: dict[str, str]) -> None:
    assert parse_dotenv(text) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\nnonsense hunter2\n", 2), ('A="hunter2\n', 1), ('A="x\ny"\nB="1" hunter2', 3), ("1A=hunter2", 1)],
)
def test_a_line_that_cannot_be_read_is_named_and_never_shown(text: str, line: int) -> None:
    with pytest.raises(InvalidOptions, match=rf"line {line}\b") as caught:
        parse_dotenv(text)
    assert "hunter2" not in caught.value.message
