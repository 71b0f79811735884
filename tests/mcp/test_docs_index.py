"""Questions that users ask are answered from the pages that belong to this version."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detent.errors import NotFound
from detent.shipped import shipped
from detent_mcp.docs_answers import CHARS, PART_CHARS, answer, read_part
from detent_mcp.docs_index import DocsIndex, shipped_docs
from detent_mcp.docs_sections import blocks_of, cut_blocks, read_page

#: What is asked, and the pages of which one must be among the first three sections.
JUDGED = {
    "how do I start a task at 9 every weekday": "schedules",
    "retry a failing task with exponential backoff": "errors-and-retries",
    "stop retrying on a permanent error": "errors-and-retries",
    "limit how many runs execute at the same time": "queues configuration tasks",
    "rate limit per tenant / per customer fairness": "queues",
    "wait for a human to approve": "waits tokens",
    "sleep for two days inside a task": "waits",
    "make sure an expensive LLM call is not repeated after a crash": "steps",
    "idempotency key": "triggering",
    "trigger a task from FastAPI without importing it": "triggering quickstart client",
    "fan out 500 subtasks and collect results": "triggering waits skills/detent-fan-out",
    "run a task later with a delay": "triggering",
    "stream tokens of a model to the browser": "realtime",
    "show progress of a run in the frontend": "realtime tasks",
    "unit test my task with pytest": "testing",
    "why is my run stuck in QUEUED": "operating queues runs workers",
    "cancel all queued runs of a task": "bulk",
    "replay failed runs from last night": "bulk runs cli",
    "pause a queue": "queues",
    "run on a GPU machine": "isolation workers",
    "memory limit and out of memory kill": "isolation",
    "task timeout max_duration": "errors-and-retries tasks",
    "use postgres instead of sqlite": "self-hosting configuration",
    "deploy with docker compose or systemd": "self-hosting",
    "store large payloads in S3": "objects",
    "set a secret environment variable": "security cli",
    "get an email or slack message when a task fails": "alerts",
    "SELECT over runs with SQL": "operating",
    "prometheus metrics": "operating",
    "HTTP API list runs with curl": "api",
    "what does FAILED vs CRASHED status mean": "runs errors-and-retries",
    "pydantic payload schema validation": "tasks",
    "hooks on_failure on_success": "tasks",
    "webhook callback url completes a token": "tokens",
    "debounce": "triggering",
    "priority of a run": "queues triggering",
    "on which python file are my tasks found / dirs setting": "configuration tasks",
    "convert text to speech audio": "tts",
    "what can run twice, exactly once guarantees": "guarantees errors-and-retries",
    "search logs of all runs": "operating",
    "deploy to staging": "deploy environments",
    "preview environment for a branch": "environments",
    "roll back a bad deploy": "deploy",
    "install the mcp server in cursor": "assistants mcp",
    "claude code setup": "assistants mcp",
    "exclude files from the bundle": "deploy configuration",
    "assistant readonly": "mcp",
    "lock file uv dependencies at deploy": "deploy",
    "resume a paused queue": "queues",
    "concurrency limit": "queues",
    "concurrency key": "queues",
    "schedule a cron job in a timezone": "schedules",
    "retries": "errors-and-retries",
    "backoff": "errors-and-retries",
    "cancel a run": "runs errors-and-retries client bulk",
    "replay a run": "runs steps cli bulk",
    "what is a step": "steps",
    "ttl expire runs": "triggering",
    "run priority": "queues triggering",
    "batch trigger": "triggering",
    "wait for a child task result": "triggering waits",
    "complete a token from curl": "tokens",
    "object store": "objects",
    "redis broker": "operating self-hosting configuration",
    "environment variables": "security configuration",
    "api keys": "security api",
    "log in": "cli security",
    "test a task that sleeps a day": "testing",
    "time out": "errors-and-retries",
    "metadata progress": "tasks realtime",
    "hooks": "tasks",
    "context object attempt number": "tasks",
    "logger": "tasks runs",
    "failed payload validation": "tasks errors-and-retries triggering",
    "process isolation": "isolation",
    "kill -9 worker what happens": "errors-and-retries guarantees",
    "migrate sqlite to postgres": "self-hosting",
    "backup": "self-hosting",
    "webhook when run fails": "alerts",
    "audit sql query runs": "operating",
    "search logs": "operating",
    "list runs with filters": "runs client api",
    "idempotency": "triggering",
    "getting started": "quickstart",
    "install detent": "quickstart",
    "daily at 8": "schedules",
    "rate limiting openai calls": "queues",
    "streaming LLM output": "realtime",
    "send input to running task": "realtime",
    "parallel tasks gather": "waits triggering",
    "sync function task": "tasks waits",
    "delete a schedule": "schedules",
    "diagnose a run": "operating runs",
    "trace spans": "runs tasks operating",
    "bulk replay": "bulk",
    "retrys and idempotancy keys": "triggering errors-and-retries",
}


@pytest.fixture(scope="module")
def index() -> DocsIndex:
    return shipped_docs()


def test_what_users_ask_is_answered_by_one_of_the_first_three_sections(index: DocsIndex) -> None:
    # When all of them are asked
    found = {question: [hit.section.page for hit in index.search(question)[:3]] for question in JUDGED}
    # Then hardly one is not answered, and most are by the very first
    missed = {question: pages for question, pages in found.items() if not set(pages) & set(JUDGED[question].split())}
    first = [question for question, pages in found.items() if pages and pages[0] in JUDGED[question].split()]
    assert len(missed) <= len(JUDGED) // 20, missed
    assert len(first) >= len(JUDGED) * 7 // 10


@pytest.mark.parametrize(
    "question",
    [
        "",
        " ",
        '"',
        "AND OR NOT",
        "NEAR(a b, 3)",
        "text:x",
        "* ^ - + ( )",
        "\x00",
        "日本語",
        "x" * 10_000,
        "retry " * 2_000,
        "a-b-c",
        "'",
    ],
)
def test_no_question_fails(index: DocsIndex, question: str) -> None:
    told = answer(index, question)
    assert told["next"]
    assert "results" in told or told["pages"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_no_text_fails(question: str) -> None:
    assert answer(shipped_docs(), question)["version"]


def test_a_misspelt_word_is_found(index: DocsIndex) -> None:
    right, wrong = ([hit.section.link for hit in index.search(word)[:2]] for word in ("concurrency", "concurency"))
    assert set(right) & set(wrong)


def test_an_answer_has_whole_blocks_of_code_and_keeps_to_its_room(index: DocsIndex) -> None:
    for question in JUDGED:
        results = answer(index, question)["results"]
        assert sum(len(found["text"]) for found in results) <= CHARS
        for found in results:
            assert found["text"].count("```") % 2 == 0
            assert "<!--" not in found["text"]


def test_every_link_of_an_answer_can_be_read(index: DocsIndex) -> None:
    for page in index.pages.values():
        for section in page.sections:
            part = read_part(index, section.link)
            assert part["link"] == section.link
            assert len(part["text"]) <= PART_CHARS
    assert read_part(index, "docs://queues.md")["title"] == "Queues"


def test_a_link_that_leads_nowhere_is_told_with_near_names(index: DocsIndex) -> None:
    with pytest.raises(NotFound, match="queues"):
        read_part(index, "docs://queue")
    with pytest.raises(NotFound, match="fair-turns"):
        read_part(index, "docs://queues#fair-turn")


def test_a_page_is_cut_where_its_headings_are_but_not_in_code() -> None:
    page = read_page(
        "x",
        "---\nname: x\ndescription: >-\n  What it\n  is for\n---\n# Title\nFirst.\n\n## A `b`?\n\n<!-- test: run -->\n"
        "```python\n# no heading\n<!-- kept -->\n```\n\n### Deep\nMore.\n## A `b`?\nLast.\n",
    )
    assert (page.title, page.summary) == ("Title", "What it is for")
    assert [(section.anchor, section.path) for section in page.sections] == [
        ("", ()),
        ("a-b", ("A `b`?",)),
        ("deep", ("A `b`?", "Deep")),
        ("a-b-1", ("A `b`?",)),
    ]
    assert page.sections[1].text == "```python\n# no heading\n<!-- kept -->\n```"


def test_a_text_is_cut_between_blocks() -> None:
    text = "One.\n\n| a |\n|---|\n| b |\n\n```python\nx = 1\n\ny = 2\n```\n\nLast."
    assert blocks_of(text) == ["One.", "| a |", "|---|", "| b |", "```python\nx = 1\n\ny = 2\n```", "Last."]
    assert cut_blocks(text, 1_000) == (text, False)
    assert cut_blocks(text, 40) == ("One.\n\n| a |\n|---|\n| b |", True)
    assert cut_blocks("```\n" + "x" * 100 + "\n```", 50) == ("", True)
    assert cut_blocks("many words " * 20, 30)[0] == "many words many words many…"


def test_documentation_is_found_beside_an_installed_package(tmp_path: Path) -> None:
    # Given the package as a wheel lays it out: the documentation within it, and no checkout around it
    site = tmp_path / "site-packages"
    package = Path(shipped("docs")).parent / "runtime" / "detent"
    (site / "detent" / "_shipped" / "docs").mkdir(parents=True)
    for name in ("errors.py", "shipped.py"):
        shutil.copy(package / name, site / "detent" / name)
    (site / "detent" / "__init__.py").touch()
    # When
    program = "from detent.shipped import shipped; print(shipped('docs'), flush=True); shipped('skills')"
    told = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{program}"],
        capture_output=True,
        text=True,
        check=False,
    )
    # Then
    assert told.stdout.split() == [str(site / "detent" / "_shipped" / "docs")]
    assert "ConfigError: this installation of detent has no folder 'skills'" in told.stderr
