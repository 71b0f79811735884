"""`detent dev` as a person meets it: reload, a second one, busy ports, scripts beside it, the rest at idle."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import psutil
import pytest
from tests.faults.project import PATIENCE_S, Project, wait_for

from detent import Detent
from detent.config import load_config
from detent.dev import LocalService
from detent.embedded import running_server

VERSIONED = """
from detent import task


@task(id="version")
async def version() -> int:
    return {number}
"""
BESIDE = """
from detent import task


@task(id="beside")
async def beside() -> str:
    return "still here"
"""


def _answer(project: Project, task: str, client: Detent | None = None) -> object:
    client = client or project.client()
    run = client.tasks.trigger(task)
    return wait_for(
        f"{task} ends", lambda: r if (r := client.runs.retrieve(run.id)).status == "COMPLETED" else None
    ).output


def test_a_change_serves_new_runs_with_new_code_while_old_ones_finish_on_the_old(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        code = project.root / "tasks" / "version.py"
        code.write_text(VERSIONED.format(number=1))
        dev = project.dev()
        assert _answer(project, "version") == 1
        client = project.client()
        client.tasks.trigger("gated", "door")
        [[_, _, old]] = wait_for("the old run begins", lambda: project.effects("began"))

        code.write_text(VERSIONED.format(number=2))
        dev.hear("note", lambda line: "tasks/version.py" in line["text"])
        dev.hear("worker")
        assert _answer(project, "version") == 2
        project.open_gate("door")
        report = project.finished(3)

        assert report.lost_leases == 0
        assert [words[2] for words in project.effects("ended")] == [old]
        wait_for("the old process leaves", lambda: not psutil.pid_exists(int(old)))


def test_a_file_put_in_place_of_another_twice_is_seen_twice(tmp_path: Path) -> None:
    with Project(tmp_path / "p", settings='ignore_patterns = ["*.txt"]\n') as project:
        (project.root / "detent.toml").write_text('project = "faults"\ndirs = ["version.py"]\n')
        code = project.root / "version.py"
        code.write_text(VERSIONED.format(number=1))
        dev = project.dev()
        for number in (2, 3):
            fresh = project.root / "version.py.new"
            fresh.write_text(VERSIONED.format(number=number))
            fresh.replace(code)
            dev.hear("note", lambda line: "version.py" in line["text"])
            dev.hear("worker")
            assert _answer(project, "version") == number


def test_a_folder_that_comes_later_is_watched_too(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev()
        folder = project.root / "tasks" / "later" / "deep"
        folder.mkdir(parents=True)
        (folder / "version.py").write_text(VERSIONED.format(number=1))
        dev.hear("worker", lambda line: "version" in line["tasks"])
        (folder / "version.py").write_text(VERSIONED.format(number=2))
        dev.hear("note", lambda line: "version.py" in line["text"])
        dev.hear("worker")
        assert _answer(project, "version") == 2


def test_a_syntax_error_is_shown_with_its_place_and_the_other_tasks_go_on(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        code = project.root / "tasks" / "version.py"
        code.write_text(VERSIONED.format(number=1))
        (project.root / "tasks" / "beside.py").write_text(BESIDE)
        dev = project.dev()

        code.write_text("from detent import task\n\ndef broken(:\n")
        worker = dev.hear("worker", lambda line: line["problems"])
        [problem] = worker["problems"]
        assert (Path(problem["file"]).name, problem["line"]) == ("version.py", 3)
        assert _answer(project, "beside") == "still here"

        code.write_text(VERSIONED.format(number=2))
        worker = dev.hear("worker")
        assert worker["problems"] == []
        assert _answer(project, "version") == 2


def test_code_that_ends_the_worker_at_import_is_repaired_without_a_restart_and_one_worker_stays(
    tmp_path: Path,
) -> None:
    with Project(tmp_path / "p") as project:
        code = project.root / "tasks" / "version.py"
        code.write_text("import os\nos._exit(3)\n")
        dev = project.run("dev", "--port", "0", "--json")
        wait_for("the worker ends a few times", lambda: dev.errors().count("exit code 3") >= 3)
        code.write_text(VERSIONED.format(number=1))
        dev.hear("worker")
        assert _answer(project, "version") == 1
        wait_for("one worker is left", lambda: len(dev.workers()) == 1)


def test_a_wrong_setting_is_told_once_and_the_old_worker_serves_until_it_is_mended(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        code = project.root / "tasks" / "version.py"
        code.write_text(VERSIONED.format(number=1))
        settings = project.root / "detent.toml"
        right = settings.read_text()
        dev = project.dev()
        workers = dev.workers()
        client = project.client()

        settings.write_text('proj = "x"\n')
        problem = dev.hear("problem")
        assert "detent.toml" in problem["text"]
        assert "'proj'" in problem["text"]
        code.write_text(VERSIONED.format(number=2))
        dev.hear("problem")
        assert _answer(project, "version", client) == 1
        assert dev.workers() == workers
        assert "Traceback" not in dev.errors()

        settings.write_text(right)
        dev.hear("worker")
        assert _answer(project, "version") == 2


def test_a_worker_that_meets_a_wrong_setting_says_it_in_one_line_and_is_not_started_in_a_loop(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev("--no-reload")
        [worker] = dev.workers()
        (project.root / "detent.toml").write_text('proj = "x"\n')
        worker.kill()

        wait_for("the pause is told", lambda: "tried again in 30 s" in dev.errors())
        assert dev.errors().count("problem: ") == 1
        assert "'proj'" in dev.errors()
        assert "Traceback" not in dev.errors()


def test_a_second_dev_refuses_and_names_the_first(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        first = project.run("dev", "--port", "0", "--json")
        url = first.said[0]["url"]
        second = project.run("dev", "--port", "0", ready=False)
        assert second.process.wait(PATIENCE_S) == 1
        assert str(first.pid) in second.errors()
        assert url in second.errors()


def test_a_busy_port_is_told_and_another_can_be_taken(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = project.run("dev", "--port", str(port), ready=False)
        assert refused.process.wait(PATIENCE_S) == 1
        assert f"port {port} is in use" in refused.errors()
        assert "--port 0" in refused.errors()
        project.dev()
        assert _answer_url(project) != port


def _answer_url(project: Project) -> int:
    server = running_server(project.root / ".detent")
    assert server is not None
    return int(server.url.rsplit(":", 1)[1])


def test_the_engine_socket_is_found_again_and_for_its_owner_alone(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        places = set()
        for _ in range(2):
            server = project.run("server", "--port", "0", "--json")
            told = json.loads((project.root / ".detent" / "server.json").read_text())
            place = Path(told["socket"])
            places.add(place)
            assert place.parent.stat().st_mode & 0o077 == 0
            assert place.stat().st_mode & 0o077 == 0
            server.kill_everything()
        assert len(places) == 1


def test_a_script_beside_dev_has_its_run_picked_up_at_once(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        project.dev()
        client = project.client()
        waits = []
        for n in range(20):
            at = time.monotonic()
            run = client.tasks.trigger("child", n)
            wait_for("the effect", lambda run=run: any(words[0] == run.id for words in project.effects("child")))
            waits.append((time.monotonic() - at) * 1000)
        print(f"\ntrigger to first line by a script: median {sorted(waits)[10]:.1f} ms, worst {max(waits):.1f} ms")
        assert sorted(waits)[10] < 100


def test_a_local_service_starts_workers_and_leaves_none(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        with LocalService(load_config(project.root, {})) as service:
            assert service.supervisor is not None
            assert len(service.supervisor.pids()) == 1
            assert _answer_of_child(project) == 42
        assert not project.processes()


def _answer_of_child(project: Project) -> object:
    client = project.client()
    run = client.tasks.trigger("child", 21)
    return wait_for("it ends", lambda: r if (r := client.runs.retrieve(run.id)).status == "COMPLETED" else None).output


@pytest.mark.soak
def test_an_idle_dev_costs_next_to_nothing(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev()
        assert _answer_of_child(project) == 42
        family = dev.everything()

        def cpu_s() -> float:
            return sum(sum(process.cpu_times()[:2]) for process in family)

        time.sleep(2)  # what the start left to do
        before = cpu_s()
        time.sleep(20)  # the time over which it is measured
        share = (cpu_s() - before) / 20
        pss = sum(process.memory_full_info().pss for process in family) / 1e6
        print(f"\nidle: {share:.2%} of a core, {pss:.0f} MB in {len(family)} processes")
        assert share < 0.01
        assert pss < 150
