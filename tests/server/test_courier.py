"""Messages on their way: signed webhooks, Slack, e-mail; tried again, and never lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from tests.engine.bench import Bench
from tests.engine.failing import Failing
from tests.server.certificates import self_signed
from tests.server.receivers import Received, Receiver, Reply

from detent.client import Detent, HttpTransport
from detent.config import load_config
from detent.embedded import running_server
from detent.engine.alert_operations import AlertOperations
from detent.engine.scene import error_text
from detent.errors import ConfigError
from detent.model.manifest import Manifest, TaskSpec
from detent.model.protocol import Claim, Claimed, Finish, Hello, NewRun
from detent.model.task_error import TaskError
from detent.server.addresses import Reach
from detent.server.courier import Courier
from detent.server.host import Host
from detent.server.mail import Mailer, MailError, mailer_of
from detent.server.outbound import Outbound
from detent.vault import Vault

VAULT = Vault.of_this_process()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def alerts(bench: Bench) -> AlertOperations:
    return AlertOperations(bench.engine, VAULT)


def courier_of(bench: Bench, reach: Reach = Reach.LOOPBACK, mailer: Mailer | None = None) -> Courier:
    outbound = Outbound(reach, total_s=5)
    write, store, clock = bench.engine.write, bench.store, bench.clock
    return Courier(write, store, clock, outbound=outbound, vault=VAULT, mailer=mailer, chance=lambda: 0.5)


def verify(secret: str, received: Received) -> bool:
    """As a receiver does it, from the specification alone."""
    headers = received.headers
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), received.body])
    wanted = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return f"v1,{wanted}" in headers["webhook-signature"].split(" ")


def test_ten_thousand_failures_arrive_as_one_signed_webhook(
    bench: Bench, alerts: AlertOperations, receiver: Receiver
) -> None:
    # Given an alert, and ten thousand failures within its window
    made = alerts.create(events=["run.failed"], webhook=receiver.url, name="On call")
    failing = Failing(bench)
    failing.fail_many(10_000)
    failing.read()
    bench.clock.forward(60)
    failing.digest.close_windows()
    # When the courier sends what is due
    assert courier_of(bench).send_due() == 1
    # Then one message has come, whose signature is right and whose text is the log's
    [received] = receiver.received
    assert verify(made["secret"], received)
    assert not verify(made["secret"], received._replace(body=received.body + b" "))
    assert received.headers["content-type"] == "application/json"
    assert int(received.headers["webhook-timestamp"]) == bench.clock.now() // 1000
    body = json.loads(received.body)
    assert (body["type"], body["env"], body["alert"]["name"]) == ("run.failed", "dev", "On call")
    assert (body["data"]["count"], body["data"]["error"]["message"]) == (10_000, "it broke")
    found = alerts.delivery(id=received.headers["webhook-id"])
    assert (found["status"], found["body"]) == ("DELIVERED", body)
    [attempt] = found["attempts"]
    assert (attempt["ok"], attempt["status_code"], attempt["response"]) == (True, 200, "ok")
    assert courier_of(bench).send_due() == 0


def test_while_a_secret_is_replaced_either_fits(bench: Bench, alerts: AlertOperations, receiver: Receiver) -> None:
    made = alerts.create(events=["run.failed"], webhook=receiver.url)
    rotated = alerts.rotate_secret(id=made["id"])
    alerts.test(id=made["id"])
    courier_of(bench).send_due()
    bench.clock.forward(24 * 3600)
    alerts.test(id=made["id"])
    courier_of(bench).send_due()
    during, after = receiver.received
    assert [verify(made["secret"], received) for received in (during, after)] == [True, False]
    assert [verify(rotated["secret"], received) for received in (during, after)] == [True, True]


def test_a_message_is_tried_again_later_with_the_same_id_and_body(
    bench: Bench, alerts: AlertOperations, receiver: Receiver
) -> None:
    alerts.create(events=["run.failed"], webhook=receiver.url, window="0s")
    failing = Failing(bench)
    failing.fail()
    failing.read()
    replies = iter([Reply(500, b"<p>oh"), Reply(429, b"", {"retry-after": "90"}), Reply(302, b"", {"location": "/"})])
    receiver.reply = lambda _: next(replies, Reply(204, b""))
    courier = courier_of(bench)
    for seconds in (0, 5, 90, 120):
        bench.clock.forward(seconds - 1 if seconds else 0)
        assert courier.send_due() == (0 if seconds else 1)
        if seconds:
            bench.clock.forward(1)
            assert courier.send_due() == 1
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 1
    assert len({received.body for received in receiver.received}) == 1
    found = alerts.delivery(id=receiver.received[0].headers["webhook-id"])
    assert found["status"] == "DELIVERED"
    assert [(each["status_code"], each["ok"]) for each in found["attempts"]] == [
        (500, False),
        (429, False),
        (302, False),
        (204, True),
    ]
    assert found["attempts"][0]["response"] == "<p>oh"
    assert "redirects are not followed" in found["attempts"][2]["error"]


def test_an_address_of_this_machine_is_refused_and_the_log_says_why(
    bench: Bench, alerts: AlertOperations, receiver: Receiver
) -> None:
    alert = alerts.create(events=["run.failed"], webhook=receiver.url)["id"]
    sent = alerts.test(id=alert)
    courier_of(bench, Reach.PUBLIC).send_due()
    found = alerts.delivery(id=sent["id"])
    assert (found["status"], found["tries"], receiver.received) == ("FAILED", 1, [])
    assert "127.0.0.1 is this machine itself" in found["attempts"][0]["error"]
    assert "allow_private_webhooks" in found["attempts"][0]["error"]


def test_slack_gets_blocks_of_plain_text(bench: Bench, alerts: AlertOperations, receiver: Receiver) -> None:
    slack = receiver.url.replace("/hook", "/services/T0/B0/s3cret")
    alerts.create(events=["run.failed"], slack=slack, window="0s")
    failing = Failing(bench)
    failing.fail("<!channel> & more")
    failing.read()
    courier_of(bench).send_due()
    [received] = receiver.received
    assert received.path == "/services/T0/B0/s3cret"
    assert "webhook-signature" not in received.headers
    body = json.loads(received.body)
    assert body["text"] == "[dev] 1 failure: ValueError: &lt;!channel&gt; &amp; more"
    assert body["blocks"][0]["text"] == {
        "type": "plain_text",
        "text": "[dev] 1 failure: ValueError: <!channel> & more",
        "emoji": False,
    }
    assert {block["text"]["type"] for block in body["blocks"]} == {"plain_text"}
    assert any("seen for the first time" in block["text"]["text"] for block in body["blocks"])


def test_a_slow_receiver_keeps_only_its_own_messages_waiting(
    bench: Bench, alerts: AlertOperations, receiver: Receiver
) -> None:
    # Given a receiver that does not answer, with many messages, and another one
    answer = threading.Event()
    slow = Receiver(lambda _: Reply(200 if answer.wait(20) else 500))
    blocked = alerts.create(events=["run.failed"], webhook=slow.url)["id"]
    for _ in range(20):
        alerts.test(id=blocked)
    quick = alerts.create(events=["run.failed"], webhook=receiver.url)["id"]
    alerts.test(id=quick)
    # When the courier runs
    courier = courier_of(bench)
    courier.start()
    # Then the other one hears at once
    receiver.wait_for(1)
    assert len(slow.received) <= 2
    answer.set()
    slow.wait_for(20)
    courier.stop()
    slow.close()


class Postbox:
    """A mail server: what it has taken."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.refuses = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append((envelope.rcpt_tos, mail))
        return self.refuses or "250 taken"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, Mailer]]:
    postbox = Postbox()
    port = free_port()
    controller = Controller(postbox, hostname="127.0.0.1", port=port)
    controller.start()
    mailer = mailer_of(f"smtp://127.0.0.1:{port}", "Détente <alerts@example.com>")
    assert mailer is not None
    yield postbox, mailer
    controller.stop()


def test_an_e_mail_is_sent_to_all_and_tried_again_with_the_same_id(
    bench: Bench, alerts: AlertOperations, postbox: tuple[Postbox, Mailer]
) -> None:
    box, mailer = postbox
    alerts.create(events=["run.failed"], email=["ada@example.com", "grace@example.com"], window="0s")
    failing = Failing(bench)
    failing.fail("first line\nBcc: eve@example.com")
    failing.read()
    courier = courier_of(bench, mailer=mailer)
    box.refuses = "451 busy"
    courier.send_due()
    box.refuses = ""
    bench.clock.forward(60)
    courier.send_due()
    (to, first), (_, second) = box.mails
    assert to == ["ada@example.com", "grace@example.com"]
    assert first["message-id"] == second["message-id"]
    assert first["message-id"].endswith("@example.com>")
    assert first["from"] == "Détente <alerts@example.com>"
    assert first["subject"] == "[dev] 1 failure: ValueError: first line Bcc: eve@example.com"
    assert first["bcc"] is None
    assert "Tasks: work (1)" in second.get_content()
    [found] = [alerts.delivery(id=item["id"]) for item in alerts.deliveries()["items"]]
    assert [(each["ok"], each["status_code"]) for each in found["attempts"]] == [(False, 451), (True, None)]


def test_a_mail_that_is_refused_for_good_is_not_tried_again(
    bench: Bench, alerts: AlertOperations, postbox: tuple[Postbox, Mailer]
) -> None:
    box, mailer = postbox
    box.refuses = "550 nobody here"
    alerts.create(events=["run.failed"], email=["ada@example.com"], window="0s")
    failing = Failing(bench)
    failing.fail()
    failing.read()
    courier_of(bench, mailer=mailer).send_due()
    [found] = [alerts.delivery(id=item["id"]) for item in alerts.deliveries()["items"]]
    assert found["status"] == "FAILED"
    assert "550 nobody here" in found["attempts"][0]["error"]


def test_without_a_mail_server_the_log_says_what_to_set(bench: Bench, alerts: AlertOperations) -> None:
    sent = alerts.test(id=alerts.create(events=["run.failed"], email=["ada@example.com"])["id"])
    courier_of(bench).send_due()
    [attempt] = alerts.delivery(id=sent["id"])["attempts"]
    assert "DETENT_SMTP_URL" in attempt["error"]


def test_a_password_is_sent_encrypted_or_only_within_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a mail server that encrypts when it is asked to, and wants a password
    certificate = self_signed("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    logins: list[tuple[bytes, bool]] = []

    def login(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        logins.append((given.password, session.ssl is not None))
        return AuthResult(success=True)

    box = Postbox()
    controller = Controller(
        box, hostname="127.0.0.1", port=free_port(), tls_context=context, authenticator=login, auth_required=True
    )
    controller.start()
    # When it is used, then the password has come encrypted
    mailer = mailer_of(f"smtp://ada:p%40ss@localhost:{controller.port}", "ada@example.com")
    assert mailer is not None
    assert mailer.send("msg_1", ["grace@example.com"], "Hello", "You there") == ""
    assert (logins, len(box.mails)) == ([(b"p@ss", True)], 1)
    controller.stop()
    # And one that does not encrypt, and may be elsewhere, does not get it
    controller = Controller(box, hostname="127.0.0.9", port=free_port(), authenticator=login, auth_require_tls=False)
    controller.start()
    plain = mailer_of(f"smtp://ada:p%40ss@127.0.0.9:{controller.port}", "ada@example.com")
    assert plain is not None
    with pytest.raises(MailError, match="the password is not sent to it; use smtps") as caught:
        plain.send("msg_2", ["grace@example.com"], "Hello", "You there")
    assert caught.value.final
    assert len(logins) == 1
    controller.stop()


@pytest.mark.parametrize(
    ("url", "sender", "said"),
    [
        ("http://mail.example", "a@example.com", "got the scheme 'http'"),
        ("smtp://", "a@example.com", "the host None"),
        ("smtp://mail.example:port", "a@example.com", "DETENT_SMTP_URL must be smtp://"),
        ("smtp://mail.example", None, "DETENT_SMTP_FROM must be"),
        ("smtp://mail.example", "a@example.com\nBcc: b", "DETENT_SMTP_FROM must be"),
        ("smtp://mail.example", "alerts", "DETENT_SMTP_FROM must be"),
    ],
)
def test_a_wrong_mail_server_is_refused(url: str, sender: str | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        mailer_of(url, sender)


def test_a_mail_server_is_read_from_its_address() -> None:
    mailer = mailer_of("smtps://ada%40example.com:p%2Fw@mail.example", None)
    assert mailer == Mailer("mail.example", 465, "ada@example.com", "p/w", True, "ada@example.com")
    assert mailer_of(None, None) is None


SERVER = """
import sys, threading
from pathlib import Path
from detent.config import load_config
from detent.server.host import Host
host = Host(load_config(Path(sys.argv[1]), {}), port=0)
print(host.start(), flush=True)
threading.Event().wait()
"""


def test_a_server_that_is_killed_between_sending_and_writing_it_down_sends_it_again_with_the_same_id(
    tmp_path: Path, receiver: Receiver
) -> None:
    # Given a server in a process of its own, which its receiver kills before it answers
    (tmp_path / "detent.toml").write_text("allow_private_webhooks = true\n")
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ | {"DETENT_LOG": ""}
    )
    assert process.stdout is not None
    process.stdout.readline()

    def kill(_received: Received) -> Reply:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        return Reply()

    receiver.reply = kill
    server = running_server(tmp_path / ".detent")
    assert server is not None
    with closing(HttpTransport(server.url, server.key)) as transport:
        client = Detent(transport)
        made = client.alerts.create(events="run.failed", webhook=receiver.url)
        sent = client.alerts.test(made.id)
    receiver.wait_for(1)
    process.wait()
    process.stdout.close()
    # When another one is started
    host = Host(load_config(tmp_path, {}), port=0)
    host.start()
    # Then the message comes again, the same in all
    first, second = receiver.wait_for(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == sent.id
    assert first.body == second.body
    assert made.secret is not None
    assert verify(made.secret, second)
    host.alerting.courier.stop()
    assert host.operations.call("alerts.delivery", id=sent.id)["status"] == "DELIVERED"
    host.stop()


def test_a_server_tells_of_a_run_that_fails_without_anybody_asking(tmp_path: Path, receiver: Receiver) -> None:
    # Given a server with an alert, and a secret that its environment has
    host = Host(load_config(tmp_path, {}), port=0, reach=Reach.LOOPBACK)
    host.start()
    host.operations.call("envvars.create", name="API_KEY", value="canary-0123456789")
    host.operations.call("alerts.create", events=["run.failed"], webhook=receiver.url, window="0s")
    [row] = host.store.read_sql("SELECT target, secret FROM alerts", {})
    assert receiver.url not in row["target"]
    assert "whsec_" not in row["secret"]
    # When a run fails
    hello = Hello("worker_1", Manifest([TaskSpec("alerts-work", "q")]), pid=1, pid_started=1.0, host="elsewhere")
    session, _ = host.engine.connect(hello, lambda _push: None)
    host.engine.trigger([NewRun("run_1", "alerts-work")])
    [claimed] = host.engine.handle(session, [Claim(async_=1)])
    assert isinstance(claimed, Claimed)
    error = error_text(TaskError("ValueError", "refused: canary-0123456789"))
    host.engine.handle(session, [Finish("run_1", claimed.grants[0].epoch, "FAILED", error=error)])
    # Then the receiver hears of it
    [received] = receiver.wait_for(1)
    body = json.loads(received.body)
    assert (body["type"], body["data"]["run"]["id"]) == ("run.failed", "run_1")
    assert body["data"]["error"]["message"] == "refused: [redacted]"
    host.stop()
