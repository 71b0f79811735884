from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from detent.config import load_config
from detent.worker.discovery import Discovery, Problem, discover

HELLO = """
from detent import task

@task(id="{id}")
async def {name}(payload: str) -> str:
    return payload
"""


class Project:
    """A folder of task files that is discovered in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.configure('dirs = ["tasks"]')

    def configure(self, settings: str) -> None:
        (self.root / "detent.toml").write_text(settings, encoding="utf-8")

    def write(self, name: str, source: str = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source), encoding="utf-8")
        return path

    def write_task(self, name: str, id: str) -> Path:
        return self.write(name, HELLO.format(id=id, name=id.replace("-", "_")))

    def discover(self) -> Discovery:
        return discover(load_config(self.root, {}))


def _is_below(module: object, folder: Path) -> bool:
    names = getattr(module, "__dict__", {})
    return any(
        source and Path(source).is_relative_to(folder)
        for source in (names.get("__file__"), *(names.get("__path__") or ()))
    )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    path = list(sys.path)
    yield Project(tmp_path / "project")
    # Only what came from the project goes: a library that a task file imported first must not be made twice.
    ours = [name for name, module in list(sys.modules.items()) if _is_below(module, tmp_path)]
    for name in ours:
        del sys.modules[name]
    sys.path[:] = path


def ids(found: Discovery) -> list[str]:
    return [task.id for task in found.tasks]


def only(found: Discovery) -> Problem:
    assert len(found.problems) == 1, [str(problem) for problem in found.problems]
    return found.problems[0]


class TestFiles:
    def test_every_task_of_every_file_is_found_in_a_steady_order(self, project: Project) -> None:
        project.write_task("tasks/b.py", "second")
        project.write_task("tasks/a.py", "first")
        project.write_task("tasks/deep/down/c.py", "third")

        found = project.discover()

        assert ids(found) == ["first", "second", "third"]
        assert found.problems == []
        assert found.modules == ["tasks.a", "tasks.b", "tasks.deep.down.c"]

    def test_folders_that_hold_no_code_of_the_project_are_passed_over(self, project: Project) -> None:
        project.write_task("tasks/a.py", "kept")
        project.write("tasks/env/pyvenv.cfg")
        for folder in (".venv", ".hidden", "__pycache__", "node_modules", "env/lib"):
            project.write_task(f"tasks/{folder}/b.py", "passed-over")
        project.write_task("tasks/__main__.py", "a-program")

        assert ids(project.discover()) == ["kept"]

    def test_tests_are_passed_over_unless_the_settings_say_otherwise(self, project: Project) -> None:
        project.write_task("tasks/test_a.py", "in-a-test")
        assert ids(project.discover()) == []

        project.configure('dirs = ["tasks"]\nignore_patterns = []')
        assert ids(project.discover()) == ["in-a-test"]

    def test_patterns_name_files_folders_and_paths(self, project: Project) -> None:
        project.configure('dirs = ["tasks"]\nignore_patterns = ["drafts/", "*_old.py", "tasks/x/*.py"]')
        for name in ("a.py", "b_old.py", "drafts/c.py", "x/d.py"):
            project.write_task(f"tasks/{name}", Path(name).stem)

        assert ids(project.discover()) == ["a"]

    def test_a_single_file_may_be_named(self, project: Project) -> None:
        project.configure('dirs = ["jobs.py", "jobs.py"]')
        project.write_task("jobs.py", "one")

        assert ids(project.discover()) == ["one"]

    def test_a_file_reached_by_two_links_is_imported_once(self, project: Project) -> None:
        real = project.write_task("tasks/a.py", "once")
        (project.root / "tasks" / "link.py").symlink_to(real)

        found = project.discover()

        assert (ids(found), found.problems) == (["once"], [])

    def test_a_folder_that_does_not_exist_is_reported_and_the_others_still_work(self, project: Project) -> None:
        project.configure('dirs = ["taks", "tasks"]')
        project.write_task("tasks/a.py", "one")

        found = project.discover()

        assert ids(found) == ["one"]
        assert only(found).code == "missing_dir"
        assert only(found).file == str(project.root / "detent.toml")
        assert "dirs names taks, which does not exist" in only(found).message

    def test_a_project_without_a_folder_is_told_how_to_name_one(self, project: Project) -> None:
        project.configure("")

        assert only(project.discover()).code == "no_dirs"
        assert "detent init" in only(project.discover()).message


class TestNames:
    def test_a_file_in_a_package_is_named_from_above_the_outermost_package(self, project: Project) -> None:
        project.configure('dirs = ["services/api/shop/jobs"]')
        project.write("services/api/shop/__init__.py")
        project.write("services/api/shop/jobs/__init__.py")
        project.write_task("services/api/shop/jobs/a.py", "one")

        assert project.discover().modules == ["shop.jobs", "shop.jobs.a"]

    def test_a_folder_without_init_inside_a_package_belongs_to_it(self, project: Project) -> None:
        project.configure('dirs = ["services/api/shop/jobs"]')
        project.write("services/api/shop/__init__.py", "COUNT = []")
        project.write("services/api/shop/jobs/a.py", "import shop\nshop.COUNT.append(1)")

        found = project.discover()

        assert (found.modules, found.problems) == (["shop.jobs.a"], [])

    def test_src_is_a_root_of_names(self, project: Project) -> None:
        project.configure('dirs = ["src/jobs"]')
        project.write_task("src/jobs/a.py", "one")

        assert project.discover().modules == ["jobs.a"]

    def test_files_import_each_other_as_the_project_does(self, project: Project) -> None:
        project.write_task("tasks/b.py", "called")
        project.write("tasks/a.py", "from tasks.b import called\nfrom shared import NAME")
        project.write("shared.py", "NAME = 'x'")

        found = project.discover()

        assert (ids(found), found.problems) == (["called"], [])

    def test_a_module_that_was_imported_under_another_name_is_not_imported_again(self, project: Project) -> None:
        project.write("tasks/a.py", "import sys, os\nsys.path.insert(0, os.path.dirname(__file__))\nimport b")
        project.write_task("tasks/b.py", "one")

        found = project.discover()

        assert (ids(found), found.problems) == (["one"], [])
        assert found.modules == ["tasks.a", "b"]

    def test_a_file_outside_the_project_is_found_too(self, project: Project, tmp_path: Path) -> None:
        project.configure('dirs = ["../shared_jobs"]')
        project.write_task("../shared_jobs/outside.py", "one")

        found = project.discover()

        assert (ids(found), found.modules) == (["one"], ["outside"])

    def test_a_name_that_another_package_holds_is_reported_with_a_way_out(self, project: Project) -> None:
        project.configure('dirs = ["xml"]')
        project.write_task("xml/feed.py", "one")

        found = project.discover()

        assert ids(found) == []
        assert only(found).file == str(project.root / "xml" / "feed.py")
        assert "cannot be imported as xml.feed: xml is already" in only(found).message
        assert "rename xml" in only(found).message


class TestFailures:
    def test_a_file_that_raises_is_reported_and_the_others_still_work(self, project: Project) -> None:
        project.write_task("tasks/good.py", "good")
        bad = project.write("tasks/bad.py", HELLO.format(id="lost", name="lost") + "\n\n1 / 0\n")

        found = project.discover()

        assert ids(found) == ["good"]
        assert (only(found).file, only(found).code) == (str(bad), "import_failed")
        assert only(found).line == bad.read_text().splitlines().index("1 / 0") + 1
        assert only(found).message.startswith("tasks/bad.py cannot be imported: ZeroDivisionError: division by zero;")

    def test_the_line_is_the_innermost_one_of_the_project(self, project: Project) -> None:
        helper = project.write("shared.py", "import json\n\ndef load():\n    return json.loads('{')\n")
        project.write("tasks/a.py", "import shared\nDATA = shared.load()\n")

        problem = only(project.discover())

        assert (problem.file, problem.line) == (str(helper), 4)
        assert "tasks/a.py cannot be imported: json.decoder.JSONDecodeError" in problem.message

    def test_a_syntax_error_is_reported_at_its_line(self, project: Project) -> None:
        bad = project.write("tasks/bad.py", "x = 1\ndef f(:\n    pass\n")

        problem = only(project.discover())

        assert (problem.file, problem.line) == (str(bad), 2)
        assert "SyntaxError: invalid syntax" in problem.message

    def test_bytes_that_are_no_text_are_reported(self, project: Project) -> None:
        bad = project.write("tasks/bad.py")
        bad.write_bytes(b"x = '\xff'\n")

        assert only(project.discover()).file == str(bad)

    def test_a_file_that_ends_the_program_does_not_end_the_worker(self, project: Project) -> None:
        project.write("tasks/bad.py", "import sys\n\nsys.exit('no key set')\n")

        problem = only(project.discover())

        assert problem.line == 3
        assert "SystemExit: no key set" in problem.message
        assert 'if __name__ == "__main__":' in problem.message

    def test_a_missing_package_is_named(self, project: Project) -> None:
        project.write("tasks/bad.py", "\nimport surely_not_installed\n")

        problem = only(project.discover())

        assert problem.line == 2
        assert "No module named 'surely_not_installed'; install the package" in problem.message

    def test_a_file_that_another_needs_is_reported_for_both(self, project: Project) -> None:
        bad = project.write("tasks/bad.py", HELLO.format(id="lost", name="lost") + "\nraise OSError('no')\n")
        project.write("tasks/needs.py", "from tasks import bad\n")

        found = project.discover()

        assert ids(found) == []
        assert [problem.file for problem in found.problems] == [str(bad), str(bad)]
        assert [problem.message.split()[0] for problem in found.problems] == [
            "tasks/bad.py",
            "tasks/needs.py",
        ]

    def test_an_interrupt_from_the_keyboard_is_not_swallowed(self, project: Project) -> None:
        project.write("tasks/bad.py", "raise KeyboardInterrupt")

        with pytest.raises(KeyboardInterrupt):
            project.discover()

    def test_what_a_file_prints_goes_to_standard_error(
        self, project: Project, capsys: pytest.CaptureFixture[str]
    ) -> None:
        project.write("tasks/loud.py", "print('loading')")

        project.discover()

        assert capsys.readouterr() == ("", "loading\n")

    def test_a_function_that_is_no_task_is_told_once_at_its_line(self, project: Project) -> None:
        odd = project.write(
            "tasks/odd.py",
            """
            from detent import task

            @task(id="odd")
            async def odd(*, n: int) -> int:
                return n
            """,
        )
        project.write_task("tasks/right.py", "right")

        found = project.discover()

        assert ids(found) == ["right"]
        problem = only(found)
        assert (problem.file, problem.line) == (str(odd), 4)
        assert problem.message.startswith("task function 'odd' has the keyword-only parameter 'n'; ")


class TestTasks:
    def test_an_id_used_twice_is_reported_with_both_places(self, project: Project) -> None:
        first = project.write_task("tasks/a.py", "same")
        second = project.write_task("tasks/b.py", "same")

        found = project.discover()

        assert [task.file for task in found.tasks] == [str(first)]
        assert (only(found).file, only(found).code) == (str(second), "duplicate_id")
        assert "'same' is used twice" in only(found).message
        assert "tasks/a.py:" in only(found).message
        assert "tasks/b.py:" in only(found).message

    def test_a_task_declared_in_a_function_is_reported(self, project: Project) -> None:
        file = project.write(
            "tasks/a.py",
            """\
            from detent import task

            def make():
                @task(id="hidden")
                async def inner(payload: str) -> None: ...

            make()
            """,
        )

        found = project.discover()

        assert ids(found) == []
        assert (only(found).file, only(found).code) == (str(file), "not_importable")
        assert only(found).line in (4, 5)
        assert "task 'hidden' is declared inside make()" in only(found).message

    def test_a_task_from_a_factory_counts_once_it_has_a_name(self, project: Project) -> None:
        project.write(
            "tasks/factory.py",
            """\
            from detent import task

            def make(id):
                @task(id=id)
                async def inner(payload: str) -> None: ...
                return inner
            """,
        )
        project.write("tasks/named.py", "from tasks.factory import make\none = make('one')\ntwo = make('two')\n")

        found = project.discover()

        assert (ids(found), found.problems) == (["one", "two"], [])

    def test_a_factory_that_gives_one_id_twice_is_reported(self, project: Project) -> None:
        project.write(
            "tasks/a.py",
            """\
            from detent import task

            def make():
                @task(id="same")
                async def inner(payload: str) -> None: ...
                return inner

            one, two = make(), make()
            """,
        )

        found = project.discover()

        assert ids(found) == ["same"]
        assert only(found).code == "duplicate_id"

    def test_a_task_whose_name_was_given_away_is_reported(self, project: Project) -> None:
        project.write("tasks/a.py", HELLO.format(id="lost", name="lost") + "\nlost = None\n")

        problem = only(project.discover())

        assert problem.code == "not_importable"
        assert "task 'lost' is not the value of any name of its module" in problem.message

    def test_a_second_look_finds_the_same(self, project: Project) -> None:
        project.write_task("tasks/a.py", "one")

        assert project.discover().tasks == project.discover().tasks
