"""Alerts: who is told of what, once, and how many events one message tells of."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.bench import Bench, new
from tests.engine.failing import Failing

from detent.engine import Engine
from detent.engine.alert_deliveries import DISABLE_AFTER, Outcome, end_attempt
from detent.engine.alert_operations import AlertOperations
from detent.engine.alert_secrets import opened, seal_alerts_again
from detent.engine.alert_windows import MOST_OPEN
from detent.engine.announce import deployment_finished
from detent.errors import Conflict, InvalidOptions, LimitExceeded, NotFound
from detent.model.alerts import ALERTS, MOST_TRIES
from detent.vault import Vault

HOOK = "https://hooks.example/detent?key=hidden"


class Alerted(Failing):
    """Failing runs, and alerts that tell of them."""

    def __init__(self, bench: Bench, *tasks: str) -> None:
        super().__init__(bench, *tasks)
        self.alerts = AlertOperations(bench.engine, Vault.of_this_process())

    def alert(self, *events: str, **values: Any) -> str:
        made: str = self.alerts.create(events=events, **({"webhook": HOOK} | values))["id"]
        return made

    def pass_time(self, seconds: float) -> None:
        """Read the history, let time go by, and make the messages that are due."""
        self.read()
        self.bench.clock.forward(seconds)
        self.digest.watch()
        self.digest.close_windows()

    def messages(self, **values: Any) -> list[dict[str, Any]]:
        """The bodies of all messages so far, oldest first."""
        items = self.alerts.deliveries(limit=100, **values)["items"]
        return [self.alerts.delivery(id=item["id"])["body"] for item in reversed(items)]

    def try_it(self, **values: Any) -> str:
        """One try of the oldest message that is due goes as `values` say; its id."""
        now = self.bench.clock.now()
        [row, *_] = self.bench.store.read("list_due_deliveries", now=now, busy="[]", full="[]", n=1)
        outcome = Outcome(**({"at": now, "duration_ms": 7} | values))
        assert self.bench.engine.write(lambda scene: end_attempt(scene, row, outcome, 0.5))
        found: str = row["id"]
        return found


@pytest.fixture
def alerted(bench: Bench) -> Alerted:
    return Alerted(bench, "work", "other")


def test_failures_of_a_minute_are_one_message_that_says_how_many(alerted: Alerted) -> None:
    alerted.alert("run.failed")
    for _ in range(10):
        alerted.fail_many(150)
        alerted.pass_time(5.5)
    alerted.pass_time(6)
    [message] = alerted.messages()
    assert message["type"] == "run.failed"
    assert message["data"]["count"] == 1_500
    assert message["data"]["error"]["type"] == "ValueError"
    assert message["data"]["error"]["message"] == "it broke"
    assert message["data"]["news"] == ["first_seen"]
    assert message["data"]["tasks"] == {"work": 1_500}
    assert len(message["data"]["runs"]) == 5
    assert message["data"]["run"]["id"] == message["data"]["runs"][0]
    assert message["data"]["first_at"] < message["data"]["last_at"]
    assert alerted.only()["count"] == 1_500


def test_while_failures_go_on_messages_come_less_and_less_often(alerted: Alerted) -> None:
    alerted.alert("run.failed")
    for _ in range(145):
        alerted.fail()
        alerted.pass_time(60)
    # After 1, 4, 16 and 60 minutes each, and then once an hour
    assert [message["data"]["count"] for message in alerted.messages()] == [1, 4, 16, 60, 60]


def test_after_a_quiet_window_all_begins_anew(alerted: Alerted) -> None:
    alerted.alert("run.failed")
    for _ in range(3):
        alerted.fail()
        alerted.pass_time(60)
        alerted.pass_time(4 * 60)
    assert [message["data"]["count"] for message in alerted.messages()] == [1, 1, 1]
    assert alerted.bench.count("SELECT count(*) FROM alert_windows") == 0


def test_different_errors_are_different_messages_until_there_are_too_many(alerted: Alerted) -> None:
    alerted.alert("run.failed")
    words = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}word" for n in range(MOST_OPEN + 30)]
    for word in words:
        alerted.fail(word)
    alerted.pass_time(60)
    messages = alerted.messages()
    [rest] = [message for message in messages if message["data"]["count"] > 1]
    assert {message["data"]["error"]["message"] for message in messages if message is not rest} == set(
        words[:MOST_OPEN]
    )
    assert rest["data"]["count"] == 30
    assert len(rest["data"]["matters"]) == 20


def test_without_a_window_each_event_is_a_message(alerted: Alerted) -> None:
    alerted.alert("run.failed", window="0s")
    alerted.fail_many(3)
    alerted.read()
    assert [message["data"]["count"] for message in alerted.messages()] == [1, 1, 1]


def test_an_alert_is_limited_by_task_tag_and_fingerprint(alerted: Alerted) -> None:
    alerted.fail("known")
    alerted.read()
    known = alerted.only()["id"]
    by = {
        "task": alerted.alert("run.failed", task=["other"]),
        "tag": alerted.alert("run.failed", tag=["vip", "gold"]),
        "fingerprint": alerted.alert("run.failed", fingerprint=[known]),
        "both": alerted.alert("run.failed", task=["other"], tag=["vip"]),
    }
    alerted.fail("known")
    alerted.fail("of other", task="other")
    alerted.fail("of a vip", tags=["vip"])
    alerted.pass_time(60)
    told = {
        name: [message["data"]["error"]["message"] for message in alerted.messages(alert=alert_id)]
        for name, alert_id in by.items()
    }
    assert told == {"task": ["of other"], "tag": ["of a vip"], "fingerprint": ["known"], "both": []}


def test_an_alert_may_want_only_what_is_new_or_has_come_back(alerted: Alerted) -> None:
    first = alerted.alert("run.failed", only=["first_seen"])
    back = alerted.alert("run.failed", only=["regression"])
    alerted.fail_many(3)
    alerted.pass_time(60)
    alerted.errors.resolve(id=alerted.only()["id"])
    alerted.bench.clock.forward(1)
    alerted.fail_many(3)
    alerted.pass_time(4 * 60)
    [new] = alerted.messages(alert=first)
    [again] = alerted.messages(alert=back)
    assert (new["data"]["news"], new["data"]["count"]) == (["first_seen"], 1)
    assert (again["data"]["news"], again["data"]["count"]) == (["regression"], 1)


def test_nobody_is_told_of_what_is_ignored(alerted: Alerted) -> None:
    alerted.alert("run.failed", window="0s")
    alerted.fail()
    alerted.read()
    alerted.errors.ignore(id=alerted.only()["id"], occurrences=3)
    alerted.fail_many(5)
    alerted.read()
    assert [message["data"]["news"] for message in alerted.messages()] == [["first_seen"], ["unignored"], [], []]


def test_completed_runs_are_told_by_task(alerted: Alerted) -> None:
    alerted.alert("run.completed", task=["work"])
    for task in ("work", "work", "other"):
        alerted.succeed(task)
    alerted.fail()
    alerted.pass_time(60)
    [message] = alerted.messages()
    assert (message["type"], message["data"]["count"]) == ("run.completed", 2)
    assert message["data"]["run"]["status"] == "COMPLETED"


def test_what_happened_before_an_alert_was_made_is_none_of_its(alerted: Alerted) -> None:
    alerted.fail_many(3)
    alerted.bench.clock.forward(1)
    alerted.alert("run.failed", window="0s")
    alerted.fail()
    alerted.read()
    assert len(alerted.messages()) == 1


def test_a_restart_neither_loses_nor_doubles_a_message(alerted: Alerted) -> None:
    alerted.alert("run.failed")
    alerted.fail_many(300)
    alerted.digest.sweep()
    alerted.bench.restart()
    alerted = Alerted(alerted.bench)
    alerted.fail_many(10)
    alerted.pass_time(60)
    alerted.bench.restart()
    alerted = Alerted(alerted.bench)
    alerted.pass_time(60)
    [message] = alerted.messages()
    assert message["data"]["count"] == 310


def test_a_deployment_that_has_ended_is_told_in_its_transaction(alerted: Alerted) -> None:
    alerted.alert("deployment.finished")
    alerted.alert("run.failed")
    deployment = {"id": "dep_1", "version": "20261122.1", "status": "FAILED", "error": "the image does not build"}
    engine = alerted.bench.engine
    assert engine.write(lambda scene: deployment_finished(scene, "dev", deployment)) == 1
    assert engine.write(lambda scene: deployment_finished(scene, "prod", deployment)) == 0
    [message] = alerted.messages()
    assert (message["type"], message["data"]["deployment"]) == ("deployment.finished", deployment)


def test_a_queue_that_is_too_long_is_told_once_until_it_has_been_shorter_for_some_time(alerted: Alerted) -> None:
    alerted.alert("queue.too_long", threshold=2, queue=["task/work"])
    for task in ("work", "work", "other", "other", "other"):
        alerted.bench.trigger(task)
    alerted.pass_time(5)
    assert alerted.messages() == []
    # When it grows, it is told, and then not again
    alerted.bench.trigger("work")
    for _ in range(3):
        alerted.pass_time(5)
    [message] = alerted.messages()
    assert (message["type"], message["data"]["queue"], message["data"]["threshold"]) == (
        "queue.too_long",
        "task/work",
        2,
    )
    # Nor when it is shorter for a moment
    alerted.worker.claim(6)
    alerted.pass_time(30)
    alerted.bench.trigger_all([new() for _ in range(3)])
    alerted.pass_time(5)
    assert len(alerted.messages()) == 1
    # But after a quiet time it is
    alerted.worker.claim(6)
    alerted.pass_time(5)
    alerted.pass_time(60)
    alerted.bench.trigger_all([new() for _ in range(3)])
    alerted.pass_time(5)
    assert len(alerted.messages()) == 2


def test_work_that_no_worker_does_is_told_when_it_has_lasted(bench: Bench) -> None:
    alerted = Alerted(bench)
    alerted.alert("worker.none", after="30s")
    alerted.bench.trigger("work")
    alerted.pass_time(60)
    assert alerted.messages() == []
    bench.engine.lose_worker(alerted.worker.id, "its host is gone")
    for _ in range(5):
        alerted.pass_time(5)
    assert alerted.messages() == []
    for _ in range(5):
        alerted.pass_time(5)
    [message] = alerted.messages()
    assert (message["type"], message["data"]["queued"]) == ("worker.none", 1)
    assert message["data"]["lasted_ms"] >= 30_000


def test_a_message_is_tried_again_and_again_and_then_given_up(alerted: Alerted) -> None:
    alerted.alert("run.failed", window="0s")
    alerted.fail()
    alerted.read()
    began = alerted.bench.clock.now()
    for n in range(MOST_TRIES):
        message_id = alerted.try_it(ok=False, status_code=503, response="busy")
        found = alerted.alerts.delivery(id=message_id)
        assert (found["tries"], found["status"]) == (n + 1, "FAILED" if n + 1 == MOST_TRIES else "PENDING")
        [due] = alerted.bench.store.read("next_delivery", busy="[]")
        if due["at"] is not None:
            alerted.bench.clock.time = due["at"]
    assert 14 < (alerted.bench.clock.now() - began) / 3_600_000 < 18
    assert [each["n"] for each in found["attempts"]] == list(range(1, MOST_TRIES + 1))
    assert {(each["status_code"], each["response"], each["duration_ms"]) for each in found["attempts"]} == {
        (503, "busy", 7)
    }
    # And again when somebody says so, under the same id
    assert alerted.alerts.replay(id=message_id)["status"] == "PENDING"
    with pytest.raises(Conflict, match="is on its way"):
        alerted.alerts.replay(id=message_id)
    assert alerted.try_it(ok=True, status_code=200) == message_id
    assert alerted.alerts.delivery(id=message_id)["status"] == "DELIVERED"
    assert alerted.alerts.delivery(id=message_id)["tries"] == MOST_TRIES + 1


def test_an_outcome_is_written_once(alerted: Alerted) -> None:
    alerted.alert("run.failed", window="0s")
    alerted.fail()
    alerted.read()
    store, now = alerted.bench.store, alerted.bench.clock.now()
    [row] = store.read("list_due_deliveries", now=now, busy="[]", full="[]", n=5)
    outcome = Outcome(True, now, 1, 200)
    write = alerted.bench.engine.write
    assert [write(lambda scene: end_attempt(scene, row, outcome, 0.5)) for _ in range(2)] == [True, False]


def test_a_receiver_may_ask_for_a_longer_pause_but_not_for_any(alerted: Alerted) -> None:
    alerted.alert("run.failed", window="0s")
    alerted.fail_many(2)
    alerted.read()
    now = alerted.bench.clock.now()
    alerted.try_it(ok=False, status_code=429, pause_ms=120_000)
    alerted.try_it(ok=False, status_code=429, pause_ms=10**12)
    due = alerted.bench.store.read_sql("SELECT next_at FROM alert_deliveries ORDER BY seq", {})
    assert [row["next_at"] - now for row in due] == [120_000, 3_600_000]


def test_an_alert_whose_messages_do_not_arrive_is_switched_off(alerted: Alerted) -> None:
    alert_id = alerted.alert("run.failed", window="0s")
    alerted.fail_many(DISABLE_AFTER + 2)
    alerted.read()
    alerted.try_it(ok=False, error="no route", final=True)
    alerted.try_it(ok=True, status_code=200)
    for n in range(DISABLE_AFTER):
        assert alerted.alerts.retrieve(id=alert_id)["enabled"]
        assert alerted.alerts.retrieve(id=alert_id)["failures"] == n
        alerted.try_it(ok=False, error="no route", final=True)
    found = alerted.alerts.retrieve(id=alert_id)
    assert (found["enabled"], found["failures"]) == (False, DISABLE_AFTER)
    assert found["disabled_reason"] == "5 messages in a row did not arrive; of the last: no route"
    # Then nothing is gathered for it, until somebody switches it on
    alerted.fail()
    alerted.read()
    assert len(alerted.messages()) == DISABLE_AFTER + 2
    failed = alerted.alerts.deliveries(status=["FAILED"])["items"][0]["id"]
    with pytest.raises(Conflict, match="switched off; enable it first"):
        alerted.alerts.replay(id=failed)
    on = alerted.alerts.update(id=alert_id, enabled=True)
    assert (on["enabled"], on["failures"], on["disabled_reason"]) == (True, 0, None)
    assert alerted.alerts.replay(id=failed)["status"] == "PENDING"


def test_a_receiver_that_is_gone_switches_its_alert_off_and_what_waits_has_failed(alerted: Alerted) -> None:
    alert_id = alerted.alert("run.failed", window="0s")
    alerted.fail_many(3)
    alerted.read()
    alerted.try_it(ok=False, status_code=410, gone=True)
    assert "410" in alerted.alerts.retrieve(id=alert_id)["disabled_reason"]
    assert [item["status"] for item in alerted.alerts.deliveries()["items"]] == ["FAILED"] * 3


def test_a_test_is_one_message_that_counts_for_nothing(alerted: Alerted) -> None:
    alert_id = alerted.alert("run.failed")
    for _ in range(DISABLE_AFTER + 1):
        sent = alerted.alerts.test(id=alert_id)
        assert (sent["event"], sent["body"]["type"]) == ("alert.test", "alert.test")
        alerted.try_it(ok=False, error="no route")
        assert alerted.alerts.delivery(id=sent["id"])["status"] == "FAILED"
    assert alerted.alerts.retrieve(id=alert_id)["enabled"]


def test_an_alert_is_made_shown_changed_and_deleted_without_showing_what_is_secret(alerted: Alerted) -> None:
    made = alerted.alerts.create(events=["run.failed"], webhook=HOOK, name="On call", task=["work"])
    assert made["secret"].startswith("whsec_")
    found = alerted.alerts.retrieve(id=made["id"])
    assert made == found | {"secret": made["secret"]}
    assert (found["name"], found["target"], found["window_ms"]) == ("On call", "https://hooks.example/detent?…", 60_000)
    assert "hidden" not in repr(alerted.alerts.list())

    rotated = alerted.alerts.rotate_secret(id=made["id"])
    assert rotated["secret"] not in (made["secret"], None)

    slack = "https://hooks.slack.com/services/T0/B0/s3cret"
    changed = alerted.alerts.update(id=made["id"], slack=slack, events=["queue.too_long"], threshold=10)
    assert (changed["channel"], changed["target"], changed["task"]) == ("slack", "https://hooks.slack.com/…", [])
    with pytest.raises(Conflict, match="go by slack, which is not signed"):
        alerted.alerts.rotate_secret(id=made["id"])
    mail = alerted.alerts.update(id=made["id"], email=["ada@example.com", "grace@example.com"], window="5m")
    assert (mail["target"], mail["window_ms"], mail["threshold"]) == ("ada@example.com, grace@example.com", 300_000, 10)

    assert alerted.alerts.delete(id=made["id"])["id"] == made["id"]
    assert alerted.alerts.list()["items"] == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "an alert has one of webhook, slack and email, got none"),
        ({"webhook": HOOK, "slack": HOOK}, "got webhook and slack"),
        ({"webhook": "hooks.example"}, "webhook must be an address such as https://example.com/hook"),
        ({"webhook": "ftp://hooks.example"}, "got the scheme 'ftp'"),
        ({"webhook": "https://user:pass@hooks.example"}, "without a user"),
        ({"webhook": "https://hooks.example/ x"}, "without blanks"),
        ({"slack": "https://:443"}, "the host None"),
        ({"email": []}, "email must be 1 to 20 addresses"),
        ({"email": ["ada"]}, "got 'ada'"),
        ({"email": ["ada@example.com\nBcc: eve@example.com"]}, "email must be addresses"),
        ({"webhook": HOOK, "events": []}, "events must name at least one of"),
        ({"webhook": HOOK, "events": ["run.faild"]}, "did you mean 'run.failed'"),
        ({"webhook": HOOK, "events": ["worker.none"], "task": ["a"]}, "task is for run.failed and run.completed only"),
        ({"webhook": HOOK, "events": ["queue.too_long"]}, "queue.too_long needs a threshold"),
        ({"webhook": HOOK, "only": ["regresion"]}, "did you mean 'regression'"),
        ({"webhook": HOOK, "window": "2d"}, "window must be at most 24 hours"),
        ({"webhook": HOOK, "window": "soon"}, "window: 'soon' is not a length of time"),
        ({"webhook": HOOK, "name": "a\nb"}, "name must be a line"),
    ],
)
def test_a_wrong_alert_is_refused_with_what_came_and_what_is_allowed(
    alerted: Alerted, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidOptions) as caught:
        alerted.alerts.create(**({"events": ["run.failed"]} | values))
    assert said in str(caught.value)
    assert alerted.alerts.list()["items"] == []


def test_there_are_only_so_many_alerts(alerted: Alerted) -> None:
    for _ in range(ALERTS):
        alerted.alert("run.failed")
    with pytest.raises(LimitExceeded, match="100 alerts already"):
        alerted.alert("run.failed")


def test_an_alert_of_another_environment_is_not_there_and_hears_nothing(alerted: Alerted) -> None:
    prod = AlertOperations(Engine(alerted.bench.store, alerted.bench.clock, env="prod"), Vault.of_this_process())
    theirs = prod.create(events=["run.failed", "worker.none"], webhook=HOOK, window="0s")["id"]
    alerted.alert("run.failed", window="0s")
    alerted.fail()
    alerted.pass_time(60)
    assert prod.deliveries()["items"] == []
    [ours] = alerted.alerts.deliveries()["items"]
    for ask in (alerted.alerts.retrieve, alerted.alerts.delete, alerted.alerts.test, alerted.alerts.rotate_secret):
        with pytest.raises(NotFound, match="detent alerts list"):
            ask(id=theirs)
    with pytest.raises(NotFound):
        alerted.alerts.update(id=theirs, enabled=False)
    for ask in (prod.delivery, prod.replay):
        with pytest.raises(NotFound, match="detent alerts deliveries"):
            ask(id=ours["id"])
    assert prod.deliveries(alert=ours["alert_id"])["items"] == []
    assert prod.retrieve(id=theirs)["enabled"]


def test_messages_that_are_old_are_forgotten(alerted: Alerted) -> None:
    alerted.alert("run.failed", window="0s")
    alerted.fail_many(2)
    alerted.read()
    alerted.try_it(ok=True)
    alerted.bench.clock.forward(31 * 86_400)
    alerted.digest._tick()
    assert [item["status"] for item in alerted.alerts.deliveries()["items"]] == ["PENDING"]
    assert alerted.bench.count("SELECT count(*) FROM alert_attempts") == 0


def test_a_new_key_seals_what_an_older_one_has_sealed(bench: Bench) -> None:
    old, new_key = b"o" * 32, b"n" * 32
    made = AlertOperations(bench.engine, Vault(lambda: [old])).create(events=["run.failed"], webhook=HOOK)
    # When a server starts that has both, the newest first
    seal_alerts_again(bench.store, Vault(lambda: [new_key, old]))
    # Then the old one can be given up
    [row] = bench.store.read("list_sealed_alerts")
    alone = Vault(lambda: [new_key])
    assert opened(alone, row["target"], made["id"]) == HOOK
    assert opened(alone, row["secret"], made["id"]) == made["secret"]
    assert row["old_secret"] is None
