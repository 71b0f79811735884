"""Which run somebody means: a whole id, the beginning of one, or the latest that no other run started."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from detent.errors import InvalidOptions, NotFound
from detent.model.ids import is_id

if TYPE_CHECKING:
    from detent.client import Detent

__all__ = ["LATEST", "find_run"]

LATEST = "latest"
_SHOWN = 5


def find_run(client: Detent, wanted: str) -> str:
    """The id that `wanted` stands for.

    Errors: `NotFound`; `InvalidOptions` when several runs begin like this, with some of them.
    """
    text = wanted.strip().rstrip("…").lower()
    if text == LATEST:
        newest = client.runs.list(limit=100).page().items
        if not newest:
            raise NotFound("this project has no runs yet; start one with `detent tasks trigger`")
        # Somebody who says "latest" started a run by hand, and does not mean the runs that it has started.
        first = next((run for run in newest if run.parent_id is None), newest[0])
        return first.id if first.parent_id is None else first.root_id or first.id
    if is_id("run", text):
        return text
    prefix = text if text.startswith("run_") else f"run_{text}"
    if len(prefix) <= len("run_"):
        raise InvalidOptions(f"{wanted!r} is no id of a run; expected such as run_0199… or: latest")
    # The search looks into errors too, which may name other runs.
    found = (run for run in client.runs.list(search=prefix, limit=100) if run.id.startswith(prefix))
    fitting = list(islice(found, _SHOWN + 1))
    if not fitting:
        raise NotFound(f"no run begins with {wanted!r}; list the latest with `detent runs list`")
    if len(fitting) > 1:
        shown = ", ".join(run.id for run in fitting[:_SHOWN])
        more = " …" if len(fitting) > _SHOWN else ""
        raise InvalidOptions(f"several runs begin with {wanted!r}: {shown}{more}; write more of it")
    return fitting[0].id
