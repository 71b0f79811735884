"""How the process of a cell comes to its fail point, and what must hold once everything has gone on without it."""

from __future__ import annotations

import time
from collections.abc import Callable

from .cell import Place, Victim
from .workload import Workload

__all__ = ["play_cell", "verb_of"]


def verb_of(point: str) -> str:
    """The verb of a fail point."""
    return point.removeprefix("worker_").partition("_")[2]


def play_cell(place: Place, point: str, **env: str) -> float:
    """Kill a process at `point` while work is under way, start it again, and judge what came of it all.

    Parameters:
      env: variables of the workers.

    Returns how many seconds lay between the death of the process and the end of all runs.
    """
    with place.cell(env) as workload:
        side = "worker" if point.startswith("worker_") else "server"
        play = PLAYS.get(verb_of(point), play_plainly)
        play(place, workload, f"{point}:kill", side)
        died_at = time.monotonic()
        if side == "server":
            place.serve()
        with place.kept():
            if workload.wander in workload.first and workload.resume not in workload.also:
                workload.resume()
            workload.open_gate()
            place.await_rest(workload)
            took_s = time.monotonic() - died_at
            place.outputs(workload)
        place.kill_all()
        place.judge(workload)
    return took_s


def play_plainly(place: Place, workload: Workload, failpoint: str, side: str) -> None:
    """The point is on the way of the work itself."""
    server = place.serve(failpoint if side == "server" else "")
    worker = place.work(failpoint if side == "worker" else "")
    workload.begin()
    place.await_death(server if side == "server" else worker, failpoint, workload)


def play_watch(place: Place, workload: Workload, failpoint: str, side: str) -> None:
    """The server was away for a moment, and the worker asks what it has missed."""
    server = place.serve()
    worker = place.work(failpoint if side == "worker" else "")
    workload.begin()
    workload.await_work()
    server.kill()
    server = place.serve(failpoint if side == "server" else "")
    place.await_death(server if side == "server" else worker, failpoint, workload)


def play_release(place: Place, workload: Workload, failpoint: str, side: str) -> None:
    """The worker is asked to leave while it executes."""
    server = place.serve(failpoint if side == "server" else "")
    worker = place.work(failpoint if side == "worker" else "")
    workload.begin()
    victim: Victim = server if side == "server" else worker
    place.await_work(victim, workload)
    worker.tell("drain 0.1")
    place.await_death(victim, failpoint, workload)


def play_recall(place: Place, workload: Workload, failpoint: str, side: str) -> None:
    """The worker is killed, and what it executed is executed again, from the journal. Later attempts of a run read
    theirs, too: that is twice here before the worker is killed, or after it."""
    server = place.serve(f"{failpoint}@3" if side == "server" else "")
    place.work()
    workload.begin()
    place.await_work(server, workload)
    worker = place.replace_worker(failpoint if side == "worker" else "")
    place.await_death(server if side == "server" else worker, failpoint, workload)


def play_pause(place: Place, workload: Workload, failpoint: str, side: str) -> None:
    """A run goes another way when it is executed again."""
    workload.first.append(workload.wander)
    server = place.serve(failpoint if side == "server" else "")
    worker = place.work(failpoint if side == "worker" else "", DETENT_REPLAY="always")
    workload.begin()
    place.await_death(server if side == "server" else worker, failpoint, workload)


def play_resume(place: Place, workload: Workload, failpoint: str, side: str) -> None:
    """A run that went another way is resumed."""
    workload.first.append(workload.wander)
    workload.also.append(workload.resume)
    server = place.serve(failpoint)
    place.work(DETENT_REPLAY="always")
    workload.begin()
    place.await_death(server, failpoint, workload)


def play_also(
    what: Callable[[Workload], Callable[[], None]],
) -> Callable[[Place, Workload, str, str], None]:
    """The point is on the way of something that the workload does besides."""

    def play(place: Place, workload: Workload, failpoint: str, side: str) -> None:
        workload.also.append(what(workload))
        play_plainly(place, workload, failpoint, side)

    return play


def play_gone(place: Place, workload: Workload, failpoint: str, side: str) -> None:
    """A worker is killed, and its parent tells the server."""
    server = place.serve(failpoint if side == "server" else "")
    if side == "server":
        place.work()
        workload.begin()
        workload.await_work()
        place.replace_worker()
        place.await_death(server, failpoint, workload)
    else:
        parent = place.run("worker", failpoint=failpoint)
        workload.begin()
        workload.await_work()
        place.kill_workers_of(parent)
        place.await_death(parent, failpoint, workload)


PLAYS: dict[str, Callable[[Place, Workload, str, str], None]] = {
    "assign": play_also(lambda workload: workload.apart),
    "gone": play_gone,
    "schedules": play_also(lambda workload: workload.by_the_clock),
    **{
        f"schedules_{verb}": play_also(lambda workload: workload.by_the_clock)
        for verb in ("activate", "create", "deactivate", "delete", "update")
    },
    "park": play_also(lambda workload: workload.part),
    "pause": play_pause,
    "peek": play_also(lambda workload: workload.speak),
    "recall": play_recall,
    "release": play_release,
    "runs_fork": play_also(lambda workload: workload.fork),
    "runs_replay": play_also(lambda workload: workload.replay),
    "runs_resume": play_resume,
    "streams_send_input": play_also(lambda workload: workload.speak),
    "watch": play_watch,
}
