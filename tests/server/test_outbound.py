"""Requests to addresses that somebody else has named reach nothing that only this server can reach."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.server.certificates import self_signed
from tests.server.receivers import Listeners, Receiver, Reply

from detent.server.addresses import Reach
from detent.server.outbound import HEAD_CHARS, MOST_BYTES, Outbound, OutboundError

#: ``PORT`` is one that listens on every address of this machine.
TRICKS = [
    "http://127.0.0.1:PORT/",
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://127.127.127.127:PORT/",
    "http://2130706433:PORT/",
    "http://017700000001:PORT/",
    "http://0x7f000001:PORT/",
    "http://0x7f.0.0.1:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://0177.0x0.0.01:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://0.0.0.0:PORT/",
    "http://0:PORT/",
    "http://0x0:PORT/",
    "http://00.00.00.00:PORT/",
    "http://localhost:PORT/",
    "http://LOCALHOST:PORT/",
    "http://localhost.:PORT/",
    "http://localhost.localdomain:PORT/",
    "http://[::1]:PORT/",
    "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/",
    "http://[::]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[0:0:0:0:0:ffff:7f00:1]:PORT/",
    "http://[::127.0.0.1]:PORT/",
    "http://[::ffff:0:127.0.0.1]:PORT/",
    "http://[::ffff:0.0.0.0]:PORT/",
    "http://[64:ff9b::127.0.0.1]:PORT/",
    "http://[64:ff9b::7f00:1]:PORT/",
    "http://[64:ff9b:1::7f00:1]:PORT/",
    "http://[2002:7f00:1::]:PORT/",
    "http://[2001:0:7f00:1::]:PORT/",
    "http://[fe80::1]:PORT/",
    "http://[fe80::1%25lo]:PORT/",
    "http://[fc00::1]:PORT/",
    "http://[fd00:ec2::254]:PORT/",
    "http://[ff02::1]:PORT/",
    "http://[::1%25lo]:PORT/",
    "http://①②⑦.⓪.⓪.①:PORT/",
    "http://127。0。0。1:PORT/",
    "http://127%2e0%2e0%2e1:PORT/",
    "http://loc%61lhost:PORT/",
    "http://example.com@127.0.0.1:PORT/",
    "http://example.com:80@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT@example.invalid/",
    "http://127.0.0.1:PORT#@example.invalid/",
    "http://example.invalid\\@127.0.0.1:PORT/",
    "http://127.0.0.1\t:PORT/",
    " http://127.0.0.1:PORT/",
    "http:127.0.0.1:PORT/",
    "http:///127.0.0.1:PORT/",
    "http://169.254.169.254:PORT/latest/meta-data/",
    "http://[::ffff:169.254.169.254]:PORT/",
    "http://2852039166:PORT/",
    "http://100.100.100.200:PORT/",
    "http://10.0.0.1:PORT/",
    "http://192.168.0.1:PORT/",
    "http://172.17.0.1:PORT/",
    "http://100.64.0.1:PORT/",
    "http://224.0.0.1:PORT/",
    "http://255.255.255.255:PORT/",
    "https://127.0.0.1:PORT/",
    "ftp://127.0.0.1:PORT/",
    "gopher://127.0.0.1:PORT/_x",
    "file:///etc/passwd",
    "unix:///var/run/docker.sock",
    "http://",
    "http://:PORT/",
    "http://127.0.0.1:99999/",
]


@pytest.fixture(scope="module")
def listeners() -> Iterator[Listeners]:
    listeners = Listeners("0.0.0.0", "::") if socket.has_ipv6 else Listeners("0.0.0.0")
    yield listeners
    listeners.close()


@pytest.fixture(scope="module")
def outbound() -> Iterator[Outbound]:
    outbound = Outbound(total_s=2)
    yield outbound
    outbound.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.mark.parametrize("trick", TRICKS)
def test_no_way_of_writing_an_address_leads_to_what_only_this_server_can_reach(
    listeners: Listeners, outbound: Outbound, trick: str
) -> None:
    before = listeners.count
    with pytest.raises(OutboundError):
        outbound.post(trick.replace("PORT", str(listeners.port)), b"{}", {})
    assert listeners.count == before == 0


def test_there_are_at_least_sixty_tricks_and_the_listeners_count(listeners: Listeners) -> None:
    assert len(set(TRICKS)) >= 60
    counting = Listeners("127.0.0.1")
    loopback = Outbound(Reach.LOOPBACK, total_s=2)
    with pytest.raises(OutboundError):
        loopback.post(f"http://127.0.0.1:{counting.port}/", b"", {})
    assert counting.count == 1
    counting.close()


def test_a_name_is_asked_for_once_and_its_checked_address_is_used(receiver: Receiver) -> None:
    # Given a name that leads elsewhere from its second answer on
    elsewhere = Listeners("127.0.0.9")
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.9"]

    outbound = Outbound(Reach.LOOPBACK, resolve=resolve, total_s=5)

    answer = outbound.post(f"http://rebinding.example:{receiver.port}/hook", b"1", {"x-one": "2"})

    assert (answer.status, asked, elsewhere.count) == (200, ["rebinding.example"], 0)
    [got] = receiver.received
    assert got.headers["host"] == f"rebinding.example:{receiver.port}"
    assert (got.body, got.headers["x-one"]) == (b"1", "2")
    elsewhere.close()


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::1", "93.184.215.14"], ["169.254.169.254"], ["fe80::1%lo"]],
)
def test_one_address_that_is_not_public_is_enough_to_refuse_a_name(
    listeners: Listeners, addresses: Sequence[str]
) -> None:
    outbound = Outbound(resolve=lambda host, port: addresses, total_s=2)
    with pytest.raises(OutboundError, match="is not connected to") as caught:
        outbound.post(f"http://mixed.example:{listeners.port}/", b"", {})
    assert caught.value.final
    assert listeners.count == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver, listeners: Listeners, status: int) -> None:
    receiver.reply = lambda _: Reply(status, b"", {"location": f"http://127.0.0.1:{listeners.port}/"})
    answer = Outbound(Reach.LOOPBACK, total_s=5).post(receiver.url, b"", {})
    assert (answer.status, listeners.count, len(receiver.received)) == (status, 0, 1)


def test_proxies_of_the_surroundings_are_not_used(
    receiver: Receiver, listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listeners.port}")
    assert Outbound(Reach.LOOPBACK, total_s=5).post(receiver.url, b"", {}).status == 200
    assert listeners.count == 0


def test_a_long_answer_is_read_no_further_than_needed(receiver: Receiver) -> None:
    receiver.reply = lambda _: Reply(200, b"x" * (MOST_BYTES * 50))
    answer = Outbound(Reach.LOOPBACK, total_s=5).post(receiver.url, b"", {})
    assert answer.head == "x" * HEAD_CHARS


def test_an_answer_that_drips_is_cut_off_when_its_time_is_over() -> None:
    # Given a receiver that sends a byte of a header whenever somebody waits for it, for ever
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
            while not stop.wait(0.02):
                try:
                    connection.sendall(b"y")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    with pytest.raises(OutboundError, match=r"no complete answer within 0\.3 s") as caught:
        Outbound(Reach.LOOPBACK, total_s=0.3).post(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"", {})
    assert not caught.value.final
    stop.set()
    thread.join()
    listener.close()


def test_what_does_not_answer_can_be_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for outbound, url in (
        (Outbound(Reach.LOOPBACK, total_s=2), f"http://127.0.0.1:{port}/"),
        (Outbound(resolve=_unknown, total_s=2), "http://nowhere.example/"),
        (Outbound(resolve=lambda host, port: [], total_s=2), "http://empty.example/"),
    ):
        with pytest.raises(OutboundError, match="there was no answer") as caught:
            outbound.post(url, b"", {})
        assert not caught.value.final


def _unknown(host: str, port: int) -> Sequence[str]:
    raise socket.gaierror(-2, "Name or service not known")


def test_https_is_spoken_with_the_name_and_not_with_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a receiver whose certificate is for its name alone
    certificate = self_signed("hooks.example", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    receiver = Receiver()
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    receiver.serve_tls(context)
    outbound = Outbound(Reach.LOOPBACK, resolve=lambda host, port: ["127.0.0.1"], total_s=5)

    assert outbound.post(f"https://hooks.example:{receiver.port}/", b"", {}).status == 200
    with pytest.raises(OutboundError, match="CERTIFICATE_VERIFY_FAILED"):
        outbound.post(f"https://other.example:{receiver.port}/", b"", {})

    assert asked == ["hooks.example", "other.example"]
    assert [got.headers["host"] for got in receiver.received] == [f"hooks.example:{receiver.port}"]
    receiver.close()


def test_received_is_what_was_sent(receiver: Receiver) -> None:
    Outbound(Reach.LOOPBACK, total_s=5).post(receiver.url, '{"ü": 1}'.encode(), {"content-type": "application/json"})
    [got] = receiver.received
    assert got.body == '{"ü": 1}'.encode()
