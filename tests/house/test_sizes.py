"""Files stay small enough to be read in one sitting."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("runtime", "cli", "mcp_server", "tests", "benchmarks", "examples")
MOST_LINES = 700


def test_no_python_file_is_longer_than_the_house_allows() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
    }
    assert lengths, f"no Python files under {ROOT}"
    too_long = {name: lines for name, lines in lengths.items() if lines > MOST_LINES}
    assert not too_long, f"split these, they have more than {MOST_LINES} lines: {too_long}"


def test_no_module_is_named_for_having_no_purpose() -> None:
    vague = {"util", "utils", "helper", "helpers", "common", "misc"}
    found = [
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if path.stem in vague or path.parent.name in vague
    ]
    assert not found, f"name these for the one thing they hold: {found}"
