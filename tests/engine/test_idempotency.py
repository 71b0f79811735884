"""One key, one payload, one run, however many ask at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from tests.engine.bench import Bench, new
from tests.server.project import KEY, Project

from detent.client import Detent, HttpTransport
from detent.errors import Conflict
from detent.model.digest import payload_digest
from detent.model.options import new_run
from detent.model.protocol import Done, Failure, Triggered


def test_of_a_hundred_threads_with_one_key_one_makes_the_run(bench: Bench) -> None:
    bench.worker()
    start = Barrier(100)

    def trigger(n: int) -> tuple[str, bool]:
        run = new(idempotency_key="k", payload='{"a":1,"b":2}' if n % 2 else '{"b": 2, "a": 1}')
        start.wait()
        [handle] = bench.engine.trigger([run])
        return handle.id, handle.cached

    with ThreadPoolExecutor(100) as pool:
        handles = list(pool.map(trigger, range(100)))
    assert len({run for run, _ in handles}) == 1
    assert sorted(cached for _, cached in handles) == [False] + [True] * 99
    assert bench.count("SELECT count(*) FROM runs") == 1


def test_of_a_hundred_clients_over_http_with_one_key_and_two_payloads_only_one_payload_wins(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    project = Project(tmp_path_factory.mktemp("project"))
    project.worker()
    server = project.serve()
    transport = HttpTransport(server.url, KEY)
    start = Barrier(32)

    def trigger(n: int) -> str:
        if n < 32:
            start.wait()
        try:
            return Detent(transport).tasks.trigger("plain", {"n": n % 2}, idempotency_key="k").id
        except Conflict as refused:
            return f"refused: {refused}"

    try:
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(trigger, range(100)))
    finally:
        transport.close()
        server.stop()
        project.close()
    [winner] = {answer for answer in answers if not answer.startswith("refused")}
    refused = [answer for answer in answers if answer.startswith("refused")]
    assert len(refused) == 50
    digests = {payload_digest('{"n":0}')[:16], payload_digest('{"n":1}')[:16]}
    assert all(winner in text and all(digest in text for digest in digests) for text in refused)


def test_a_key_with_another_payload_is_refused_with_both_digests_the_run_and_the_remedy(bench: Bench) -> None:
    bench.worker()
    first = bench.trigger(idempotency_key="k", payload='{"n":1}')
    with pytest.raises(Conflict) as refused:
        bench.trigger(idempotency_key="k", payload='{"n":2}')
    text = str(refused.value)
    assert refused.value.code == "conflict"
    for part in (first, payload_digest('{"n":1}')[:16], payload_digest('{"n":2}')[:16], "or another key"):
        assert part in text
    assert bench.count("SELECT count(*) FROM runs") == 1


def test_a_refused_key_keeps_the_whole_batch_from_being_made(bench: Bench) -> None:
    bench.worker()
    with pytest.raises(Conflict):
        bench.trigger_all([new(idempotency_key="k", payload="1"), new(), new(idempotency_key="k", payload="2")])
    assert bench.count("SELECT count(*) FROM runs") == 0


def test_the_order_of_keys_and_the_spacing_make_no_other_payload() -> None:
    assert payload_digest('{"a": [1, {"c": 3, "b": 2}]}') == payload_digest('{"a":[1,{"b":2,"c":3}]}')
    assert payload_digest("[1,2]") != payload_digest("[2,1]")
    assert payload_digest("not JSON") == payload_digest("not JSON")


def test_a_released_key_takes_another_payload(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger(idempotency_key="k", payload="1")
    worker.finish(worker.take(), "FAILED")
    second = bench.trigger(idempotency_key="k", payload="2")
    assert bench.trigger(idempotency_key="k", payload="2") == second


def test_a_key_of_an_older_store_fits_every_payload(bench: Bench) -> None:
    bench.worker()
    first = bench.trigger(idempotency_key="k", payload="1")
    bench.engine.write(
        lambda scene: scene.tx.run(
            "keep_idempotency",
            env="dev",
            task="work",
            key="k",
            run_id=first,
            expires_at=scene.now + 1000,
            payload_digest=None,
        )
    )
    assert bench.trigger(idempotency_key="k", payload="2") == first


def test_large_payloads_are_compared_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    project = Project(tmp_path_factory.mktemp("project"))
    try:
        project.worker()
        client = Detent(project.transport)
        big = {"text": "x" * 200_000}
        first = client.tasks.trigger("plain", big, idempotency_key="k")
        assert client.tasks.trigger("plain", big, idempotency_key="k").id == first.id
        with pytest.raises(Conflict, match=first.id):
            client.tasks.trigger("plain", {"text": "y" * 200_000}, idempotency_key="k")
    finally:
        project.close()


def test_a_trigger_inside_a_run_is_refused_and_the_run_goes_on(bench: Bench) -> None:
    worker = bench.worker("parent", "work")
    bench.trigger("parent")
    grant = worker.take()
    worker.trigger(grant, "1", new(idempotency_key="k", payload="1"))
    answer = worker.trigger(grant, "2", new(idempotency_key="k", payload="2"))
    assert isinstance(answer, Failure)
    assert answer.code == "conflict"
    assert isinstance(worker.trigger(grant, "2", new(idempotency_key="k", payload="1")), Triggered)
    assert worker.finish(grant) == Done()


@pytest.mark.parametrize("again", ["lost", "retried"])
def test_a_child_that_the_journal_knows_is_found_whatever_its_payload_is_now(bench: Bench, again: str) -> None:
    """Given a parent whose payload for a child changes with the time, when it runs again, then it finds the child by
    its journal, and no payloads are compared."""
    worker = bench.worker("parent", "work")
    bench.trigger("parent")
    grant = worker.take()
    [child] = worker.trigger(grant, "1", new(idempotency_key="k", payload='"09:00"')).handles
    if again == "lost":
        worker.release(grant)
        worker = bench.worker("parent", "work")
    else:
        worker.finish(grant, "DELAYED", retry_at=bench.clock.now() + 1000)
        bench.pass_time(1)
    grant = next(grant for grant in worker.claim(2) if grant.task == "parent")
    answer = worker.trigger(grant, "1", new(idempotency_key="k", payload='"09:01"'))
    assert answer.handles == [child]


def test_the_digest_is_made_where_the_payload_is_at_hand() -> None:
    assert new_run("work", '{"a": 1}', {"idempotency_key": "k"}, now=0).payload_digest == payload_digest('{"a":1}')
    assert new_run("work", '{"a": 1}', {}, now=0).payload_digest is None
