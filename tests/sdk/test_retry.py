from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from detent.errors import AbortTaskRunError, InvalidOptions
from detent.sdk.fetch import FetchRetry, HeaderStrategy
from detent.sdk.pause import sleeping_with
from detent.sdk.retry import Attempt, retry


class Clock:
    """A sleeper whose pauses take no time; it keeps them in seconds."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def sleep_sync(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with sleeping_with(clock):
        yield clock


class Flaky:
    """Fails until the given call."""

    def __init__(self, works_at: int, error: BaseException | None = None) -> None:
        self.calls = 0
        self.works_at = works_at
        self.error = error or OSError("down")

    def call(self, text: str = "done") -> str:
        self.calls += 1
        if self.calls < self.works_at:
            raise self.error
        return text

    async def call_async(self, text: str = "done") -> str:
        return self.call(text)


class TestOnThrow:
    @pytest.mark.parametrize("form", ["async", "plain", "lambda", "direct", "sync", "sync direct"])
    def test_a_call_that_fails_twice_is_made_three_times(self, form: str, clock: Clock) -> None:
        flaky = Flaky(works_at=3)
        options: dict[str, Any] = {"max_attempts": 5, "min_timeout": "500ms", "randomize": False}
        match form:
            case "async":
                result = asyncio.run(retry.on_throw(flaky.call_async, "yes", **options))
            case "plain":
                result = asyncio.run(retry.on_throw(flaky.call, "yes", **options))
            case "lambda":
                result = asyncio.run(retry.on_throw(lambda: flaky.call_async("yes"), **options))
            case "direct":
                result = asyncio.run(retry(flaky.call_async, "yes", **options))
            case "sync":
                result = retry.sync.on_throw(flaky.call, "yes", **options)
            case _:
                result = retry.sync(flaky.call, "yes", **options)
        assert result == "yes"
        assert flaky.calls == 3
        assert clock.pauses == [0.5, 1.0]

    def test_the_last_error_is_raised_with_a_note_when_attempts_are_used_up(self, clock: Clock) -> None:
        flaky = Flaky(works_at=9)
        with pytest.raises(OSError, match="down") as caught:
            asyncio.run(retry.on_throw(flaky.call, max_attempts=4))
        assert flaky.calls == 4
        assert len(clock.pauses) == 3
        assert "4 attempts" in caught.value.__notes__[0]

    @pytest.mark.parametrize("error", [AbortTaskRunError("no"), asyncio.CancelledError(), SystemExit(3)])
    def test_aborts_and_signals_are_never_tried_again(self, error: BaseException, clock: Clock) -> None:
        flaky = Flaky(works_at=2, error=error)
        with pytest.raises(type(error)):
            retry.sync.on_throw(flaky.call)
        assert flaky.calls == 1
        assert clock.pauses == []

    def test_a_function_that_asks_for_it_gets_the_attempt(self, clock: Clock) -> None:
        seen: list[Attempt] = []

        async def call(text: str, attempt: Attempt) -> str:
            seen.append(attempt)
            if attempt.number < 2:
                raise OSError("down")
            return text

        assert asyncio.run(retry.on_throw(call, "x")) == "x"
        assert [(a.number, a.max_attempts, str(a.previous_error)) for a in seen] == [
            (1, 3, "None"),
            (2, 3, "down"),
        ]

    def test_an_async_function_under_sync_is_refused_with_the_name_to_use(self, clock: Clock) -> None:
        with pytest.raises(TypeError, match=r"await retry\.on_throw\(call_async\)"):
            _ = retry.sync.on_throw(Flaky(works_at=1).call_async)

    def test_settings_out_of_their_limits_are_refused_before_the_first_call(self) -> None:
        flaky = Flaky(works_at=1)
        with pytest.raises(InvalidOptions, match="max_attempts"):
            asyncio.run(retry.on_throw(flaky.call, max_attempts=0))
        assert flaky.calls == 0

    def test_without_a_sleeper_pauses_are_real(self) -> None:
        started = time.monotonic()
        retry.sync.on_throw(Flaky(works_at=2).call, min_timeout="20ms", randomize=False)
        asyncio.run(retry.on_throw(Flaky(works_at=2).call, min_timeout="20ms", randomize=False))
        assert time.monotonic() - started >= 0.038


Answer = tuple[int, dict[str, str]]


class Server:
    """An HTTP server on loopback that gives the planned answers in order, the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[Answer | str] = [(200, {})]
        self.requests: list[tuple[str, str, str, bytes]] = []
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.requests.append((self.command, self.path, self.headers.get("x-test", ""), body))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                if answer == "drop":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if answer == "hang":
                    outer.release.wait(30)
                    self.close_connection = True
                    return
                assert isinstance(answer, tuple)
                self.send_response(answer[0])
                for name, value in {**answer[1], "content-length": "2"}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"ok")

            do_GET = do_POST = answer

            def log_message(self, format: str, *args: object) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/page"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.release.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


Fetch = Callable[..., httpx.Response]


@pytest.fixture(params=["async", "sync"])
def fetch(request: pytest.FixtureRequest, clock: Clock) -> Fetch:
    if request.param == "sync":
        return retry.sync.fetch
    return lambda url, **options: asyncio.run(retry.fetch(url, **options))


STEADY = {"randomize": False}


class TestFetch:
    def test_the_request_is_sent_as_asked(self, fetch: Fetch, server: Server) -> None:
        answer = fetch(
            server.url,
            method="POST",
            headers={"x-test": "yes"},
            params={"q": "a b"},
            json={"n": 1},
            timeout="5s",
        )
        assert answer.text == "ok"
        [(method, path, header, body)] = server.requests
        assert (method, path, header, json.loads(body)) == ("POST", "/page?q=a+b", "yes", {"n": 1})

    @pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 599])
    def test_answers_that_may_get_better_are_tried_three_times(
        self, fetch: Fetch, server: Server, clock: Clock, status: int
    ) -> None:
        server.answers = [(status, {})]
        assert fetch(server.url, content=b"again", method="POST").status_code == status
        assert [body for *_, body in server.requests] == [b"again"] * 3
        assert [1 <= clock.pauses[0] <= 2, 2 <= clock.pauses[1] <= 4] == [True, True]

    @pytest.mark.parametrize("status", [200, 204, 400, 401, 403, 404, 422])
    def test_other_answers_are_returned_at_once(self, fetch: Fetch, server: Server, status: int) -> None:
        server.answers = [(status, {})]
        assert fetch(server.url).status_code == status
        assert len(server.requests) == 1

    def test_false_makes_one_attempt(self, fetch: Fetch, server: Server) -> None:
        server.answers = [(500, {})]
        assert fetch(server.url, retry=False).status_code == 500
        assert len(server.requests) == 1

    def test_redirects_are_followed(self, fetch: Fetch, server: Server) -> None:
        server.answers = [(302, {"location": "/other"}), (200, {})]
        assert fetch(server.url).status_code == 200

    def test_retry_after_decides_the_pause(self, fetch: Fetch, server: Server, clock: Clock) -> None:
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
        server.answers = [(429, {"retry-after": "7"}), (503, {"retry-after": later}), (200, {})]
        assert fetch(server.url).status_code == 200
        assert clock.pauses[0] == 7
        assert clock.pauses[1] == pytest.approx(90, abs=3)

    def test_milliseconds_are_taken_where_a_server_gives_them(self, fetch: Fetch, server: Server, clock: Clock) -> None:
        server.answers = [(429, {"retry-after-ms": "250", "retry-after": "1"}), (200, {})]
        fetch(server.url)
        assert clock.pauses == [0.25]

    def test_a_server_that_asks_for_too_long_a_pause_gets_no_second_request(
        self, fetch: Fetch, server: Server, clock: Clock
    ) -> None:
        server.answers = [(429, {"retry-after": "86400"})]
        assert fetch(server.url, retry={"max_wait": "10m"}).status_code == 429
        assert (len(server.requests), clock.pauses) == (1, [])

    def test_an_unreadable_retry_after_leaves_the_pause_to_backoff(
        self, fetch: Fetch, server: Server, clock: Clock
    ) -> None:
        server.answers = [(429, {"retry-after": "soon"}), (200, {})]
        fetch(server.url, retry={"by_status": {"429": STEADY}})
        assert clock.pauses == [1.0]

    def test_strategies_go_by_status_and_the_first_entry_that_has_it(
        self, fetch: Fetch, server: Server, clock: Clock
    ) -> None:
        server.answers = [(500, {}), (404, {}), (502, {}), (501, {}), (429, {})]
        by_status = {
            "501": {"strategy": "backoff", "max_attempts": 9, "min_timeout": "20s", **STEADY},
            "404, 500-599": {"max_attempts": 9, "min_timeout": 1, **STEADY},
        }
        assert fetch(server.url, retry={"by_status": by_status}).status_code == 429
        assert clock.pauses == [1.0, 2.0, 4.0, 60.0]

    @pytest.mark.parametrize(
        ("reset_format", "write"),
        [
            ("unix_timestamp", lambda at: str(int(at))),
            ("unix_timestamp_in_ms", lambda at: str(int(at * 1000))),
            ("iso_8601", lambda at: datetime.fromtimestamp(at, UTC).isoformat()),
            ("iso_8601_duration_openai_variant", lambda at: "0h1m40s"),
        ],
    )
    def test_rate_limit_headers_say_until_when_to_wait(
        self, fetch: Fetch, server: Server, clock: Clock, reset_format: str, write: Callable[[float], str]
    ) -> None:
        limit = {"x-limit": "5", "x-left": "0", "x-reset": write(time.time() + 100)}
        server.answers = [(429, limit), (200, {})]
        headers = {
            "strategy": "headers",
            "limit_header": "x-limit",
            "remaining_header": "x-left",
            "reset_header": "x-reset",
            "reset_format": reset_format,
        }
        assert fetch(server.url, retry={"by_status": {"429": headers}}).status_code == 200
        assert clock.pauses == [pytest.approx(100, abs=3)]

    @pytest.mark.parametrize(
        "sent",
        [{}, {"x-left": "4", "x-reset": "99999999999"}, {"x-left": "0", "x-reset": "later"}, {"x-left": "0"}],
    )
    def test_without_usable_rate_limit_headers_backoff_decides(
        self, fetch: Fetch, server: Server, clock: Clock, sent: dict[str, str]
    ) -> None:
        server.answers = [(429, sent)]
        headers = {
            "strategy": "headers",
            "remaining_header": "x-left",
            "reset_header": "x-reset",
            "max_attempts": 4,
        }
        fetch(server.url, retry={"by_status": {"429": {**headers, **STEADY}}})
        assert clock.pauses == [1.0, 2.0, 4.0]

    def test_a_broken_connection_is_tried_again(self, fetch: Fetch, server: Server, clock: Clock) -> None:
        server.answers = ["drop", "drop", (200, {})]
        assert fetch(server.url).status_code == 200
        assert len(clock.pauses) == 2

    def test_a_refused_connection_raises_after_the_last_attempt(self, fetch: Fetch, clock: Clock) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            with pytest.raises(httpx.ConnectError):
                fetch(
                    f"http://127.0.0.1:{unused.getsockname()[1]}/",
                    retry={"connection_error": {"max_attempts": 5}},
                )
        assert len(clock.pauses) == 4

    def test_connection_errors_may_be_left_alone(self, fetch: Fetch, server: Server) -> None:
        server.answers = ["drop"]
        with pytest.raises(httpx.RemoteProtocolError):
            fetch(server.url, retry=FetchRetry(connection_error=False))
        assert len(server.requests) == 1

    def test_a_request_that_takes_too_long_is_tried_again(self, fetch: Fetch, server: Server) -> None:
        server.answers = ["hang", (200, {})]
        assert fetch(server.url, timeout="100ms").status_code == 200

    def test_an_address_that_cannot_be_is_not_tried_again(self, fetch: Fetch, clock: Clock) -> None:
        with pytest.raises(httpx.UnsupportedProtocol):
            fetch("gopher://example.invalid/")
        assert clock.pauses == []

    def test_a_given_client_is_used_and_stays_open(self, server: Server, clock: Clock) -> None:
        server.answers = [(500, {}), (200, {})]
        with httpx.Client(headers={"x-test": "mine"}) as client:
            retry.sync.fetch(server.url, client=client)
            assert not client.is_closed
        assert [header for _, _, header, _ in server.requests] == ["mine", "mine"]

    @pytest.mark.parametrize(
        ("options", "names"),
        [
            ({"retry": {"by_status": {"9xx": {}}}}, "by_status: got '9xx'"),
            ({"retry": {"by_status": {"599-500": {}}}}, "by_status: got '599-500'"),
            ({"retry": {"by_status": {"429": {"strategy": "hope"}}}}, "'429'.*headers"),
            ({"retry": {"by_status": {"429": {"strategy": "headers"}}}}, "reset_header"),
            ({"retry": {"by_status": {"429": {"max_attempts": 0}}}}, r"\['429'\]\.max_attempts"),
            ({"retry": {"timeout": {"attempts": 0}}}, "retry.timeout: unknown setting 'attempts'"),
            ({"retry": {"status": {}}}, "unknown setting 'status'"),
            ({"retry": True}, "retry: got True"),
            ({"json": {}, "content": b""}, "both json and content"),
            ({"content": iter([b"x"])}, "content: got list_iterator"),
            ({"timeout": "soon"}, "timeout: 'soon'"),
        ],
    )
    def test_settings_that_cannot_be_are_refused_before_anything_is_sent(
        self, fetch: Fetch, server: Server, options: dict[str, Any], names: str
    ) -> None:
        with pytest.raises(InvalidOptions, match=names):
            fetch(server.url, **options)
        assert server.requests == []


def test_a_reset_format_that_is_not_known_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidOptions, match="unix_timestamp, unix_timestamp_in_ms"):
        HeaderStrategy("x-reset", "tuesday")  # type: ignore[arg-type]
