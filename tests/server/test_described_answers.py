"""What schemathesis makes of the OpenAPI document, asked of a real server, which answers nothing that the document does
not tell of, whatever comes. ``make soak`` asks for longer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from tests.server.project import KEY, Project

from detent.client import Detent
from detent.model.http_api import ROUTES
from detent.server.openapi import openapi_document

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
#: A stream of events has no end to wait for.
STREAMS = {name for name, route in ROUTES.items() if route.answer == "events"}
OPERATIONS = sorted({*ROUTES, "tasks.trigger", "tasks.batch_trigger", "tokens.callback"} - STREAMS)


class Asked(NamedTuple):
    """A server that has something to tell, its description, and ids that it knows."""

    url: str
    operations: dict[str, Any]
    ids: list[str]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    project = Project(tmp_path_factory.mktemp("asked"))
    server = project.serve()
    ids = _filled(project)
    document = openapi_document(project.operations.methods)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_dict(document)
        operations = {found.ok().definition.raw["operationId"]: found.ok() for found in schema.get_all_operations()}
    yield Asked(server.url, operations, ids)
    server.stop()
    project.close()


def _filled(project: Project) -> list[str]:
    worker = project.worker()
    client = Detent(project.transport)
    token = client.tokens.create(tags="a")
    schedule = client.schedules.create(task="plain", cron="0 0 1 1 *", deduplication_key="k")
    done, failed, late = (
        client.tasks.trigger("plain", {"a": [1, None]}, tags=["a"], metadata={"k": 1}),
        client.tasks.trigger("typed", {"title": "x"}),
        client.tasks.trigger("with/slash", delay="1h"),
    )
    for grant in worker.claim():
        if grant.run_id == done.id:
            worker.finish(grant, output='{"n": 1}')
        else:
            worker.finish(grant, "FAILED", error='{"type": "ValueError", "message": "no", "traceback": "T"}')
    return [done.id, failed.id, late.id, token.id, schedule.id, "plain", "with/slash", "typed"]


def _ask(asked: Asked, operation: str, examples: int, *, seed: int) -> None:
    found = asked.operations[operation]
    known = st.fixed_dictionaries({"id": st.sampled_from(asked.ids)})
    session = requests.Session()
    session.trust_env = False
    session.headers["authorization"] = f"Bearer {KEY}"

    @seeded(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from(list(GenerationMode)))
        path = data.draw(known) if "{id}" in found.path and data.draw(st.booleans()) else None
        case = data.draw(found.as_strategy(mode, path_parameters=path))
        answer = case.call(base_url=asked.url, session=session)
        case.validate_response(answer, checks=CHECKS)

    ask()
    session.close()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.filterwarnings("ignore")
def test_no_question_gets_an_answer_that_the_document_does_not_tell_of(asked: Asked, operation: str) -> None:
    _ask(asked, operation, 4, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [2, 3, 4])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.filterwarnings("ignore")
def test_no_question_of_many_does_either(asked: Asked, operation: str, seed: int) -> None:
    _ask(asked, operation, 200, seed=seed)
