"""The OpenAPI document: complete, and true."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.server.project import KEY, Project

from detent.model.http_api import OPENAPI, ROUTES
from detent.server.http import HttpServer
from detent.server.openapi import openapi_document, views_by_name


@pytest.fixture
def document(project: Project) -> dict[str, Any]:
    return openapi_document(project.operations.methods)


@pytest.mark.parametrize("operation", ROUTES)
def test_each_route_names_a_view_that_its_answer_fits(operation: str) -> None:
    answer = ROUTES[operation].answer

    assert answer.removeprefix("list[").removesuffix("]") in {*views_by_name(), "any", "text", "events"}


def test_each_route_is_described_with_its_scope_and_its_refusals(document: dict[str, Any]) -> None:
    for operation, route in ROUTES.items():
        told = document["paths"][route.path][route.method.lower()]
        assert (told["operationId"], told["x-scope"]) == (operation, route.scope)
        assert told["summary"].endswith("."), f"{operation} needs a docstring whose first line is a sentence"
        assert str(route.status) in told["responses"]
        assert {"400", "403", "429"} < told["responses"].keys()
        assert bool(told["security"]) is (route.scope != "public")


def test_parameters_have_the_limits_that_the_operation_checks(document: dict[str, Any]) -> None:
    told = {parameter["name"]: parameter for parameter in document["paths"]["/api/v1/runs"]["get"]["parameters"]}

    assert told["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100}
    assert "COMPLETED" in told["status"]["schema"]["items"]["enum"]
    assert told["since"]["schema"] == {"type": "string", "format": "date-time"}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [found for value in part.values() for found in references(value)]
        return [found for value in part for found in references(value)] if isinstance(part, list) else []

    for reference in references(document):
        here: Any = document
        for step in reference.removeprefix("#/").split("/"):
            here = here[step]


def test_the_document_is_served_to_anybody(server: HttpServer) -> None:
    answer = httpx.get(f"{server.url}{OPENAPI}", trust_env=False)

    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.0")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=many", "limit must be a whole number from 1 to 100, got 'many'"),
        ("limit=0", "limit must be a whole number from 1 to 100, got '0'"),
        ("status=COMPLETD", "did you mean 'COMPLETED'"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused_with_what_was_expected(
    server: HttpServer, query: str, said: str
) -> None:
    headers = {"authorization": f"Bearer {KEY}"}

    answer = httpx.get(f"{server.url}/api/v1/runs?{query}", headers=headers, trust_env=False)

    assert answer.status_code == 400
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"options": 1}, "options must be an object, got 1"),
        ({"new_id": 7}, "new_id must be a text, got 7"),
        ({"nonsense": 1}, "does not take 'nonsense'"),
    ],
)
def test_a_body_is_checked_by_the_annotations_of_its_operation(
    server: HttpServer, body: dict[str, Any], said: str
) -> None:
    headers = {"authorization": f"Bearer {KEY}"}

    answer = httpx.post(f"{server.url}/api/v1/runs/run_x/replay", json=body, headers=headers, trust_env=False)

    assert answer.status_code == 400
    assert said in answer.json()["detail"]
