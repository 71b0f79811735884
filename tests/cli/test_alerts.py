from __future__ import annotations

from tests.cli.conftest import Project
from tests.server.receivers import Receiver, Reply


def test_an_alert_is_made_tested_looked_at_and_deleted(served: Project) -> None:
    # Given a receiver on this machine, which `detent dev` may reach
    receiver = Receiver()
    made = served.detent("alerts", "create", "run.failed", "--webhook", receiver.url, "--name", "On call")
    alert, secret = made.stdout.split()
    assert secret.startswith("whsec_")
    assert "not shown again" in made.stderr
    # When it is tested, then it has arrived
    tested = served.detent("alerts", "test", alert)
    assert (tested.returncode, "DELIVERED" in tested.stdout, len(receiver.received)) == (0, True, 1)
    # And when the receiver does not take it, then the command says so
    receiver.reply = lambda _: Reply(500, b"not today")
    refused = served.detent("alerts", "test", alert)
    assert refused.returncode == 1
    assert all(part in refused.stdout for part in ("FAILED", "try 1", "500", "not today"))
    # And the log has it, from where it can be sent again
    [failed] = served.json("alerts", "deliveries", "--alert", alert, "--status", "failed")["items"]
    assert served.json("alerts", "delivery", failed["id"])["attempts"][0]["response"] == "not today"
    receiver.reply = lambda _: Reply()
    assert served.detent("alerts", "replay", failed["id"]).stdout == f"{failed['id']} PENDING\n"
    receiver.wait_for(3)
    # And the alert is shown, changed and deleted
    served.detent("alerts", "update", alert, "--task", "fail", "--window", "5m", "--disable")
    shown = served.detent("alerts", "show", alert).stdout
    assert all(part in shown for part in ("somebody switched it off", "5m", "fail", receiver.url))
    assert served.detent("alerts", "delete", alert).stdout == f"{alert} deleted\n"
    receiver.close()


def test_a_wrong_alert_fails_with_what_to_do(project: Project) -> None:
    assert "detent alerts create run.failed" in project.detent("alerts", "list").stderr
    for arguments, status, said in (
        (("create", "run.faild", "--webhook", "https://hooks.example"), 2, "did you mean 'run.failed'"),
        (("show", "alert_0"), 1, "detent alerts list"),
    ):
        done = project.detent("alerts", *arguments)
        assert (done.returncode, said in done.stderr) == (status, True)
