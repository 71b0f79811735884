"""How a deployment looks on standard error while it goes on: a line that moves on a terminal, else plain lines."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

from detent_cli.console import clean, notes, print_json, tell_error
from detent_cli.styles import one_line

if TYPE_CHECKING:
    from rich.status import Status

    from detent.deploy import DeployEvent, DeploymentFailed
    from detent.model.deployment_views import Deployment, DeploymentSupervisor

__all__ = ["Progress", "git_text"]

_DOING = {
    "build": "making the bundle",
    "check": "importing the tasks from it",
    "upload": "uploading",
    "prepare": "workers prepare it",
    "promote": "promoting",
}
_WIDTH = max(map(len, _DOING))


class Progress:
    """Shows one deployment.

    Parameters:
      where: the name of the environment. `full`: every line of the log.
      as_json: standard output gets one JSON object at the end.
    """

    def __init__(self, where: str, *, full: bool, as_json: bool) -> None:
        self._where = where
        self._full = full
        self._as_json = as_json
        self._console = notes()
        self._status: Status | None = None
        self._steps: list[dict[str, Any]] = []
        self._unchanged = False
        self._created = False

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            from rich.status import Status

            self._status = Status("", console=self._console)
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
        if kind is KeyboardInterrupt and not self._created:
            self._say("\nCanceled before anything was sent.")

    def hear(self, event: DeployEvent) -> None:
        """Show what has happened."""
        if event.kind == "begun":
            self._move(f"{event.step}: {_DOING[event.step]}")
        elif event.kind == "line":
            if self._full:
                self._say(f"  {clean(event.text)}", "dim")
            else:
                self._move(f"{event.step}: {one_line(event.text, 100)}")
        elif event.kind == "created" and event.deployment is not None:
            made = event.deployment
            self._created = True
            git = git_text(made)
            self._say(f"{made.environment} {made.version}" + (f", {git}" if git else ""), "bold")
        elif event.kind == "done":
            self._steps.append({"step": event.step, "seconds": round(event.seconds or 0.0, 3), "text": event.text})
            told = f"  {event.text}" if event.text else ""
            self._say(f"{event.step:<{_WIDTH}}{told}  ({event.seconds or 0.0:.1f} s)")
        elif event.kind == "workers":
            self._show_workers(event.supervisors)
        elif event.kind == "unchanged":
            self._unchanged = True
            self._say(event.text)
        elif event.kind == "canceled":
            self._say(f"\n{event.text}")

    def finished(self, done: Deployment) -> None:
        """Say how it ended."""
        if self._as_json:
            values = done.model_dump(mode="json")
            values.pop("manifest", None)
            print_json(values | {"unchanged": self._unchanged, "steps": self._steps})
            return
        if self._unchanged:
            typer.echo(f"{done.environment} runs {done.version}, which has this already; deploy it anew with --force")
        elif done.is_current:
            typer.echo(f"{done.environment} runs {done.version}")
            if done.note:
                typer.echo(f"Note: {clean(done.note)}", err=True)
            if not done.workers and not getattr(done, "supervisors", ()):
                typer.echo(f"Start workers where they are to run: detent worker --env {done.environment}", err=True)
        elif done.status == "DEPLOYED":
            typer.echo(f"{done.version} is deployed, and not current")
            if done.note and not done.skip_promotion:
                typer.echo(f"Note: {clean(done.note)}", err=True)
            typer.echo(f"Make it current: detent promote {done.version} --env {done.environment}", err=True)
        else:
            typer.echo(f"{done.version} is {done.status}")
            typer.echo(f"Follow it: detent deploys log {done.version} --env {done.environment} --follow", err=True)

    def failed(self, error: DeploymentFailed) -> None:
        """Say why it failed."""
        self.__exit__(None, None, None)
        if self._as_json:
            told: dict[str, Any] = {"error": {"code": error.code, "message": error.message, "step": error.step}}
            if error.deployment is not None:
                told["deployment"] = error.deployment.model_dump(mode="json", exclude={"manifest"})
            print_json(told | {"current": error.current})
            return
        if error.deployment is not None:
            log = f"its log: detent deploys log {error.deployment.version} --env {error.deployment.environment}"
            tell_error(error.message, *([] if self._full else [log]))
        else:
            tell_error(error.message)

    def _show_workers(self, supervisors: tuple[DeploymentSupervisor, ...]) -> None:
        for each in supervisors:
            text = f"  {one_line(each.host)}: {each.state}" + (f": {clean(each.message)}" if each.message else "")
            self._say(text, "red" if each.state == "failed" else "dim")

    def _move(self, text: str) -> None:
        """The line that moves; nothing without a terminal."""
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(text))

    def _say(self, text: str, style: str = "") -> None:
        """A line that stays."""
        if self._console.is_terminal:
            from rich.text import Text

            self._console.print(Text(text, style=style))
        else:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


def git_text(made: Deployment) -> str:
    """The commit in words; "" where there is none."""
    git = made.git
    if git is None:
        return ""
    parts = []
    if git.commit is not None:
        parts.append(f"commit {git.commit[:8]}")
    if git.branch is not None:
        parts.append(f"branch {one_line(git.branch, 80)}")
    if git.dirty:
        parts.append("with changes that are not committed")
    if git.message is not None:
        parts.append(f'"{one_line(git.message, 80)}"')
    return ", ".join(parts)
