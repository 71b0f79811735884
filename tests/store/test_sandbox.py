"""Queries of strangers: what they may see, and the ways out that are closed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.engine.conftest import DIALECTS
from tests.servers.databases import migrated
from tests.servers.postgresql import fresh_database

from detent.engine.query_copies import COPIED_VIEWS, RELATIONS
from detent.engine.query_tables import QUERY_VIEWS, describe_views
from detent.errors import DetentError, InvalidOptions, LimitExceeded
from detent.model.protocol import Emit, LogLine, SpanLine
from detent.store import SqliteStore
from detent.store.sandbox import Sandbox
from detent.store.sandbox_postgresql import PostgresSandbox
from detent.store.sandbox_sqlite import SqliteSandbox
from detent.telemetry import open_telemetry

SECRET = "canary-7f3a"


@pytest.fixture(scope="module", params=DIALECTS)
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A store with one run of our environment and three of others, whose every text is a secret."""
    with ExitStack() as places:
        folder = tmp_path_factory.mktemp("sandbox")
        url = places.enter_context(fresh_database(migrated)) if request.param == "postgresql" else "sqlite:///x"
        telemetry = open_telemetry(url, folder / "telemetry.db")
        store = None if request.param == "postgresql" else SqliteStore(folder / "detent.db", "OFF")
        for n, env, text in ((1, "dev", "mine"), (2, "prod", SECRET), (3, "prod", SECRET), (4, "o'brien", SECRET)):
            if store is not None:
                store.write(lambda tx, n=n, env=env, text=text: _insert(tx._db, n, env, text))  # type: ignore[misc]
            lines = [LogLine(1_000, "info", text, None, None, "logger")]
            spans = [SpanLine(f"s{n}", None, text, "user", 1, 2, True, None)]
            telemetry.append(Emit(f"run_{n}", 1, logs=lines, spans=spans), env, text)
            if store is None:
                with psycopg.connect(url, options="-c search_path=detent") as db:
                    _insert(db, n, env, text)
        telemetry.flush()
        if store is None:
            yield PostgresSandbox(url, COPIED_VIEWS, RELATIONS)
        else:
            yield SqliteSandbox(folder / "detent.db", folder / "telemetry.db", QUERY_VIEWS)
            store.close()
        telemetry.close()


def _insert(db: Any, n: int, env: str, text: str) -> None:
    def put(sql: str, *values: Any) -> None:
        db.execute(sql if isinstance(db, sqlite3.Connection) else sql.replace("?", "%s"), values)

    put(
        "INSERT INTO runs (id, env, task, queue, state, order_at, created_at, payload, output, error, tags) "
        "VALUES (?, ?, ?, ?, 'FAILED', 1, 1000, ?, ?, ?, ?)",
        *(f"run_{n}", env, text, text, SECRET, SECRET, f'{{"type":"E","message":"{text}"}}', f'["{text}"]'),
    )
    for kind, state in (("claim", "EXECUTING"), ("finish", "FAILED")):
        put(
            "INSERT INTO events (run_id, at, kind, state, epoch, attempt, worker_id) VALUES (?, 1000, ?, ?, 1, 1, ?)",
            *(f"run_{n}", kind, state, text),
        )
    put("INSERT INTO settings VALUES ('secret', ?) ON CONFLICT DO NOTHING", SECRET)


def test_each_view_shows_what_belongs_to_the_environment(sandbox: Sandbox) -> None:
    assert sandbox.ask("dev", "SELECT id, status, error_message, created_at FROM runs").rows == [
        ["run_1", "FAILED", "mine", "1970-01-01 00:00:01.000"]
    ]
    assert sandbox.ask("dev", "SELECT run_id, number, outcome, error_type FROM attempts").rows == [
        ["run_1", 1, "FAILED", "E"]
    ]
    assert sandbox.ask("dev", "SELECT run_id, name, duration_ms FROM spans").rows == [["run_1", "mine", 1]]
    assert sandbox.ask("dev", "SELECT run_id, level, message FROM logs").rows == [["run_1", "info", "mine"]]
    assert sandbox.ask("prod", "SELECT count(*) FROM runs").rows == [[2]]
    assert sandbox.ask("o'brien", "SELECT id FROM runs").rows == [["run_4"]]
    assert sandbox.ask("' OR 1 --", "SELECT id FROM runs").rows == []


def test_views_can_be_joined_grouped_and_named_by_with(sandbox: Sandbox) -> None:
    sql = """
        -- per task
        WITH bad AS (SELECT * FROM runs WHERE status = :status)
        SELECT b.task, count(*) AS n, t.value AS tag, row_number() OVER (ORDER BY b.task) AS place
        FROM bad b JOIN logs l ON l.run_id = b.id, json_each(b.tags) t GROUP BY 1"""
    answered = sandbox.ask("dev", sql, {"status": "FAILED"})
    assert (answered.columns, answered.rows) == (["task", "n", "tag", "place"], [["mine", 1, "mine", 1]])
    assert sandbox.ask("dev", "SELECT id FROM runs WHERE created_at < datetime('now', '-1 hour')").rows == [["run_1"]]


def test_every_documented_column_can_be_read(sandbox: Sandbox) -> None:
    for view in describe_views():
        names = [column["name"] for column in view["columns"]]
        answered = sandbox.ask("dev", f"SELECT {', '.join(names)} FROM {view['name']}")
        assert (answered.columns, len(answered.rows)) == (names, 1)


@pytest.mark.parametrize(
    "sql",
    [
        # Tables behind the views, and others, by whatever name.
        "SELECT * FROM main.runs",
        "SELECT count(*) FROM main.runs",
        "SELECT * FROM telemetry.lines",
        "SELECT count(*) FROM telemetry.lines",
        "SELECT * FROM lines",
        "SELECT count(*) FROM lines",
        "SELECT * FROM events",
        "SELECT count(*) FROM events",
        "SELECT 1 FROM events",
        "SELECT * FROM settings",
        "SELECT value FROM settings WHERE name = 'secret'",
        "SELECT count(*) FROM workers",
        "SELECT max(rowid) FROM waitpoints",
        'SELECT * FROM "settings"',
        "SELECT * FROM [settings]",
        "SELECT * FROM SeTTings",
        "SELECT * FROM temp.settings",
        # A name of ours for an expression of theirs.
        "WITH runs AS (SELECT * FROM main.runs) SELECT * FROM runs",
        "WITH logs AS (SELECT * FROM lines) SELECT * FROM logs",
        "WITH attempts AS (SELECT * FROM events) SELECT count(*) FROM attempts",
        "WITH runs AS MATERIALIZED (SELECT * FROM settings) SELECT * FROM runs",
        "SELECT * FROM (SELECT * FROM settings) AS runs",
        "SELECT (SELECT value FROM settings) FROM runs",
        "SELECT id FROM runs UNION ALL SELECT value FROM settings",
        "SELECT id FROM runs WHERE EXISTS (SELECT 1 FROM settings WHERE value LIKE 'c%')",
        "SELECT id FROM runs ORDER BY (SELECT value FROM settings)",
        "SELECT group_concat(id) FILTER (WHERE (SELECT value FROM settings) > 'b') FROM runs",
        # Columns that are not shown, and rows of others.
        "SELECT payload FROM runs",
        "SELECT runs.output FROM runs",
        "SELECT env FROM runs",
        "SELECT r.env FROM runs r WHERE r.env <> 'dev'",
        # What SQLite tells of itself.
        "SELECT * FROM sqlite_master",
        "SELECT sql FROM sqlite_schema",
        "SELECT count(*) FROM sqlite_master",
        "SELECT * FROM sqlite_temp_master",
        "SELECT count(*) FROM sqlite_temp_schema",
        "SELECT * FROM temp.sqlite_master",
        "SELECT * FROM main.sqlite_master",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM pragma_table_info('runs')",
        "SELECT count(*) FROM pragma_table_list",
        "SELECT * FROM dbstat",
        "SELECT * FROM sqlite_stmt",
        "SELECT * FROM sqlite_dbpage",
        "SELECT * FROM bytecode('SELECT 1')",
        # Functions.
        "SELECT printf('x')",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('/tmp/x', 'y')",
        "SELECT LOAD_EXTENSION('/tmp/x.so')",
        "SELECT randomblob(10)",
        "SELECT zeroblob(1000000000)",
        "SELECT fts3_tokenizer('x')",
        "SELECT sqlite_compileoption_get(1)",
        "SELECT sqlite_version()",
        "SELECT last_insert_rowid()",
        # Whatever is no question.
        "INSERT INTO runs (id) VALUES ('x')",
        "WITH x AS (SELECT 1) INSERT INTO runs (id) SELECT * FROM x",
        "WITH x AS (SELECT 1) DELETE FROM runs",
        "WITH x AS (SELECT 1) UPDATE runs SET id = 1",
        "/* SELECT */ DELETE FROM runs",
        "-- SELECT\nDROP TABLE runs",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "ATTACH ':memory:' AS x",
        "DETACH telemetry",
        "PRAGMA database_list",
        "PRAGMA query_only = OFF",
        "VACUUM INTO '/tmp/copy.db'",
        "EXPLAIN SELECT * FROM runs",
        "EXPLAIN QUERY PLAN SELECT * FROM runs",
        "BEGIN",
        "COMMIT",
        "SELECT 1; DELETE FROM runs",
        "SELECT 1; SELECT value FROM settings",
        "SELECT 1 /*",
        "SELECT 1\0; DROP TABLE runs",
        "",
        ";",
        "SELECT",
    ],
)
def test_there_is_no_way_out(sandbox: Sandbox, sql: str) -> None:
    try:
        answered = sandbox.ask("dev", sql)
    except DetentError as error:
        assert SECRET not in error.message
        assert isinstance(error, InvalidOptions | LimitExceeded)
    else:
        # An open comment is closed by SQLite at the end, and harmless.
        assert (sql, answered.rows) == ("SELECT 1 /*", [[1]])
    assert sandbox.ask("prod", "SELECT count(*) FROM runs").rows == [[2]]


def test_names_of_what_is_inside_are_of_no_use_to_the_next_query(sandbox: Sandbox) -> None:
    # Given a message that shows how a view is made, as one of SQLite might
    names: set[str] = set()
    for _ in range(2):
        try:
            sandbox.ask("dev", "SELECT id, no_such_thing FROM runs")
        except InvalidOptions as error:
            names.add(error.message)
    # Then it is the same each time, and names nothing of the inside
    assert len(names) == 1
    assert "s_" not in names.pop()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM rums", "no view named 'rums'; did you mean 'runs'?"),
        ("SELECT stauts FROM runs", "no column named 'stauts'; did you mean 'status'"),
        ("SELECT message FROM runs", "no column 'message' here; views with such a column: logs"),
        ("SELECT main.runs.id FROM runs", "no column 'main.runs.id' here; views with such a column: runs, spans"),
        ("SELECT cuont(*) FROM runs", "no function named 'cuont'; did you mean 'count'"),
        ("SELECT * FROM main.runs", "'main.runs' cannot be read; name one of the views alone"),
        ("DELETE FROM runs", "a query is one SELECT"),
        ("SELECT FROM WHERE", "the query cannot be run: near"),
    ],
)
def test_a_mistake_is_explained_with_near_names(sandbox: Sandbox, sql: str, said: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        sandbox.ask("dev", sql)
    assert refused.value.message.startswith(said)


#: 400,000 characters.
LARGE = "replace(hex('" + "x" * 1_000 + "'), '78', '" + "x" * 400 + "')"
PAIRS = list(zip("abcdefghijklmnopqrstuvwxy", "bcdefghijklmnopqrstuvwxyz", strict=True))
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT "


@pytest.mark.parametrize(
    "sql",
    [
        ENDLESS + "count(*) FROM c",
        ENDLESS + "x FROM c ORDER BY x DESC",
        ENDLESS + "max(a.x) FROM c a, c b",
        "SELECT count(*) FROM (" + ENDLESS + "x FROM c)",
        ENDLESS + "group_concat(x) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 'ab' UNION ALL SELECT x || x FROM c) SELECT length(x) FROM c",
        "SELECT printf('%.*c', 1000000000, 'x')",
        "SELECT format('%.*c', 1000000000, 'x')",
        f"SELECT replace({LARGE}, 'x', {LARGE})",
        f"SELECT trim({LARGE}, {LARGE})",
        "WITH a AS (SELECT 1 AS x), "
        + ", ".join(f"{b} AS (SELECT 1 AS x FROM {a}, {a} AS t)" for a, b in PAIRS)
        + " SELECT count(*) FROM z",
        "WITH x$ AS (SELECT 1 AS x), y\u2003 AS (SELECT 1 FROM "
        + ", ".join(f'"x$" AS t{n}' for n in range(9))
        + ") SELECT 1 FROM "
        + ", ".join(f"[y\u2003] AS t{n}" for n in range(9)),
        'WITH [a] AS (SELECT 1 AS x), "b"(x) AS (SELECT 1 FROM '
        + ", ".join(f"a AS t{n}" for n in range(30))
        + ") SELECT 1 FROM b, b, 'b', [B]",
        "SELECT 'x' LIKE '" + "%x" * 600 + "'",
        "SELECT " + "(" * 500 + "1" + ")" * 500,
        " UNION ALL ".join(["SELECT 1"] * 50),
        "SELECT " + ", ".join(["1"] * 500),
        "SELECT '" + "x" * 30_000 + "'",
    ],
)
def test_what_takes_too_much_is_ended(sandbox: Sandbox, sql: str) -> None:
    with pytest.raises((LimitExceeded, InvalidOptions)):
        sandbox.ask("dev", sql, most_s=0.05)


def test_rows_and_their_size_are_bounded(sandbox: Sandbox) -> None:
    answered = sandbox.ask("dev", ENDLESS + "x FROM c", most_rows=100)
    assert (len(answered.rows), answered.is_cut) == (100, True)
    large = sandbox.ask("dev", ENDLESS + f"{LARGE} FROM c")
    assert (len(large.rows), large.is_cut) == (25, True)


def test_texts_of_the_largest_size_are_searched_in_no_time(sandbox: Sandbox) -> None:
    searches = ", ".join([f"instr(t, substr(t, 1, 200000) || 'y'), trim(t, 'x'), t LIKE '{'%x' * 40}%y'"] * 5)
    answered = sandbox.ask("dev", f"WITH large AS MATERIALIZED (SELECT {LARGE} AS t) SELECT {searches} FROM large")
    assert answered.rows == [[0, "", 0] * 5]


def test_functions_of_ours_do_what_those_of_sqlite_do(sandbox: Sandbox) -> None:
    sql = (
        "SELECT instr('abc', 'c'), instr('abc', ''), instr(NULL, 'a'), instr(123, 2), replace('aXbX', 'X', '--'), "
        "replace('a', '', 'b'), replace('a', NULL, 'b'), trim('  a '), ltrim('xxa', 'x'), rtrim('axx', 'x'), trim(5)"
    )
    expected = [3, 1, None, 2, "a--b--", "a", None, "a", "a", "a", "5"]
    assert sandbox.ask("dev", sql).rows == [expected]


def test_odd_values_come_as_json_can_write_them(sandbox: Sandbox) -> None:
    assert sandbox.ask("dev", "SELECT x'00ff', char(55296), NULL, 1.5").rows == [["00ff", "\ufffd" * 3, None, 1.5]]


@pytest.mark.parametrize("parameters", [[], [1, 2], {"y": 1}, [object()], [2**70]])
def test_parameters_that_do_not_fit_are_refused(sandbox: Sandbox, parameters: Any) -> None:
    with pytest.raises(InvalidOptions):
        sandbox.ask("dev", "SELECT :x", parameters)


def test_without_lines_and_spans_their_views_are_empty(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "detent.db", "OFF").close()
    for telemetry in (None, tmp_path / "missing.db"):
        sandbox = SqliteSandbox(tmp_path / "detent.db", telemetry, QUERY_VIEWS)
        assert sandbox.ask("dev", "SELECT (SELECT count(*) FROM logs) + (SELECT count(*) FROM spans)").rows == [[0]]
