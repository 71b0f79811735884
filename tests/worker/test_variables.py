"""Variables reach the processes of workers, and the secrets among them reach nothing that is kept or shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from detent import Detent
from detent.config import load_config
from detent.dev import LocalService
from detent.engine import Engine
from detent.model.http_api import ROUTES
from detent.model.protocol import Variables
from detent.model.redaction import Redactor
from detent.sdk.current import current_run
from detent.server.engine_socket import EngineSocket
from detent.store import SqliteStore
from detent.worker import secrets
from detent.worker.secrets import learn, redactor
from detent.worker.variables import own_environment, take_variables

CANARY = "canary-7c1f0a93e5"
HIDDEN = "hidden-in-payload-41"
TASKS = """
import logging
import os

from detent import AbortTaskRunError, Context, logger, metadata, retry, step, task

AT_IMPORT = os.environ.get("SERVICE_KEY")


@task(id="variables-seen")
async def seen(payload: list[str]) -> list[int]:
    return [len(os.environ.get(name, "")) for name in payload] + [len(AT_IMPORT or "")]


@task(id="variables-apart", isolation="process")
def apart(payload: list[str]) -> list[int]:
    return [len(os.environ.get(name, "")) for name in payload] + [len(AT_IMPORT or "")]


@task(id="variables-leak")
async def leak(payload: dict, ctx: Context) -> str:
    key = os.environ["SERVICE_KEY"]
    assert payload["password"] == "PAYLOAD_SECRET" and payload["text"] == key
    logger.info(f"using {key}", key=key, headers={"Authorization": "Bearer " + payload["password"]})
    print("printed", key)
    logging.getLogger("theirs").warning("logged %s", key)
    with logger.trace(f"span {key}", url=f"https://x/?k={key}", cookie="a=b"):
        pass
    metadata.set("note", key)
    try:
        await retry.fetch("http://127.0.0.1:1/", headers={"X-Api-Key": key}, retry=False)
    except Exception as error:
        logger.error(f"no answer: {error!r}")
    def bad():
        raise ValueError("in a step " + key)
    try:
        await step("use the key", bad)
    except Exception as error:
        logger.error(f"the step: {error}")
    logger.info("with " + payload["password"])
    raise AbortTaskRunError(f"cannot use {key} nor {payload['password']}")
""".replace("PAYLOAD_SECRET", HIDDEN)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "p"
    (root / "tasks").mkdir(parents=True)
    (root / "detent.toml").write_text('dirs = ["tasks"]\n')
    (root / "tasks" / "variables.py").write_text(TASKS)
    (root / ".env").write_text("FROM_FILE=abc\nIN_BOTH=abcde\n")
    monkeypatch.setenv("IN_BOTH", "abcdefg")
    monkeypatch.delenv("DETENT_SECRET_VARIABLES", raising=False)
    return root


def ended(client: Detent, task: str, payload: object) -> str:
    return client.runs.poll(client.tasks.trigger(task, payload).id, timeout=30).id


def test_tasks_see_the_variables_at_import_and_in_processes_of_their_own(project: Path) -> None:
    """Given variables of the environment, of .env and of the process, when tasks run, in the worker and in a process
    of their own, then they see them all, and in dev the developer's own win."""
    config = load_config(project, {})
    with _client(project) as client:
        client.envvars.upload({"SERVICE_KEY": CANARY, "FROM_FILE": "stored-one", "IN_BOTH": "stored-two"})
    with LocalService(config) as service:
        client = Detent(service.transport)
        for task in ("variables-seen", "variables-apart"):
            run = client.runs.retrieve(
                ended(client, task, ["SERVICE_KEY", "FROM_FILE", "IN_BOTH", "DETENT_ENCRYPTION_KEY"])
            )
            assert run.output == [len(CANARY), 3, 7, 0, len(CANARY)], run.error


def test_a_canary_in_variable_payload_error_header_log_and_span_is_found_nowhere(project: Path, capfd) -> None:
    config = load_config(project, {})
    with _client(project) as client:
        client.envvars.create("SERVICE_KEY", CANARY)
    with LocalService(config) as service:
        assert service.host is not None
        client = Detent(service.transport)
        run = ended(client, "variables-leak", {"password": HIDDEN, "text": CANARY})
        assert client.runs.retrieve(run).status == "FAILED"
        shown = [_answers(service.host.url, service.host.key, run), _commands(project, run)]
    for text in (*shown, "".join(capfd.readouterr())):
        assert text
        assert CANARY not in text
        assert HIDDEN not in text
    files = [path for path in (project / ".detent").rglob("*") if path.is_file()]
    assert {"detent.db", "telemetry.db"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        if path.name.startswith("detent.db"):
            # The payload that the task is given, and the metadata that it reads again, are kept as they are.
            content = content.replace(
                json.dumps({"password": HIDDEN, "text": CANARY}, separators=(",", ":")).encode(), b""
            )
            content = content.replace(json.dumps({"note": CANARY}, separators=(",", ":")).encode(), b"")
        assert CANARY.encode() not in content, path
        assert HIDDEN.encode() not in content, path


@pytest.mark.parametrize(("yields", "expected"), [(True, "of the process"), (False, "kept")])
def test_the_variables_of_the_process_win_in_dev_and_lose_elsewhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, yields: bool, expected: str
) -> None:
    monkeypatch.setattr(os, "environ", os.environ | {"BOTH": "of the process", "DETENT_ENCRYPTION_KEY": "k"})
    asked: list[str] = []

    def variables_of(env: str) -> Variables:
        asked.append(env)
        return Variables({"BOTH": "kept", "FROM_FILE": "kept"}, ["BOTH"], yields)

    store = SqliteStore(project / "detent.db", "OFF")
    engines = EngineSocket(Engine(store), project / "s", lambda _hello: None, lambda *_: None, variables_of)
    engines.start()
    try:
        assert take_variables(project, str(project / "s"), "env_1") == ["BOTH"]
        # Whoever is started from here on has them already.
        assert take_variables(project, str(project / "s"), "env_1") == ["BOTH"]
    finally:
        engines.stop()
        store.close()
    assert asked == ["env_1"]
    assert os.environ["BOTH"] == expected
    assert os.environ["FROM_FILE"] == ("abc" if yields else "kept")
    assert {"DETENT_SECRET_VARIABLES", "DETENT_ENCRYPTION_KEY"}.isdisjoint(own_environment())


def test_what_the_surroundings_name_a_secret_is_one_and_the_current_folder_is_none(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets._Known, "own", Redactor())
    monkeypatch.setenv("PWD", str(project))
    monkeypatch.setenv("THEIR_API_KEY", "value-of-their-key")
    monkeypatch.setenv("NAMED_SECRET_HERE", "value-of-the-named")
    learn(["NAMED_SECRET_HERE"], load_config(project, {"DETENT_DATABASE_URL": "postgresql://u:pass-word-1@h/d"}))
    text = f"{project} value-of-their-key value-of-the-named pass-word-1"
    assert redactor().text(text) == f"{project} [redacted] [redacted] [redacted]"


def test_the_secrets_of_a_payload_are_known_for_its_run_until_the_last_of_its_frames_is_gone() -> None:
    class Run:
        run_id = "run_1"

    def shown(run: object) -> str:
        token = current_run.set(run)  # type: ignore[arg-type]  # only its id is asked for
        try:
            return redactor().text("correct-horse")
        finally:
            current_run.reset(token)

    other = Run()
    other.run_id = "run_2"
    secrets.conceal("run_1", '{"password": "correct-horse"}')
    secrets.conceal("run_1/hooks", '{"password": "correct-horse"}')
    secrets.conceal("run_2", '{"password": 5, "title": "correct-horse"}')
    assert (shown(Run()), shown(other), shown(None)) == ("[redacted]", "correct-horse", "[redacted]")
    secrets.reveal("run_1")
    assert shown(Run()) == "[redacted]"
    secrets.reveal("run_1/hooks")
    assert (shown(Run()), shown(None)) == ("correct-horse", "correct-horse")


def _client(project: Path) -> Detent:
    from detent.embedded import ProjectTransport

    return Detent(ProjectTransport(load_config(project, {})))


def _answers(url: str, key: str, run: str) -> str:
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, trust_env=False) as http:
        paths = [route.path for route in ROUTES.values() if route.method == "GET" and route.answer != "events"]
        found = [http.get(path.replace("{id}", run).replace("{name}", "SERVICE_KEY")) for path in paths]
    assert sum(answer.status_code == 200 for answer in found) >= 12
    return "".join(answer.text for answer in found)


def _commands(project: Path, run: str) -> str:
    said = ""
    for command in (["runs", "get", run, "--json"], ["runs", "logs", run]):
        done = subprocess.run(
            [sys.executable, "-m", "detent_cli", *command], cwd=project, capture_output=True, text=True, check=True
        )
        said += done.stdout + done.stderr
    return said
