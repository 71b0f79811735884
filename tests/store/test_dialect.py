from __future__ import annotations

import pytest

from detent.store.dialect import for_postgresql, postgresql_tables

TABLES = ("runs", "run_tags", "queues")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("SELECT * FROM runs WHERE id = :id", "SELECT * FROM detent.runs WHERE id = %(id)s"),
        ("UPDATE runs SET a = :a", "UPDATE detent.runs SET a = %(a)s"),
        ("INSERT INTO run_tags (tag) VALUES (:tag)", "INSERT INTO detent.run_tags (tag) VALUES (%(tag)s)"),
        ("DELETE FROM queues", "DELETE FROM detent.queues"),
        ("SELECT 1 FROM runs r\n JOIN queues ON true", "SELECT 1 FROM detent.runs r\n JOIN detent.queues ON true"),
        ("SELECT runs.id FROM runs", "SELECT runs.id FROM detent.runs"),
        ("ON CONFLICT DO UPDATE SET a = 1", "ON CONFLICT DO UPDATE SET a = 1"),
        ("SELECT a FROM runs_of(:n)", "SELECT a FROM runs_of(%(n)s)"),
        ("SELECT CAST(:n AS BIGINT), a::text", "SELECT CAST(%(n)s AS BIGINT), a::text"),
        ("SELECT 'FROM runs :id, 5%' FROM runs", "SELECT 'FROM runs :id, 5%%' FROM detent.runs"),
        ("SELECT 'it''s :a' WHERE a % 2 = :b", "SELECT 'it''s :a' WHERE a %% 2 = %(b)s"),
        ("SELECT a FROM detent.runs", "SELECT a FROM detent.runs"),
    ],
)
def test_a_statement_names_its_schema_and_its_parameters_as_the_driver_wants(written: str, sent: str) -> None:
    assert for_postgresql(written, TABLES) == sent


def test_every_table_of_the_migrations_is_known() -> None:
    assert {"runs", "events", "leaders", "worker_tasks", "settings"} <= postgresql_tables()
