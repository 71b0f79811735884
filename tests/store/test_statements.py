"""The statements and the schemas of both dialects: alike from outside, and such as PostgreSQL takes."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files

import psycopg
import pytest
from psycopg import pq
from tests.servers.databases import migrated
from tests.servers.postgresql import fresh_database

from detent.store.dialect import for_postgresql
from detent.store.statements import migrations, single_statements, statements

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_RECORD = re.compile(r"json_to_recordset\(CAST\(:rows AS json\)\) AS \w+ \(([^)]+)\)")

INT8, INT4, TEXT, FLOAT8, JSON, JSONB, UNKNOWN = 20, 23, 25, 701, 114, 3802, 0
#: What reads like SQLite's values: whole numbers, floats and texts.
PLAIN = {INT8, INT4, TEXT, FLOAT8}


def parameters(sql: str) -> set[str]:
    """The names that a statement takes; of one that takes many rows, those of a row."""
    record = _RECORD.search(sql)
    if record is None:
        return set(_PARAMETER.findall(sql))
    return {column.split()[0] for column in record[1].split(",")} | set(_PARAMETER.findall(sql)) - {"rows"}


def numbered(sql: str) -> tuple[str, int]:
    """`sql` as the server sees it, and how many parameters it has."""
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"${names.setdefault(match[1], len(names) + 1)}"

    return re.sub(r"%\((\w+)\)s", number, for_postgresql(sql)).replace("%%", "%"), len(names)


@pytest.fixture(scope="module")
def database() -> Iterator[psycopg.Connection]:
    with fresh_database(migrated) as url, psycopg.connect(url, autocommit=True) as db:
        yield db


def prepare(db: psycopg.Connection, sql: str, types: list[int]) -> str:
    """What the server says against `sql` with parameters of these types; nothing if it takes it."""
    answer = db.pgconn.prepare(b"", sql.encode(), types)
    return "" if answer.status == pq.ExecStatus.COMMAND_OK else answer.error_message.decode()


def sent_types(db: psycopg.Connection, sql: str, count: int) -> list[int]:
    """The types that parameters come with, of those that the server expects: the store sends 8-byte numbers, floats and
    texts."""
    types = [UNKNOWN] * count
    while complaint := prepare(db, sql, types):
        # A number in the text of the statement is a small one.
        unsure = re.search(r"inconsistent types deduced for parameter \$(\d+)", complaint)
        assert unsure is not None, complaint
        types[int(unsure[1]) - 1] = INT8
    about = db.pgconn.describe_prepared(b"")
    expected = [about.param_type(place) for place in range(count)]
    return [{INT4: INT8, JSON: TEXT, JSONB: TEXT}.get(kind, kind) for kind in expected]


def test_both_dialects_have_the_same_statements() -> None:
    assert statements("sqlite").keys() == statements("postgresql").keys()


def test_no_statement_is_written_both_for_all_dialects_and_for_one() -> None:
    folder = files("detent.store") / "sql"
    shared, *own = (
        {entry.name for entry in place.iterdir() if entry.name.endswith(".sql")}
        for place in (folder, folder / "sqlite", folder / "postgresql")
    )
    assert [shared & names for names in own] == [set(), set()]


def test_a_statement_takes_the_same_values_in_both_dialects() -> None:
    here, there = (
        {name: parameters(sql) for name, sql in statements(dialect).items()} for dialect in ("sqlite", "postgresql")
    )
    assert there == here


@pytest.mark.parametrize("name", sorted(statements("postgresql")))
def test_postgresql_takes_the_statement_and_answers_with_plain_values(database: psycopg.Connection, name: str) -> None:
    sql, count = numbered(statements("postgresql")[name])
    types = sent_types(database, sql, count)
    assert set(types) <= PLAIN
    assert prepare(database, sql, types) == ""
    about = database.pgconn.describe_prepared(b"")
    answers = {about.fname(place): about.ftype(place) for place in range(about.nfields)}
    assert {name: kind for name, kind in answers.items() if kind not in PLAIN} == {}
    # None comes without a type: each one must follow from its place.
    for place in range(count):
        assert prepare(database, sql, [*types[:place], UNKNOWN, *types[place + 1 :]]) == ""


def test_both_dialects_have_the_same_tables_and_indexes(database: psycopg.Connection) -> None:
    kinds = {"INTEGER": "bigint", "TEXT": "text", "REAL": "double precision"}
    with closing(sqlite3.connect(":memory:")) as file:
        for script in migrations("sqlite"):
            for statement in single_statements(script):
                file.execute(statement)
        about = file.execute(
            "SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        tables = {name for kind, name in about if kind == "table"}
        indexes = {name for kind, name in about if kind == "index"}
        columns = {
            (table, name, kinds[kind], bool(required or key))
            for table in tables
            for _, name, kind, required, _, key in file.execute(f"PRAGMA table_info({table})").fetchall()
        }
    there = database.execute(
        "SELECT table_name, column_name, data_type, is_nullable = 'NO' FROM information_schema.columns "
        "WHERE table_schema = 'detent'"
    ).fetchall()
    # There it also has what SQLite keeps in a second file.
    assert {column for column in there if column[0] in tables} ^ columns == set()
    made = database.execute("SELECT CAST(indexname AS TEXT) FROM pg_indexes WHERE schemaname = 'detent'").fetchall()
    assert indexes - {name for (name,) in made} == set()


def test_texts_that_are_looked_up_are_compared_by_their_bytes_whatever_the_database_is_set_to(
    database: psycopg.Connection,
) -> None:
    others = database.execute(
        "SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'detent' "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) "
        "JOIN pg_collation k ON k.oid = a.attcollation WHERE k.collname <> 'C'"
    ).fetchall()
    assert others == []


def test_no_statement_reads_a_table_that_grows_from_one_end_to_the_other(database: psycopg.Connection) -> None:
    # Given tables that stay small
    small = {"alert_states", "alerts", "api_keys", "digest", "leaders", "variables", "workers"}
    database.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
    read = {}
    # When each statement is planned for values that are not known
    for name, written in statements("postgresql").items():
        sql, count = numbered(written)
        database.execute(f"PREPARE planned AS {sql}".encode(), prepare=False)
        values = f"({', '.join(['NULL'] * count)})" if count else ""
        plan = database.execute(f"EXPLAIN EXECUTE planned{values}".encode(), prepare=False).fetchall()
        database.execute("DEALLOCATE planned")
        if found := {table for (step,) in plan for table in re.findall(r"Seq Scan on (\w+)", step)} - small:
            read[name] = found
    database.execute("RESET ALL")
    # Then
    assert read == {}
