"""What `detent dev` shows: the address, the tasks and their problems, and runs as they happen."""

from __future__ import annotations

import json
import sys
import threading
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

from ..config import Config
from ..engine import Engine
from ..errors import StoreError
from ..model.duration import format_duration
from ..model.status import FINAL

__all__ = ["View"]

#: Runs shown one by one in a moment; more are summed up.
_MOST_LINES = 30
#: How long changes gather before they are shown, in seconds.
_GATHER_S = 0.1

_COLOURS = {"COMPLETED": "green", "CANCELED": "yellow", "EXPIRED": "yellow"}
_MARKS = {"COMPLETED": "✓", "CANCELED": "–", "EXPIRED": "–"}  # noqa: RUF001  # a dash is meant


class View:
    """Writes to standard output: for a person, or with `json` one document a line for programs."""

    def __init__(self, engine: Engine, config: Config, url: str, *, json: bool) -> None:
        self._engine = engine
        self._config = config
        self._url = url
        self._json = json
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._changed = threading.Event()
        self._writing = threading.Lock()
        self._stopped = False
        self._mute = False
        self._workers: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="detent-view", daemon=True)
        self._last_event = engine.store.read("last_event")[0]["seq"] or 0

    def start(self) -> None:
        project = self._config.project or self._config.root.name
        if self._json:
            self._print_json({"event": "ready", "url": self._url, "project": project})
        else:
            self._print(f"[bold]detent[/] {escape(project)}  [dim]{self._url}  Ctrl-C stops[/]")
        self._engine.listeners.append(self._changed.set)
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._changed.set()
        self._thread.join(timeout=2)

    def say(self, text: str) -> None:
        """One line for the person."""
        if self._json:
            self._print_json({"event": "note", "text": text})
        else:
            self._print(f"[dim]{escape(text)}[/]")

    def tell_problem(self, text: str) -> None:
        """One line about something to mend."""
        if self._json:
            self._print_json({"event": "problem", "text": text})
        else:
            self._print(f"[red]problem[/] {escape(text)}")

    def _run(self) -> None:
        pause = threading.Event()
        while not self._stopped:
            self._changed.wait()
            self._changed.clear()
            self._show()
            pause.wait(_GATHER_S)
        self._show()

    def _show(self) -> None:
        try:
            self._show_workers()
            self._show_runs()
        except StoreError as error:
            self.say(str(error))

    def _show_workers(self) -> None:
        fresh = [s for s in self._engine.sessions.of_env(self._engine.env) if s.worker_id not in self._workers]
        for session in fresh:
            self._workers.add(session.worker_id)
            names = sorted(session.sync_tasks | session.async_tasks)
            rows = self._engine.store.read("find_worker", id=session.worker_id)
            problems: list[dict[str, Any]] = msgspec.json.decode(rows[0]["problems"]) if rows else []
            if self._json:
                self._print_json({"event": "worker", "id": session.worker_id, "tasks": names, "problems": problems})
                continue
            listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            self._print(f"worker ready with {len(names)} task{'s' * (len(names) != 1)}: {escape(listed) or 'none'}")
            for problem in problems:
                place = f"{problem['file']}:{problem['line']}"
                self._print(f"[red]problem[/] {escape(place)}  {escape(problem['message'])}")

    def _show_runs(self) -> None:
        rows = self._engine.store.read("events_after", seq=self._last_event)
        if not rows:
            return
        self._last_event = rows[-1]["seq"]
        told = [row for row in rows if row["kind"] in ("finish", "retry", "lose_lease")]
        if self._json:
            for row in told:
                self._print_json(_as_json(row))
            return
        for row in told[:_MOST_LINES]:
            self._print(_line(row))
        if len(told) > _MOST_LINES:
            rest = told[_MOST_LINES:]
            failed = sum(row["state"] in FINAL and row["state"] != "COMPLETED" for row in rest)
            self._print(f"[dim]… and {len(rest)} more ({failed} not completed)[/]")

    def _print_json(self, document: dict[str, Any]) -> None:
        self._write(json.dumps(document) + "\n")

    def _print(self, markup: str) -> None:
        with self._console.capture() as shown:
            self._console.print(markup)
        self._write(shown.get())

    def _write(self, text: str) -> None:
        """Whole lines, from any thread. Whoever read them may have gone: the runs go on."""
        with self._writing:
            if self._mute:
                return
            try:
                sys.stdout.write(text)
                sys.stdout.flush()
            except (BrokenPipeError, ValueError):
                self._mute = True


def _line(row: Any) -> str:
    clock = datetime.fromtimestamp(row["at"] / 1000).astimezone().strftime("%H:%M:%S")
    head = f"[dim]{clock}[/]"
    name = f"{escape(row['task'])} [dim]{row['run_id']}[/]"
    if row["kind"] == "retry":
        return f"{head} [yellow]↻[/] {name}  attempt {row['attempt'] - 1} failed: {escape(_error(row['error']))}"
    if row["kind"] == "lose_lease":
        return f"{head} [yellow]![/] {name}  its worker was lost; it goes on elsewhere"
    state = row["state"]
    colour = _COLOURS.get(state, "red")
    took = "" if row["started_at"] is None else format_duration(max(0, row["at"] - row["started_at"]))
    error = f"  {escape(_error(row['error']))}" if row["error"] else ""
    shown = "" if state == "COMPLETED" else f" [{colour}]{state}[/]"
    return f"{head} [{colour}]{_MARKS.get(state, '✗')}[/] {name}{shown}  {took}{error}"


def _error(text: str | None) -> str:
    if not text:
        return ""
    error = msgspec.json.decode(text)
    message = error.get("message", "").splitlines()
    return f"{error.get('type', '')}: {message[0] if message else ''}"[:200]


def _as_json(row: Any) -> dict[str, Any]:
    return {
        "event": row["kind"],
        "run": row["run_id"],
        "task": row["task"],
        "status": row["state"],
        "attempt": row["attempt"],
        "at": row["at"],
        "error": _error(row["error"]) or None,
    }
