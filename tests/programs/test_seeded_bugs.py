"""The programs find bugs of the journal: each of these is found by the first hundred of them."""

from __future__ import annotations

import pytest
from tests.programs.bugs import BUGS
from tests.programs.outcome import Outcome, differences
from tests.programs.running import execute

_TOGETHER, _MOST = 10, 100
#: `make test` looks for these; `make soak` for all.
_ALWAYS = list(BUGS)[::5]
_warm: dict[int, Outcome] = {}


def found_by(name: str, patch: pytest.MonkeyPatch) -> tuple[int, str] | None:
    """The first program that shows the bug, and how."""
    for first in range(0, _MOST, _TOGETHER):
        seeds = range(first, first + _TOGETHER)
        if first not in _warm:
            _warm.update(execute(seeds, "never").outcomes)
        with patch.context() as patched:
            BUGS[name](patched)
            try:
                execution = execute(seeds, "always", still_s=0.2, patience_s=5)
            except TimeoutError as error:
                return first, str(error)
        for seed in seeds:
            wrong = [*differences(_warm[seed], execution.outcomes[seed]), *execution.torn[seed]]
            if wrong:
                return seed, wrong[0]
    return None


@pytest.mark.parametrize(
    "name", [name if name in _ALWAYS else pytest.param(name, marks=pytest.mark.soak) for name in BUGS]
)
def test_a_bug_of_the_journal_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = found_by(name, monkeypatch)
    assert found is not None, f"{_MOST} programs did not show that {name.replace('_', ' ')}"
    print(f"{name.replace('_', ' ')}: found by program {found[0]}: {found[1][:200]}")
