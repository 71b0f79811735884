"""Queries of strangers over PostgreSQL: the answers of SQLite, from no more rows than are needed, and no way to it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import psycopg
import pytest
from tests.servers.databases import migrated
from tests.servers.postgresql import fresh_database

from detent.engine.query_copies import COPIED_VIEWS, RELATIONS
from detent.engine.query_tables import QUERY_VIEWS
from detent.errors import DetentError, InvalidOptions, LimitExceeded, StoreError
from detent.model.protocol import Emit, LogLine, SpanLine
from detent.model.redaction import Redactor
from detent.store import SqliteStore
from detent.store.sandbox import Sandbox
from detent.store.sandbox_narrowing import Narrowing, narrowings
from detent.store.sandbox_postgresql import PostgresSandbox
from detent.store.sandbox_sqlite import SqliteSandbox
from detent.telemetry import open_telemetry

HOUR = 3_600_000
#: 2026-11-20 09:00 UTC.
BEGIN = 1_795_165_200_000
PASSWORD = "correct-horse-battery"


class Both(NamedTuple):
    """The same runs, lines and spans in either store."""

    sqlite: Sandbox
    postgresql: Sandbox


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    with ExitStack() as places:
        url = places.enter_context(fresh_database(migrated))
        SqliteStore(folder / "detent.db", "OFF").close()
        with (
            sqlite3.connect(folder / "detent.db") as file,
            psycopg.connect(url, options="-c search_path=detent") as server,
        ):
            for table, row in _rows():
                names, marks = ", ".join(row), ", ".join("?" * len(row))
                put = f"INSERT INTO {table} ({names}) VALUES ({marks})"
                file.execute(put, tuple(row.values()))
                server.execute(put.replace("?", "%s").encode(), tuple(row.values()))
        file.close()
        for place in ("sqlite:///x", url):
            telemetry = open_telemetry(place, folder / "telemetry.db")
            for emit, env, task in _told():
                telemetry.append(emit, env, task)
            assert telemetry.flush()
            telemetry.close()
        yield Both(
            SqliteSandbox(folder / "detent.db", folder / "telemetry.db", QUERY_VIEWS),
            PostgresSandbox(url, COPIED_VIEWS, RELATIONS),
        )


def _rows() -> Iterator[tuple[str, dict[str, Any]]]:
    chance = random.Random(7)
    for n in range(200):
        state = chance.choice(["QUEUED", "EXECUTING", "COMPLETED", "FAILED", "WAITING"])
        created = BEGIN + chance.randrange(0, 48 * HOUR, 500)
        error = f'{{"type":"E{n % 3}","message":"no {PASSWORD} in {n}","code":null}}' if state == "FAILED" else None
        ended = created + chance.randrange(HOUR) if state in {"COMPLETED", "FAILED"} else None
        yield (
            "runs",
            {
                "id": f"run_{n:03}",
                "env": "dev" if n % 5 else "prod",
                "task": f"task{n % 4}",
                "queue": chance.choice(["fast", "Slow"]),
                "state": state,
                "order_at": created,
                "created_at": created,
                "queued_at": created + 10,
                "started_at": created + 20 if n % 3 else None,
                "attempt_started_at": created + 20 if n % 2 else None,
                "finished_at": ended,
                "used_ms": n * 7 % 50,
                "priority": n % 4 / 2,
                "attempt": 1 + n % 3,
                "error": error,
                "tags": f'["t{n % 3}", "all"]',
                "parent_id": f"run_{n - 1:03}" if n % 10 == 9 else None,
            },
        )
        for attempt, end in enumerate(["retry"] * (n % 3) + (["finish"] if ended else []), 1):
            for kind, at in (("claim", created + attempt), (end, created + attempt + 5)):
                data = '{"error":{"type":"R","message":"once more"}}' if kind == "retry" else None
                values = {"run_id": f"run_{n:03}", "at": at, "kind": kind, "state": state, "epoch": attempt}
                yield "events", {**values, "attempt": attempt, "worker_id": f"w{n % 2}", "data": data}


def _told() -> Iterator[tuple[Emit, str, str]]:
    chance = random.Random(8)
    for n in range(120):
        level = chance.choice(["debug", "info", "warn", "error"])
        text = chance.choice(["Rate limit", f"password={PASSWORD}", "fine ☂", "100%_"])
        lines = [LogLine(BEGIN + n * HOUR // 4, level, text, '{"api_key":"abcdefghij","n":1}', None, "logger")]
        spans = [SpanLine(f"s{n}", None, text, "user", BEGIN + n, BEGIN + 2 * n, n % 3 > 0, None)]
        yield Emit(f"run_{n:03}", 1, logs=lines, spans=spans), "dev" if n % 5 else "prod", f"task{n % 4}"


QUERIES = [
    "SELECT * FROM runs ORDER BY id",
    "SELECT * FROM attempts ORDER BY run_id, started_at",
    "SELECT * FROM spans ORDER BY run_id",
    "SELECT * FROM logs ORDER BY seq",
    "SELECT count(*) FROM runs",
    "SELECT count(*), sum(duration_ms), avg(priority), max(created_at) FROM runs",
    "SELECT status, count(*) FROM runs GROUP BY status ORDER BY 1",
    "SELECT id FROM runs WHERE status = 'DEQUEUED' ORDER BY id",
    "SELECT id FROM runs WHERE status IN ('EXECUTING', 'FAILED') ORDER BY 1",
    "SELECT id FROM runs WHERE status = 'NOTHING'",
    "SELECT id FROM runs WHERE 'task1' = task ORDER BY created_at, id",
    "SELECT id FROM runs WHERE task = 'TASK1'",
    "SELECT id FROM runs WHERE task LIKE 'TASK1' ORDER BY id",
    "SELECT id FROM runs WHERE attempt = '2' ORDER BY id",
    "SELECT id FROM runs WHERE attempt = 2.0 ORDER BY id",
    "SELECT id FROM runs WHERE attempt >= 2 AND crashes < 1 ORDER BY id",
    "SELECT id FROM runs WHERE id = 5",
    "SELECT id, created_at FROM runs WHERE created_at > '2026-11-21' ORDER BY created_at DESC, id LIMIT 7",
    "SELECT id FROM runs WHERE created_at >= '2026-11-21 10:00' AND created_at < '2026-11-21 11:00:30' ORDER BY id",
    "SELECT id FROM runs WHERE created_at BETWEEN '2026-11-20 12' AND '2026-11-20 14:00:00.500' ORDER BY id",
    "SELECT id FROM runs WHERE created_at <= '2026-11-20T12:00:00' ORDER BY id",
    "SELECT id FROM runs WHERE created_at > '2026-11-21 09:30:00.5001' ORDER BY id",
    "SELECT id FROM runs WHERE created_at < 'soon' AND created_at > 5 AND created_at > '2026-02-31' ORDER BY id",
    "SELECT id FROM runs WHERE created_at > datetime('2026-11-22', '-1 day', '+2 hours') ORDER BY id",
    "SELECT id FROM runs WHERE date(created_at) = '2026-11-21' ORDER BY id",
    "SELECT id FROM runs WHERE NOT (task = 'task1') AND (status = 'FAILED' OR attempt = 3) ORDER BY id",
    "SELECT id FROM runs WHERE finished_at IS NULL AND started_at IS NOT NULL ORDER BY id",
    "SELECT started_at, id FROM runs ORDER BY started_at, id LIMIT 70",
    "SELECT started_at, id FROM runs ORDER BY started_at DESC, id DESC LIMIT 70 OFFSET 60",
    "SELECT started_at, id FROM runs ORDER BY started_at NULLS LAST, id LIMIT 3",
    "SELECT queue, id FROM runs ORDER BY queue, priority DESC, id LIMIT 5, 10",
    "SELECT queue, id FROM runs ORDER BY queue COLLATE NOCASE, id LIMIT 5",
    "SELECT lower(id) AS created_at FROM runs ORDER BY created_at LIMIT 5",
    "SELECT id AS x FROM runs ORDER BY x LIMIT 5",
    "SELECT id FROM runs ORDER BY 1 DESC LIMIT 5",
    "SELECT id FROM runs WHERE task = 'task2' LIMIT 2 OFFSET 1",
    "SELECT id FROM runs WHERE task = 'task2' ORDER BY created_at LIMIT -1",
    "SELECT DISTINCT task FROM runs ORDER BY task LIMIT 3",
    "SELECT max(id) FROM runs LIMIT 1",
    "SELECT total(used), count(*) FROM (SELECT duration_ms AS used FROM runs ORDER BY id LIMIT 10)",
    "SELECT id, row_number() OVER (ORDER BY id DESC) FROM runs ORDER BY id LIMIT 3",
    "SELECT task, total(duration_ms) FROM runs WHERE task = 'task2' LIMIT 2",
    "SELECT json_group_array(id) FROM (SELECT id FROM runs ORDER BY id LIMIT 3)",
    "SELECT (SELECT count(*) FROM logs l WHERE l.run_id = r.id AND l.level = 'error') FROM runs r ORDER BY id LIMIT 9",
    "SELECT r.id, l.message FROM runs r JOIN logs l ON l.run_id = r.id AND l.level = 'warn' ORDER BY l.seq",
    "SELECT r.id, l.seq FROM runs r LEFT JOIN logs l ON l.run_id = r.id AND l.level = 'warn' ORDER BY r.id, l.seq",
    "SELECT r.id, l.seq FROM runs r LEFT JOIN logs l ON l.run_id = r.id WHERE l.level = 'warn' ORDER BY r.id, l.seq",
    "SELECT r.id, l.seq FROM logs l RIGHT JOIN runs r ON l.run_id = r.id AND r.task = 'task1' ORDER BY r.id, l.seq",
    "SELECT r.id, l.seq FROM logs l FULL JOIN runs r ON l.run_id = r.id AND l.level = 'error' ORDER BY r.id, l.seq",
    "SELECT r.id, l.seq FROM runs r, logs l WHERE l.run_id = r.id AND r.task = 'task1' AND level = 'info' ORDER BY 2",
    "SELECT a.id FROM runs a JOIN runs b ON a.id = b.parent_id WHERE b.task = 'task1' ORDER BY a.id",
    "SELECT a.id FROM runs a JOIN runs b ON a.id = b.parent_id WHERE b.task = 'task1' AND a.task = 'task0' ORDER BY 1",
    "SELECT count(*) FROM runs JOIN logs USING (task)",
    "SELECT count(*) FROM spans NATURAL JOIN logs",
    "SELECT id FROM runs WHERE task = 'task1' UNION SELECT run_id FROM logs WHERE level = 'error' ORDER BY 1",
    "WITH runs AS (SELECT run_id AS id, task FROM logs) SELECT id FROM runs WHERE task = 'task1' ORDER BY id",
    "WITH f AS (SELECT * FROM runs WHERE status = 'FAILED') SELECT task, count(*) FROM f GROUP BY task ORDER BY 1",
    "SELECT runs.id FROM logs AS runs WHERE runs.task = 'task1'",
    "SELECT runs.run_id FROM logs AS runs WHERE runs.task = 'task1' ORDER BY 1",
    'SELECT id FROM runs WHERE task = "task1" ORDER BY id',
    "SELECT id FROM [runs] WHERE `task` = 'task1' ORDER BY \"id\"",
    "SELECT id FROM RUNS WHERE RUNS.Task = 'task1' ORDER BY id",
    "SELECT id FROM runs WHERE 'runs' = 'runs' AND task = 'task1' ORDER BY id",
    "SELECT id FROM runs WHERE id IN (SELECT run_id FROM logs WHERE level = 'error') AND task = 'task1' ORDER BY id",
    "SELECT error_type, error_message FROM runs WHERE error_message LIKE '%redacted%' ORDER BY id",
    "SELECT message, attributes FROM logs WHERE message LIKE '%horse%' OR attributes LIKE '%abcdef%'",
    "SELECT substr(message, 10, 30) FROM logs WHERE message LIKE 'password=%' ORDER BY seq LIMIT 2",
    "SELECT DISTINCT t.value FROM runs r, json_each(r.tags) t ORDER BY 1",
    "SELECT outcome, count(*), avg(duration_ms) FROM attempts WHERE worker_id = 'w1' GROUP BY 1 ORDER BY 1",
    "SELECT run_id FROM attempts WHERE number > 1 AND started_at > '2026-11-21' ORDER BY run_id LIMIT 5",
    "SELECT run_id, number FROM attempts WHERE outcome = 'RETRY' ORDER BY started_at DESC, run_id LIMIT 5",
    "SELECT level, count(*) FROM logs WHERE level = 'warn' AND at > '2026-11-20 12:00' GROUP BY 1",
    "SELECT seq FROM logs WHERE level IN ('warn', 'error') ORDER BY at DESC LIMIT 3",
    "SELECT typeof(seq), typeof(at), typeof(message), typeof(span_id) FROM logs LIMIT 1",
    "SELECT typeof(priority), typeof(crashes), typeof(ok) FROM runs r JOIN spans s ON s.run_id = r.id GROUP BY 1",
    "SELECT 1 WHERE 1 IN (SELECT 1)",
    "SELECT ok, count(*) FROM spans WHERE ok = 1 AND duration_ms > 50 GROUP BY ok",
    "SELECT id FROM runs WHERE (task, status) = ('task1', 'FAILED') ORDER BY id",
    "SELECT id FROM runs r WHERE EXISTS (SELECT 1 FROM logs WHERE run_id = r.id AND task = 'task1') ORDER BY id",
]


@pytest.mark.parametrize("sql", QUERIES)
def test_answers_are_those_of_an_embedded_store(both: Both, sql: str) -> None:
    redactor = Redactor([PASSWORD])
    answers = []
    for sandbox in both:
        try:
            answers.append(sandbox.ask("dev", sql, redactor=redactor, most_rows=150))
        except InvalidOptions as error:
            answers.append(error.message)  # type: ignore[arg-type]
    assert answers[0] == answers[1]
    assert PASSWORD not in str(answers)


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT id FROM runs WHERE task = ? AND created_at > ? ORDER BY id", ["task1", "2026-11-21"]),
        ("SELECT id FROM runs WHERE task = :t AND attempt = :n ORDER BY id LIMIT :m", {"t": "task1", "n": 1, "m": 3}),
        ("SELECT id FROM runs WHERE task = ?1 AND queue <> ?1 ORDER BY id", ["task1"]),
        ("SELECT id FROM runs WHERE task IN (?, ?) AND '?' <> id ORDER BY id -- ?", ["task1", "task2"]),
        ("SELECT id FROM runs WHERE task = $t ORDER BY id", {"t": "task1"}),
        ("SELECT id FROM runs WHERE attempt = ? ORDER BY id", ["2"]),
        ("SELECT id FROM runs WHERE task = ?", [None]),
        ("SELECT id FROM runs WHERE task = ?", ["nul\0"]),
        ("SELECT id FROM runs WHERE task = ?", ["' OR 1=1 --"]),
        ("SELECT id FROM runs WHERE task = ?", ["%s %(env)s \\"]),
    ],
)
def test_parameters_mean_the_same(both: Both, sql: str, parameters: Any) -> None:
    one, other = (sandbox.ask("dev", sql, parameters) for sandbox in both)
    assert one == other


def narrowed(sql: str, parameters: Any = ()) -> dict[str, tuple[str, str, list[Any]]]:
    """What each relation is narrowed to: conditions, order, values."""

    def worth(text: str, values: Any) -> Any:
        with sqlite3.connect(":memory:") as db:
            [(value,)] = db.execute(f"SELECT {text}", values)
        db.close()
        return value

    columns = {relation.name: relation.columns for relation in RELATIONS}
    codes = {relation.name: relation.codes for relation in RELATIONS}
    found: dict[str, Narrowing] = narrowings(
        sql, parameters, COPIED_VIEWS, columns=columns, codes=codes, value=worth, most_rows=100
    )
    told = {name: narrowing.as_sql() for name, narrowing in found.items()}
    return {name: (where, order, list(values.values())) for name, (where, order, values) in told.items()}


def test_what_is_asked_for_is_all_that_is_copied() -> None:
    a_day = "SELECT task, count(*) FROM runs WHERE created_at > datetime(?, '-1 day') GROUP BY 1"
    assert narrowed(a_day, ["2026-11-22"]) == {"runs": (' AND ((x."created_at" >= %(v0)s))', "", [1_795_219_200_000])}
    assert narrowed("SELECT * FROM runs ORDER BY created_at DESC LIMIT 20") == {
        "runs": ("", ' ORDER BY x."created_at" DESC NULLS LAST, x."seq" LIMIT %(most)s', [20])
    }
    assert narrowed("SELECT id FROM runs WHERE status = 'FAILED'") == {
        "runs": (' AND ((x."state" = %(v0)s))', ' ORDER BY x."seq" LIMIT %(most)s', ["FAILED", 101])
    }
    assert narrowed(
        "SELECT r.id FROM runs r JOIN logs l ON l.run_id = r.id WHERE r.id = 'a' AND l.level IN ('warn')"
    ) == {
        "runs": (' AND ((x."id" = %(v0)s))', "", ["a"]),
        "lines": (' AND ((x."level" = ANY(%(v0)s)))', "", [[2]]),
    }


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM runs WHERE task = 'a' OR 1 GROUP BY 1",
        "SELECT id FROM runs WHERE error_message = 'a' GROUP BY 1",
        "SELECT id FROM runs WHERE task = (SELECT 'a') GROUP BY 1",
        "SELECT id FROM runs, logs WHERE level = lower('WARN') AND seq = seq",
        "SELECT id FROM runs WHERE task = 'a' AND 'runs' = 'runs' GROUP BY 1",
        "SELECT count(*) FROM runs LIMIT 1",
        "SELECT id FROM runs WHERE task = task",
        "SELECT a.id FROM runs a, runs b WHERE a.task = 'a'",
        "SELECT 1 IN runs",
    ],
)
def test_what_is_not_understood_narrows_nothing(sql: str) -> None:
    assert all(not where for where, _, _ in narrowed(sql).values())


SERVER = [
    "SELECT pg_sleep(10)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT * FROM dblink('', 'SELECT 1') AS t(a int)",
    "SELECT set_config('statement_timeout', '0', false)",
    "SELECT current_setting('data_directory')",
    "SELECT query_to_xml('SELECT * FROM detent.settings', true, true, '')",
    "SELECT database_to_xml(true, true, '')",
    "SELECT * FROM generate_series(1, 1000000000)",
    "SELECT count(*) FROM runs, generate_series(1, 1000000000)",
    "SELECT repeat('x', 1000000000)",
    "SELECT lpad('x', 1000000000)",
    "SELECT regexp_replace(repeat('a', 100000), '(a+)+$', 'b')",
    "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' REGEXP '(a+)+$'",
    "SELECT id ~ '(a+)+$' FROM runs",
    "SELECT 'detent.runs'::regclass",
    "SELECT CAST('detent.settings' AS regclass) FROM runs WHERE id = CAST('pg_class' AS regclass)",
    "SELECT $$x$$",
    "SELECT $a$ '; DROP TABLE detent.runs; -- $a$",
    "SELECT 1; DROP TABLE detent.runs",
    "SELECT 1; SELECT pg_sleep(10)",
    "SELECT E'\\'; DROP TABLE detent.runs; --'",
    "SELECT U&'\\0041'",
    'SELECT * FROM U&"pg\\005fclass"',
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM pg_class",
    "SELECT * FROM pg_user",
    "SELECT * FROM detent.settings",
    "SELECT * FROM detent.runs",
    'SELECT * FROM "detent"."runs"',
    "SELECT * FROM query.public.runs",
    "SELECT xmin, ctid, tableoid FROM runs",
    "SELECT tableoid FROM runs",
    "SELECT current_user",
    "SELECT session_user, version()",
    "SELECT pg_catalog.pg_sleep(10)",
    'SELECT "pg_sleep"(10)',
    "SELECT pg_sleep /* */ (10)",
    "SELECT (runs).payload FROM runs",
    "SELECT runs FROM runs",
    "SELECT row_to_json(runs) FROM runs",
    "SELECT * FROM ONLY runs",
    "TABLE runs",
    "TABLE pg_authid",
    "VALUES (1)",
    "SELECT * INTO stolen FROM runs",
    "SELECT id FROM runs FOR UPDATE",
    "SELECT id FROM runs TABLESAMPLE SYSTEM (1)",
    "SELECT * FROM runs, LATERAL (SELECT pg_sleep(10)) t",
    "SELECT id FROM runs WHERE task = 'a' OPERATOR(pg_catalog.=) 'a'",
    "WITH x AS (DELETE FROM runs RETURNING *) SELECT * FROM x",
    "WITH x AS (SELECT pg_sleep(10)) SELECT * FROM x",
    "SELECT id FROM runs WHERE created_at > pg_sleep(10)",
    "SELECT id FROM runs WHERE task = (SELECT value FROM detent.settings)",
    "SELECT id FROM runs LIMIT (SELECT count(*) FROM settings)",
    "SELECT id FROM runs WHERE task = current_setting('x') LIMIT 1",
    "COPY runs TO PROGRAM 'id'",
    "DO $$ BEGIN PERFORM pg_sleep(10); END $$",
    "CALL pg_sleep(10)",
    "LISTEN x",
    "SET ROLE postgres",
    "SHOW data_directory",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT nextval('detent.runs_seq_seq')",
    "SELECT pg_terminate_backend(1)",
    "SELECT pg_advisory_lock(1)",
    "SELECT txid_current()",
    "SELECT dblink_connect('x')",
    "SELECT convert_from(pg_read_binary_file('x'), 'UTF8')",
    "SELECT json_populate_record(NULL, '{}')",
    "SELECT unnest(ARRAY[1,2])",
    "SELECT string_to_table('a,b', ',')",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c, runs",
    "WITH RECURSIVE c(x) AS (SELECT 'ab' UNION ALL SELECT x || x FROM c) SELECT length(x) FROM c, runs",
    "SELECT id FROM runs WHERE task = '" + "x" * 19_000 + "' AND" + " 1 AND" * 300 + " 1",
    "SELECT id FROM runs WHERE task IN (" + ", ".join("'x'" for _ in range(3_000)) + ")",
    "SELECT id FROM runs WHERE " + "(" * 300 + "task = 'a'" + ")" * 300,
    "SELECT id FROM runs WHERE created_at > " + "date(" * 40 + "'2026-11-21'" + ")" * 40,
    "SELECT id FROM runs WHERE " + "NOT " * 3_000 + "task = 'a'",
]


@pytest.mark.parametrize("sql", SERVER)
def test_nothing_of_the_server_can_be_reached(both: Both, sql: str) -> None:
    try:
        answered = both.postgresql.ask("dev", sql, most_s=0.3)
    except DetentError as error:
        assert isinstance(error, InvalidOptions | LimitExceeded)
    else:
        assert answered == both.sqlite.ask("dev", sql)


def test_statements_of_a_query_reach_the_server_as_values_alone(both: Both) -> None:
    # Given a database whose every statement is written down
    told: list[bytes] = []
    original = psycopg.Cursor.execute
    assert isinstance(both.postgresql, PostgresSandbox)

    def execute(self: Any, query: Any, *rest: Any, **more: Any) -> Any:
        told.append(query if isinstance(query, bytes) else str(query).encode())
        return original(self, query, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", execute)
        both.postgresql.ask("dev", "SELECT id AS canary FROM runs WHERE task = 'canary' ORDER BY id LIMIT 3")
        refused = pytest.raises(InvalidOptions)
        with refused:
            both.postgresql.ask("dev", "SELECT canary FROM runs")
    # Then no text of it stands in any
    assert told
    assert b"canary" not in b"".join(told)


def test_a_database_that_is_away_is_told_of() -> None:
    sandbox = PostgresSandbox("postgresql://postgres@127.0.0.1:1/x", COPIED_VIEWS, RELATIONS)
    assert sandbox.ask("dev", "SELECT 1").rows == [[1]]
    with pytest.raises(StoreError, match="does not answer the query"):
        sandbox.ask("dev", "SELECT id FROM runs")
