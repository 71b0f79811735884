from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cli.near import Near
from tests.server.receivers import Receiver, Reply


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_an_alert_is_made_tested_looked_at_and_deleted(near: Near, receiver: Receiver) -> None:
    # Given a receiver
    assert "detent alerts create run.failed" in near.detent("alerts", "list").err
    assert "No messages yet." in near.detent("alerts", "deliveries").err
    made = near.detent("alerts", "create", "run.failed", "--webhook", receiver.url, "--name", "On call")
    alert, secret = made.out.split()
    assert secret.startswith("whsec_")
    assert "not shown again" in made.err
    # When it is tested, then it has arrived
    tested = near.detent("alerts", "test", alert)
    assert (tested.status, "DELIVERED" in tested.out, len(receiver.received)) == (0, True, 1)
    # And when the receiver does not take it, then the command says so
    receiver.reply = lambda _: Reply(500, b"not today")
    refused = near.detent("alerts", "test", alert)
    assert refused.status == 1
    assert all(part in refused.out for part in ("FAILED", "try 1", "500", "not today"))
    # And the log has both, from where they can be sent again
    log = near.detent("alerts", "deliveries", "--alert", alert).out
    assert [word for word in log.split() if word in ("FAILED", "DELIVERED")] == ["FAILED", "DELIVERED"]
    [failed] = near.json("alerts", "deliveries", "--status", "failed")["items"]
    assert near.json("alerts", "delivery", failed["id"])["attempts"][0]["response"] == "not today"
    receiver.reply = lambda _: Reply()
    assert near.detent("alerts", "replay", failed["id"]).out == f"{failed['id']} PENDING\n"
    receiver.wait_for(3)
    # And the alert is shown, changed and deleted
    assert "On call" in near.detent("alerts", "list").out
    assert near.detent("alerts", "rotate-secret", alert).out.split()[1] != secret
    changed = ("--task", "near-fail", "--only", "regression", "--window", "5m", "--disable")
    assert near.detent("alerts", "update", alert, *changed).out == f"{alert}\n"
    shown = near.detent("alerts", "show", alert).out
    assert all(part in shown for part in ("somebody switched it off", "5m", "near-fail", "regression", receiver.url))
    assert near.json("alerts", "update", alert, "--enable")["enabled"]
    assert near.detent("alerts", "delete", alert).out == f"{alert} deleted\n"
    assert near.json("alerts", "list") == []
    assert "No message fits." in near.detent("alerts", "deliveries", "--alert", "alert_0").err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("create", "run.faild", "--webhook", "https://hooks.example"), 2, "did you mean 'run.failed'"),
        (("create", "run.failed"), 2, "one of webhook, slack and email"),
        (("create", "queue.too_long", "--email", "ada@example.com"), 2, "needs a threshold"),
        (("show", "alert_0"), 1, "detent alerts list"),
        (("delivery", "msg_0"), 1, "detent alerts deliveries"),
    ],
)
def test_a_wrong_alert_fails_with_what_to_do(near: Near, arguments: tuple[str, ...], status: int, said: str) -> None:
    done = near.detent("alerts", *arguments)
    assert (done.status, said in done.err) == (status, True), done.err
