"""A run at a glance: one request, however large it is, and no secret on the way."""

from __future__ import annotations

import json

import pytest
from tests.server.project import Project

from detent.client.detent import Detent
from detent.errors import InvalidOptions, NotFound
from detent.model.protocol import LogLine, SpanLine


@pytest.fixture
def client(project: Project) -> Detent:
    return Detent(project.transport)


def completed(project: Project, client: Detent, output: object) -> str:
    worker = project.worker()
    run_id = client.tasks.trigger("plain", {"n": 1}, metadata={"step": "two"}).id
    [grant] = worker.claim()
    spans = [
        SpanLine("span_00000000000000aaaaaa", None, "fetch", "user", 1, 5, True, '{"url":"https://a.example"}'),
        SpanLine("span_00000000000000bbbbbb", "span_00000000000000aaaaaa", "parse", "user", 2, 4, True, None),
    ]
    lines = [
        LogLine(2, "info", "inside", None, "span_00000000000000bbbbbb", "logger"),
        LogLine(6, "info", "outside", None, None, "logger"),
    ]
    worker.emit(grant, spans=spans, logs=lines)
    worker.finish(grant, output=json.dumps(output))
    return run_id


def test_an_overview_has_the_run_and_its_trace(project: Project, client: Detent) -> None:
    run_id = completed(project, client, {"sum": 3})
    found = client.runs.overview(run_id)
    assert (found.run.id, found.run.payload, found.run.output) == (run_id, {"n": 1}, {"sum": 3})
    assert found.run.metadata == {"step": "two"}
    assert found.trace == client.runs.trace(run_id)
    assert found.cut == {}


def test_a_long_value_is_cut_and_read_on_from_there(project: Project, client: Detent) -> None:
    # Given an output of many characters, some of more than one byte
    output = ["ü" * 50 for _ in range(100)]
    run_id = completed(project, client, output)
    # When
    found = client.runs.overview(run_id, chars=1_000)
    # Then what is cut can be put together again
    assert (found.run.output, found.run.payload) == (None, {"n": 1})
    text, following = found.cut["output"].text, found.cut["output"].following
    while following is not None:
        part = client.runs.value(run_id, "output", start=following, chars=2_000)
        text, following = text + part.text, part.following
    assert json.loads(text) == output
    assert found.cut["output"].characters == len(text)


def test_no_part_of_a_value_shows_a_secret(project: Project, client: Detent) -> None:
    output = {"a": "x" * 990, "password": "tell-nobody-this", "z": "y" * 500}
    run_id = completed(project, client, output)
    found = client.runs.overview(run_id, chars=1_020)
    assert found.run.output_presigned_url is None
    shown = found.cut["output"].text
    for start in range(980, 1_100, 7):
        shown += client.runs.value(run_id, "output", start=start, chars=200).text
    assert "nobody" not in shown
    assert "[redacted]" in shown


def test_a_span_is_found_by_the_end_of_its_id_with_what_was_written_in_it(project: Project, client: Detent) -> None:
    run_id = completed(project, client, 1)
    found = client.runs.span(run_id, "aaaaaa")
    assert (found.span.name, [child.name for child in found.span.children]) == ("fetch", ["parse"])
    assert [place.kind for place in found.path] == ["run", "attempt"]
    assert found.span.attributes == {"url": "https://a.example"}
    assert ([line.message for line in found.logs], found.logs_total) == (["inside"], 1)
    attempt = client.runs.span(run_id, found.path[1].id)
    assert [line.message for line in attempt.logs] == ["inside", "outside"]


def test_what_is_not_there_is_said(project: Project, client: Detent) -> None:
    run_id = completed(project, client, 1)
    with pytest.raises(NotFound, match="no span 'nope'"):
        client.runs.span(run_id, "nope")
    with pytest.raises(NotFound, match="no run"):
        client.runs.overview("run_nope")
    with pytest.raises(InvalidOptions):
        client.runs.value(run_id, "output", start=-1)
    with pytest.raises(InvalidOptions, match="did you mean 'output'"):
        client.runs.value(run_id, "outputs")  # type: ignore[arg-type]  # of a path, it may be any text
    assert client.runs.value(run_id, "output", start=999).text == ""
