"""Tasks, documentation and questions in SQL as a model reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from tests.mcp.conftest import Assistant
from tests.server.project import Project

from detent_mcp.example_payload import example_payload
from detent_mcp.tools.tasks import without_titles


class Address(BaseModel):
    street: str = Field(min_length=6)
    zip: str | None = None


class Order(BaseModel):
    id: int = Field(ge=100, multiple_of=7)
    share: float = Field(gt=0, lt=1)
    email: str = Field(json_schema_extra={"format": "email"})
    to: Address
    lines: list[Address] = Field(min_length=2)
    kind: Kind
    note: str = "none"


class Kind(BaseModel):
    name: str = Field(examples=["gift"])
    parent: Kind | None = None


Order.model_rebuild()

ONE = {"properties": {"a": {"const": 1}}, "required": ["a"]}
OTHER = {"properties": {"b": {"const": 2}}, "required": ["b"]}


def test_tasks_are_listed_and_one_is_told_with_its_schema_and_an_example(
    assistant: Assistant, project: Project
) -> None:
    project.worker()
    told = assistant.ask("get_current_worker")
    assert [task["id"] for task in told["tasks"]] == ["plain", "typed", "with/slash"]
    assert told["tasks"][0] == {"id": "plain", "file": "tasks/plain.py:3"}
    assert told["task_files_with_problems"] == ["tasks/bad.py:7 it fails to import"]
    one = assistant.ask("get_current_worker", {"task": "typed"})
    assert one["payload_schema"]["required"] == ["title"]
    assert one["example_payload"] == {"title": "text"}
    assert one["next"] == 'trigger_task(task="typed", payload={"title":"text"})'
    triggered = assistant.ask("trigger_task", {"task": "typed", "payload": one["example_payload"]})
    assert triggered["run"]
    assert "any JSON" in assistant.ask("get_current_worker", {"task": "plain"})["payload_schema"]


def test_a_task_that_is_not_there_is_told_with_near_names(assistant: Assistant, project: Project) -> None:
    project.worker()
    refused = assistant.refused("get_current_worker", {"task": "typd"})
    assert "typed" in refused["message"]


def test_tasks_that_no_worker_runs_are_told_so(assistant: Assistant) -> None:
    assert 'dev_server(action="start")' in assistant.ask("get_current_worker")["next"]


def test_an_example_fits_the_schema_of_a_model() -> None:
    schema = Order.model_json_schema()
    example = example_payload(schema)
    jsonschema.validate(example, schema)
    assert Order.model_validate(example).id == 105
    assert example["kind"]["name"] == "gift"
    assert "note" not in example


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        (None, None),
        ({}, None),
        ({"type": ["null", "integer"], "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "string", "format": "date-time"}, "2026-11-22T09:00:00Z"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 0}, 0),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, False),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}, ["text", 1]),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, []),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": 1}),
        ({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1}, {"key1": 1}),
        ({"type": "object", "allOf": [ONE, OTHER]}, {"a": 1, "b": 2}),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, None),
        ({"$ref": "https://elsewhere.example/schema"}, None),
    ],
)
def test_the_simplest_value_that_fits_is_the_example(schema: Any, example: Any) -> None:
    assert example_payload(schema) == example


NAMES = st.sampled_from(["type", "properties", "items", "anyOf", "$ref", "required", "enum", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(JSON)
def test_no_schema_breaks_the_example(schema: Any) -> None:
    if isinstance(schema, dict):
        example_payload(schema)


def test_fields_that_are_called_title_stay() -> None:
    schema = {"title": "Book", "properties": {"title": {"title": "Title", "type": "string"}}}
    assert without_titles(schema) == {"properties": {"title": {"type": "string"}}}


def test_the_docs_are_searched_without_a_server(assistant: Assistant) -> None:
    # Given an address where nobody answers
    alone = assistant.but()
    alone.url = "http://127.0.0.1:9"
    # When
    told = alone.ask("search_docs", {"query": "limit how many runs execute at once"})
    # Then
    assert told["results"][0]["link"].startswith("docs://")
    whole = alone.ask("search_docs", {"query": "docs://queues#fair-turns"})
    assert whole["title"] == "Queues / Fair turns"
    assert "queues" in alone.refused("search_docs", {"query": "docs://queue"})["message"]


def test_questions_in_sql_are_in_a_toolset_of_their_own(assistant: Assistant, project: Project) -> None:
    project.worker()
    asking = assistant.but(toolsets=("core", "query"))
    views = asking.ask("get_query_schema")
    assert set(views["views"]) >= {"runs", "attempts", "spans", "logs"}
    assert "status" in asking.ask("get_query_schema", {"view": "runs"})["columns"]
    asking.ask("trigger_task", {"task": "plain"})
    told = asking.ask(
        "query", {"sql": "SELECT task, count(*) AS n FROM runs WHERE task = ? GROUP BY task", "parameters": ["plain"]}
    )
    assert (told["columns"], told["rows"]) == (["task", "n"], [["plain", 1]])
    assert "rows" in told["untrusted"]
    assert "runs" in asking.refused("query", {"sql": "SELECT * FROM run"})["message"]
    assert asking.refused("query", {"sql": "DELETE FROM runs"})["code"] == "invalid_options"
    assert assistant.refused("query", {"sql": "SELECT 1"})["code"] == "not_offered"


def test_a_project_is_made_on_the_server_too_and_no_key_is_shown(assistant: Assistant, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    made = assistant.ask("initialize_project", {"folder": str(folder), "name": "My Shop", "server": True})
    assert (made["server"]["project"], made["server"]["created"]) == ("my-shop", True)
    assert "dev" in made["server"]["environments"]
    assert (folder / "detent.toml").is_file()
    assert "dt_" not in str(made)
    again = assistant.ask("initialize_project", {"folder": str(folder), "server": True})
    assert again["server"]["created"] is False
