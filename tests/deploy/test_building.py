from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.deploy.project import config, task, write

from detent.deploy import Build, build_project, check_project, lock_of, read_project
from detent.errors import DeployError, DetentError


class ThisPython:
    """In place of what makes virtual environments; remembers what lay in the folder that it was made for."""

    def __init__(self, failure: str = "") -> None:
        self.files: list[str] = []
        self._failure = failure

    def ensure(self, project: Path, *, on_line: Callable[[str], None], external: Sequence[str]) -> Path:
        self.files = sorted(path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file())
        on_line(f"environment made without {list(external)}")
        if self._failure:
            raise DeployError(self._failure)
        return Path(sys.executable)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "project", {"detent.toml": 'dirs = ["tasks"]\n', "tasks/a.py": task("built-a")})


def build(root: Path, environments: ThisPython | None = None, lines: list[str] | None = None) -> Build:
    heard = [] if lines is None else lines
    made = environments or ThisPython()
    return build_project(config(root), root.parent / "out", environments=made, on_line=heard.append)


def refusal(root: Path, environments: ThisPython | None = None) -> str:
    with pytest.raises(DeployError) as caught:
        build(root, environments)
    return str(caught.value)


def test_the_manifest_tells_everything_that_a_server_has_to_know(root: Path) -> None:
    write(
        root,
        {
            "detent.toml": 'dirs = ["tasks"]\n[queues.built-llm]\nconcurrency_limit = 7\n',
            "tasks/deep/b.py": """from pydantic import BaseModel
from detent import Retry, queue, schedules, task

llm = queue("built-llm", 3)

class Document(BaseModel):
    text: str

@task(id="built-b", queue=llm, retry=Retry(max_attempts=9), machine="small-1x", max_duration=60)
async def summarize(payload: Document) -> list[int]: ...

@schedules.task("built-c", cron="0 3 * * MON", timezone="Europe/Berlin", environments="prod")
def nightly() -> None: ...
""",
        },
    )
    lines: list[str] = []

    made = build(root, lines=lines)

    tasks = {one.id: one for one in made.manifest.tasks}
    assert sorted(tasks) == ["built-a", "built-b", "built-c"]
    b = tasks["built-b"]
    assert (b.file, b.line, b.queue, b.machine, b.max_attempts) == ("tasks/deep/b.py", 9, "built-llm", "small-1x", 9)
    assert b.payload_schema is not None
    assert b.payload_schema["required"] == ["text"]
    assert b.output_schema == {"items": {"type": "integer"}, "type": "array"}
    schedule = tasks["built-c"].schedule
    assert schedule is not None
    assert (schedule.cron, schedule.timezone, schedule.environments) == ("0 3 * * MON", "Europe/Berlin", ["prod"])
    assert {queue.name: queue.limit for queue in made.manifest.queues}["built-llm"] == 7
    assert made.python == sys.version.split()[0]
    assert made.git is None
    assert made.lock_hash == lock_of(root).hash
    assert lines[0].startswith(f"bundle {made.bundle.hash[:12]}: 3 files")


def test_only_what_is_in_the_bundle_is_there_when_tasks_are_imported(root: Path) -> None:
    write(root, {"tasks/b.py": "import ours.names\n", "ours/names.py": "", ".gitignore": "ours/\n"})
    environments = ThisPython()

    message = refusal(root, environments)

    assert environments.files == [".gitignore", "detent.toml", "tasks/a.py", "tasks/b.py"]
    assert "tasks/b.py:1: tasks/b.py cannot be imported: ModuleNotFoundError: No module named 'ours'" in message
    assert "ours is not in the bundle, since .gitignore, .detentignore or exclude leave it out" in message
    assert 'include = ["ours/"] in [deploy] of detent.toml' in message


def test_everything_that_would_fail_later_is_named_at_once(root: Path) -> None:
    write(
        root,
        {
            "pyproject.toml": '[project]\nname = "p"\nrequires-python = ">=3.99"\ndependencies = ["six>=1"]\n',
            "uv.lock": 'version = 1\n[[package]]\nname = "p"\nsource = { virtual = "." }\n',
            "tasks/b.py": task("built-a", "again"),
            "tasks/c.py": "from lib import f\nf()\n",
            "lib.py": "def f():\n    return 1 / 0\n",
            "tasks/d.py": 'from detent import schedules\n@schedules.task("built-d", cron="61 * * * *")\ndef d(): ...\n',
            "tasks/e.py": 'import os\nKEY = os.environ["DETENT_TEST_IS_NOT_SET"]\n',
            "tasks/f.py": "import package_that_nobody_has\n",
            "tasks/g.py": "def f(:\n",
            "tasks/h.py": 'from detent import queue\none = queue("built-q", 1)\ntwo = queue("built-q", 2)\n',
            "tasks/i.py": 'from detent import queue\none = queue("built-i", 2, concurrency_limit_per_key=5)\n',
        },
    )
    message = refusal(root)

    for expected in [
        "the project cannot be deployed, 10 problems:",
        "pyproject.toml:3: requires-python is '>=3.99', and Python",
        "pyproject.toml:4: 'six>=1' is not what uv.lock was made from; run: uv lock",
        "tasks/b.py:4: task id 'built-a' is used twice: by work in tasks/a.py:4 and by again in tasks/b.py:4; give one",
        "lib.py:2: tasks/c.py cannot be imported: ZeroDivisionError: division by zero; mend this line\n"
        "    tasks/c.py:2 in <module>: f()\n    lib.py:2 in f: return 1 / 0\n",
        "tasks/d.py:2: tasks/d.py cannot be imported: detent.errors.InvalidOptions: cron of built-d: '61 *",
        "tasks/e.py:2: tasks/e.py cannot be imported: KeyError: 'DETENT_TEST_IS_NOT_SET'; set",
        "tasks/f.py:1: tasks/f.py cannot be imported: ModuleNotFoundError: No module named 'package_that_nobody_has'",
        "tasks/g.py:1: tasks/g.py cannot be imported: SyntaxError",
        "tasks/h.py:3: queue 'built-q' is declared with concurrency_limit 2, and at tasks/h.py:2 with",
        "tasks/i.py:2: queue 'built-i' allows 5 runs for each concurrency key, and 2 in all",
    ]:
        assert expected in message
    assert "importlib" not in message


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"tasks/a.py": ""}, "no file in tasks declares a task; declare one with @task"),
        ({"detent.toml": 'dirs = ["taks"]\n'}, "detent.toml:1: dirs names taks, which does not exist"),
        (
            {".gitignore": "/tasks\n"},
            "tasks is not in the bundle, since .gitignore, .detentignore or exclude leave it out",
        ),
    ],
)
def test_a_project_without_tasks_is_refused(root: Path, files: dict[str, str], expected: str) -> None:
    assert expected in refusal(write(root, files))


def test_what_the_resolver_says_is_passed_on(root: Path) -> None:
    assert refusal(root, ThisPython("no version of six fits")) == "no version of six fits"


def test_a_lock_file_that_does_not_fit_goes_before_what_the_resolver_says(root: Path) -> None:
    write(root, {"requirements.txt": "six=1\n"})

    assert "requirements.txt:1: 'six=1' is no requirement" in refusal(root, ThisPython("cannot be parsed"))


def test_external_packages_need_not_be_here(root: Path) -> None:
    write(
        root,
        {
            "detent.toml": 'dirs = ["tasks"]\n[deploy]\nexternal = ["torch-that-is-not-here", "scikit-learn-x"]\n',
            "tasks/b.py": """import torch_that_is_not_here.nn as nn
from torch_that_is_not_here import cuda, no_grad
from detent import task

class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()

device = cuda.device("cuda:0") if cuda.is_available() else None

@task(id="built-torch")
@no_grad()
def infer(payload: str) -> str:
    return payload
""",
        },
    )
    assert [one.id for one in build(root).manifest.tasks] == ["built-a", "built-torch"]

    # The machine of a worker has to have them.
    (fault,) = read_project(root, Path(sys.executable)).faults
    assert "No module named 'torch_that_is_not_here'" in fault.message


def test_variables_of_here_that_would_change_what_is_found_are_not_seen(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        root,
        {
            "tasks/b.py": "import os, sys\n"
            'assert "DETENT_DATABASE_URL" not in os.environ and "PYTHONPATH" not in os.environ\n'
            'assert os.environ["OF_THE_ENVIRONMENT"] == "1" and len(sys.argv) == 1\n'
            "assert os.getcwd() == os.path.dirname(os.path.dirname(os.path.realpath(__file__)))\n"
        },
    )
    monkeypatch.setenv("DETENT_DATABASE_URL", "nonsense")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")

    found = read_project(root, Path(sys.executable), variables={"OF_THE_ENVIRONMENT": "1"})

    assert check_project(found, config(root)) == []


def test_what_files_print_and_leave_behind_disturbs_nothing(root: Path) -> None:
    write(
        root,
        {
            "tasks/b.py": "import os, subprocess, sys, threading, time\n"
            'print("printed"); os.write(1, b"raw\\n"); sys.stderr.write("error\\n")\n'
            'threading.Thread(target=time.sleep, args=(600,)).start(); subprocess.Popen(["sleep", "600"])\n'
        },
    )
    lines: list[str] = []

    found = read_project(root, Path(sys.executable), on_line=lines.append)

    assert lines == ["printed", "raw", "error"]
    assert [one.id for one in found.manifest.tasks] == ["built-a"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time\n\ntime.sleep(600)\n", "tasks/b.py:3: the imports take longer than 2 s"),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
            "tasks/b.py:2: the process that imports the tasks was",
        ),
        ("import os\nprint('last words', flush=True)\nos._exit(3)\n", "ended by itself with status 3"),
    ],
)
def test_files_that_take_the_process_with_them_are_named(root: Path, source: str, expected: str) -> None:
    write(root, {"tasks/b.py": source})
    seconds = 2.0 if "sleep" in source else 60.0

    with pytest.raises(DetentError) as caught:
        read_project(root, Path(sys.executable), seconds=seconds)

    assert expected in str(caught.value)
    assert "importlib" not in str(caught.value)


def test_settings_that_cannot_be_used_are_said_as_everywhere(root: Path) -> None:
    write(root, {"detent.toml": "drs = []\n"})

    with pytest.raises(DetentError) as caught:
        read_project(root, Path(sys.executable))
    assert "detent.toml: no setting named 'drs'; did you mean 'dirs'" in str(caught.value)


def test_an_interpreter_that_is_not_there_is_named(root: Path) -> None:
    with pytest.raises(DeployError, match="cannot be started: No such file"):
        read_project(root, root / "python")
