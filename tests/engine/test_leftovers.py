"""Objects go when nothing names them any more, and what cannot be deleted is tried again and loses nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.engine.bench import Bench, new
from tests.engine.conftest import DIALECTS
from tests.servers.databases import emptied

from detent.engine import Engine
from detent.engine.operations import Operations
from detent.errors import Conflict, StoreError, TaskNotFound
from detent.model.ids import new_id
from detent.objects import ObjectStore, open_store
from detent.objects.address import read_address

DAY_S = 86_400
LARGE = json.dumps("x" * 200_000)


class Reluctant(ObjectStore):
    """A folder of which some objects cannot be deleted, as long as the test says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(read_address(folder))
        self.folder = folder
        self.stuck: set[str] = set()
        self.asked: list[list[str]] = []

    def delete_many(self, keys: Sequence[str]) -> dict[str, StoreError]:
        self.asked.append(list(keys))
        refused = {key: StoreError("the credentials do not allow it") for key in keys if key in self.stuck}
        return refused | super().delete_many([key for key in keys if key not in refused])

    def put_at(self, key: str, at_ms: float) -> None:
        """Write an object as of a time."""
        self.put(key, b"1")
        os.utime(self.folder / key, (at_ms / 1000, at_ms / 1000))


class Keeper(Bench):
    """A bench with objects, that keeps finished runs for one day."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder, url)
        self.objects = Reluctant(folder / "objects")
        self.engine = Engine(self.store, self.clock, retention_ms=DAY_S * 1000, objects=self.objects)
        self.operations = Operations(self.engine, objects=self.objects)

    def left(self) -> list[str]:
        return sorted(self.objects.list())


@pytest.fixture(params=DIALECTS)
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(tmp_path, emptied() if request.param == "postgresql" else "")
    yield keeper
    keeper.close()


def test_a_delete_that_fails_is_tried_again_later_and_the_others_go(keeper: Keeper) -> None:
    worker = keeper.worker()
    for n in range(3):
        keeper.objects.put(f"outputs/{n}", b"1")
        keeper.trigger()
        worker.finish(worker.take(), output_ref=f"outputs/{n}")
    keeper.clock.forward(DAY_S)
    keeper.objects.stuck = {"outputs/1"}
    assert keeper.engine.remove_old_runs() == 3

    assert keeper.engine.delete_removed_objects() == 3
    assert keeper.left() == ["outputs/1"]
    assert keeper.engine.delete_removed_objects() == 0  # not yet
    keeper.clock.forward(60)
    assert keeper.engine.delete_removed_objects() == 1
    keeper.clock.forward(119)
    assert keeper.engine.delete_removed_objects() == 0
    keeper.objects.stuck.clear()
    keeper.clock.forward(1)
    assert keeper.engine.delete_removed_objects() == 1

    assert keeper.left() == []
    keeper.clock.forward(DAY_S)
    assert keeper.engine.delete_removed_objects() == 0


def test_runs_go_while_the_object_store_is_away(keeper: Keeper) -> None:
    worker = keeper.worker()
    keeper.trigger()
    worker.finish(worker.take(), output_ref="outputs/1")
    keeper.clock.forward(DAY_S)

    assert keeper.engine.remove_old_runs() == 1

    assert keeper.objects.asked == []


def test_large_payloads_of_runs_that_are_not_made_do_not_stay(keeper: Keeper) -> None:
    keeper.worker()
    [made] = keeper.operations.trigger([new(payload=LARGE, idempotency_key="k")])
    [again] = keeper.operations.trigger([new(payload=LARGE, idempotency_key="k")])
    assert again.id == made.id
    with pytest.raises(TaskNotFound):
        keeper.operations.trigger([new("wrok", payload=LARGE, known=False)])

    [key] = keeper.left()
    assert made.id in key


def test_an_object_that_a_failure_left_behind_is_found_once_its_run_has_ended(keeper: Keeper) -> None:
    worker = keeper.worker()
    lost, lives, unknown = keeper.trigger(), keeper.trigger(), new_id("run")
    worker.finish(worker.take(), output_ref=f"outputs/{lost}.1.json")
    now = keeper.clock.now()
    for key in (
        f"outputs/{lost}.1.json",
        f"outputs/{lost}.2.json",
        f"runs/{lost}/journal/3.json",
        f"envs/dev/runs/{lost}/journal/4.json",
        f"outputs/{lives}.json",
        f"runs/{unknown}/payload.json",
        f"audio/{lost}.mp3",
    ):
        keeper.objects.put_at(key, now - 2 * DAY_S * 1000)
    keeper.objects.put_at(f"outputs/{lost}.fresh.json", now)

    assert keeper.engine.search_lost_objects() == 3

    assert keeper.left() == sorted(
        [
            f"outputs/{lost}.1.json",  # named
            f"outputs/{lives}.json",
            f"runs/{unknown}/payload.json",
            f"audio/{lost}.mp3",
            f"outputs/{lost}.fresh.json",
        ]
    )


def test_the_output_that_came_too_late_for_a_token_is_found(keeper: Keeper) -> None:
    tokens = keeper.operations.tokens
    made = keeper.operations.call("tokens.create")
    tokens.complete_with_text(made["id"], LARGE)
    with pytest.raises(Conflict):
        tokens.complete_with_text(made["id"], LARGE)
    [kept] = keeper.left()
    late = f"waitpoints/{made['id']}/late.json"
    keeper.objects.put_at(late, keeper.clock.now() - 2 * DAY_S * 1000)

    assert keeper.engine.search_lost_objects() == 1

    assert keeper.left() == [kept]


def test_a_mapping_of_failures_is_what_delete_many_gives(tmp_path: Path) -> None:
    store = open_store(tmp_path / "objects")
    store.put("a/b", b"1")
    (tmp_path / "objects" / "not-empty").mkdir()
    failed: Mapping[str, Exception] = store.delete_many(["a/b", "a/absent"])
    assert failed == {}
    assert list(store.list()) == []
