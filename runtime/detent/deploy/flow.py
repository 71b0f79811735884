"""The steps of one deployment, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

import msgspec

from .. import __version__
from ..client import deployment_calls as calls
from ..client.calls import Call
from ..client.variables import VariablesResource
from ..config import Config
from ..errors import DetentError, Forbidden, NotFound, ServerUnreachable
from ..model.deployment_views import Deployment, DeploymentDetail
from ..model.duration import SECOND, format_duration
from ..model.manifest import Manifest, QueueSpec
from ..model.transport import Transport
from .building import Build, MakesEnvironments, build_project
from .entries import Bundle
from .events import DeployEvent, Steps
from .failing import DeploymentCanceled, DeploymentFailed
from .git import git_state
from .patience import AWAY_S, ask, patiently
from .reporter import Reporter, sendable

__all__ = ["Flow", "Options", "named_queues", "size_text"]

#: How often it is asked how far workers are, in seconds: at first, and at most.
_FIRST_S, _LONGEST_S = 0.1, 1.0
#: How long it may take to say that a deployment is given up, in seconds.
_GIVE_UP_S = 10.0
_MESSAGE_CHARS = 8_000


class Options(NamedTuple):
    """What was asked for, see `deploy`."""

    skip_promotion: bool
    message: str | None
    by: str | None


class _Unchanged(Exception):
    """The current version has these files already."""


class Flow:
    """One deployment, and what is known of it; see `deploy` for what its parts are."""

    def __init__(
        self,
        config: Config,
        transport: Transport,
        steps: Steps,
        stop: threading.Event,
        *,
        seconds: float,
        options: Options,
    ) -> None:
        self._config = config
        self._transport = transport
        self._steps = steps
        self._stop = stop
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._preparing: list[str] = []
        self._options = options
        self._before: DeploymentDetail | None = None
        self._made: Deployment | None = None
        self._reporter: Reporter | None = None
        self._early: list[str] = []

    def find_current(self) -> None:
        """Which version is current, and whether there is such an environment at all."""
        page = ask(self._transport, calls.list_deployments({"limit": 1}, None))
        if page.items:
            with suppress(NotFound):
                self._before = ask(self._transport, calls.retrieve_deployment("current"))

    def build(
        self, folder: Path, force: bool, variables: Mapping[str, str], environments: MakesEnvironments | None
    ) -> Build | None:
        """Make the bundle, and look whether it can run. None when the current version is the same."""
        if environments is None:
            from .venvs import Environments

            environments = Environments()

        def has_bundle(bundle: Bundle) -> None:
            self._steps.say(f"{_counted(len(bundle.files), 'file')}, {size_text(bundle.bytes)}, {bundle.hash[:12]}")
            if not force and self._is_current(bundle):
                raise _Unchanged
            self._create()
            self._note(step.close())
            step.open("check")

        step = self._steps
        step.open("build")
        try:
            build = build_project(
                self._config,
                folder,
                environments=environments,
                variables=self._plain_variables() | dict(variables),
                on_line=self._line,
                on_bundle=has_bundle,
            )
        except _Unchanged:
            step.close()
            return None
        manifest = build.manifest
        schedules = sum(each.schedule is not None for each in manifest.tasks)
        parts = [(len(manifest.tasks), "task"), (len(named_queues(manifest)), "queue"), (schedules, "schedule")]
        counted = [_counted(n, what) for n, what in parts if n or what == "task"]
        step.say(", ".join([*counted, f"Python {build.python}"]))
        self._note(step.close())
        return build

    def _is_current(self, bundle: Bundle) -> bool:
        """Whether the current version has these files, and was built by this detent."""
        before = self._before
        has = None if before is None or before.detent != __version__ else before.bundle
        return has is not None and has.hash == bundle.hash

    def unchanged(self, variables: Mapping[str, str]) -> Deployment:
        """Nothing is to be deployed; variables are set all the same."""
        before = self._before
        assert before is not None  # it is what the bundle was compared with
        text = f"{before.version} has this already, {before.environment} stays as it is"
        note = self._set_variables(variables)
        if note:
            text += f"; {note}, which workers see that start from now on"
        self._steps.tell(DeployEvent("unchanged", "build", text, deployment=before))
        return before

    def upload(self, build: Build, variables: Mapping[str, str]) -> None:
        """Bring the bundle to the server, unless it has it."""
        bundle, step = build.bundle, self._steps
        step.open("upload")
        known = None if self._before is None else self._before.bundle
        patiently(lambda: self._transport.put_bundle(bundle.hash, bundle.path), check=self._check)
        has_it = known is not None and known.hash == bundle.hash
        sent = "the server has it already" if has_it else size_text(bundle.bytes)
        step.say("; ".join(filter(None, [sent, self._set_variables(variables)])))
        self._note(step.close())

    def finish(self, build: Build, *, wait: bool) -> Deployment:
        """Let workers prepare it, and make it current."""
        step = self._steps
        step.open("prepare")
        bundle = build.bundle
        if self._reporter is not None:
            # What is said after its end is not kept.
            self._reporter.flush()
        self._check()
        self._made = self._asked(
            calls.finalize_deployment(
                self._id,
                msgspec.to_builtins(build.manifest),
                {"hash": bundle.hash, "bytes": bundle.bytes, "files": len(bundle.files)},
                build.lock_hash,
                build.python,
            )
        )
        if not wait and self._made.status in calls.UNDER_WAY:
            self.close()
            step.say("goes on by itself")
            step.close()
            return self._made
        made = self._prepared()
        self.close()
        if made.status != "DEPLOYED":
            self._ended_otherwise(made)
        step.close()
        step.open("promote")
        step.say(self._promoted(made))
        step.close()
        return made

    def fail(self, error: DetentError) -> NoReturn:
        """It failed in the present step: the server is told, and the caller.

        Errors: `DeploymentFailed`.
        """
        step = self._steps.current
        for line in error.message.splitlines():
            self._note(line)
        self.close()
        made = self._made
        gone = isinstance(error, ServerUnreachable)
        if not gone:
            with suppress(DetentError):
                if made is None:
                    made = self._create(quietly=True)
                made = self._asked(
                    calls.fail_deployment(made.id, error.code, sendable(error.message)[:_MESSAGE_CHARS], step),
                    away_s=_GIVE_UP_S,
                )
        if made is not None and made.status in ("CANCELED", "TIMED_OUT"):
            self._ended_otherwise(made)
        self._steps.fail(error.message)
        why = f"{step} failed: {error.message}"
        if gone and made is not None:
            why += f"\nNobody knows what became of {made.version}; look: detent deploys get {made.version}"
        elif made is not None and made.status == "DEPLOYED":
            why += f"\n{made.version} was deployed nevertheless"
        else:
            why += f"\n{self._still()}"
        failed = DeploymentFailed(
            why,
            step=step,
            deployment=made,
            current=self._current,
            problems=getattr(error, "problems", ()),
            output=getattr(error, "output", ""),
        )
        failed.code = error.code
        raise failed from error

    def give_up(self) -> None:
        """The deployment is not wanted any more: it is canceled, if it is under way."""
        if self._made is None:
            return
        with suppress(DetentError):
            self._made = self._asked(calls.cancel_deployment(self._made.id), away_s=_GIVE_UP_S)
        made = self._made
        done = made.status in calls.GIVEN_UP
        text = f"{made.version} is {made.status}" + (f"; {self._still()}" if done else "")
        # Whoever listens may be why it is given up.
        with suppress(Exception):
            self._steps.tell(DeployEvent("canceled", self._steps.current, text, deployment=made))

    def close(self) -> None:
        """Send what is left of the log."""
        reporter, self._reporter = self._reporter, None
        if reporter is not None:
            reporter.stop()

    @property
    def _id(self) -> str:
        assert self._made is not None  # it was made before anything is done with it
        return self._made.id

    @property
    def _current(self) -> str | None:
        return None if self._before is None else self._before.version

    def _asked(self, call: Call[Deployment], away_s: float = AWAY_S) -> Deployment:
        return ask(self._transport, call, away_s, None if away_s < AWAY_S else self._check)

    def _create(self, *, quietly: bool = False) -> Deployment:
        """Begin the deployment, which gives it its version. `quietly`: it is only to fail."""
        state = git_state(self._config.root)
        git = None if state is None else state.model_dump(mode="json")
        message = self._options.message
        if message is not None:
            git = (git or {"commit": None, "branch": None, "dirty": False, "author": None}) | {"message": message}
        call = calls.create_deployment(git, __version__, self._options.skip_promotion, self._options.by)
        self._made = made = self._asked(call, _GIVE_UP_S if quietly else AWAY_S)
        if not quietly:
            self._steps.tell(DeployEvent("created", self._steps.current, made.version, deployment=made))
        self._reporter = Reporter(self._transport, made.id)
        self._reporter.start()
        for line in self._early:
            self._reporter.say(line)
        if quietly:
            self.close()
        return made

    def _note(self, line: str) -> None:
        """A line for the log that the server keeps."""
        if self._reporter is None:
            self._early.append(line)
        else:
            self._reporter.say(line)

    def _line(self, line: str) -> None:
        line = line.rstrip()
        self._note(line)
        self._steps.tell(DeployEvent("line", self._steps.current, line, deployment=self._made))
        self._check()

    def _check(self) -> None:
        """Errors: `DeploymentCanceled` when this deployment is not wanted any more."""
        ended = None if self._reporter is None else self._reporter.ended
        if ended is not None:
            self._ended_otherwise(ask(self._transport, calls.retrieve_deployment(self._id)))
        if self._stop.is_set():
            self._cancel("it was canceled")
        if time.monotonic() > self._ends:
            hosts = f"; still preparing: {', '.join(self._preparing)}" if self._preparing else ""
            self._cancel(f"not done within the timeout of {format_duration(self._seconds * SECOND)}{hosts}")

    def _cancel(self, why: str) -> NoReturn:
        step = self._steps.current
        self._stop.clear()
        self._ends = float("inf")
        self.give_up()
        made = self._made
        if made is not None and made.status == "DEPLOYED":
            why = f"{made.version} was deployed before that; go back with `detent rollback --env {made.environment}`"
        else:
            why = f"{step}: {why}. {self._still()}"
        raise DeploymentCanceled(why, step=step, deployment=made, current=self._current)

    def _ended_otherwise(self, made: Deployment) -> NoReturn:
        """The server says that it is over, and it is not deployed."""
        self._made = made
        step = self._steps.current
        error = made.error
        why = f"{made.version} was canceled by somebody else" if error is None else error.message
        self._steps.fail(why)
        kind = DeploymentFailed if made.status == "FAILED" else DeploymentCanceled
        failed = kind(f"{step} failed: {why}\n{self._still()}", step=step, deployment=made, current=self._current)
        if error is not None:
            failed.code = error.code
        raise failed

    def _still(self) -> str:
        """What runs in the environment, which is as it was."""
        where = self._made.environment if self._made is not None else "the environment"
        with suppress(DetentError):
            found = ask(self._transport, calls.retrieve_deployment("current"), away_s=0)
            return f"{found.environment} still runs {found.version}"
        return f"nothing was deployed to {where} yet" if self._before is None else f"{where} still runs {self._current}"

    def _prepared(self) -> Deployment:
        """Wait until it has ended; tell how far workers are."""
        shown: object = None
        pause = _FIRST_S
        while True:
            found = ask(self._transport, calls.retrieve_deployment(self._id), check=self._check)
            if found.status not in calls.UNDER_WAY:
                self._made = found
                hosts = _counted(len(found.supervisors), "host")
                self._steps.say(f"ready on {hosts}" if found.supervisors else "no host with workers is connected")
                return found
            self._preparing = [each.host for each in found.supervisors if each.state == "preparing"]
            states = [(each.id, each.state, each.message) for each in found.supervisors]
            if states != shown:
                shown, pause = states, _FIRST_S
                self._steps.tell(
                    DeployEvent("workers", "prepare", deployment=found, supervisors=tuple(found.supervisors))
                )
            self._check()
            self._stop.wait(pause)
            pause = min(pause * 1.5, _LONGEST_S)

    def _promoted(self, made: Deployment) -> str:
        if not made.is_current:
            return made.note or f"{made.version} is deployed, and not the current version"
        before = "" if self._current is None else f", before it {self._current}"
        return f"{made.environment} runs {made.version}{before}"

    def _plain_variables(self) -> dict[str, str]:
        """Those of the environment that are no secrets: task files may read them while they are imported."""
        try:
            found = patiently(VariablesResource(self._transport).list)
        except Forbidden:
            return {}
        return {each.name: each.value for each in found if each.value is not None}

    def _set_variables(self, variables: Mapping[str, str]) -> str:
        """Set them in the environment; in words what has become of them, "" when there are none."""
        if not variables:
            return ""
        done = patiently(lambda: VariablesResource(self._transport).upload(dict(variables), override=True))
        names = ", ".join([*done.created, *done.updated])
        return f"variables set: {names}"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n:,} {what}s"


def named_queues(manifest: Manifest) -> list[QueueSpec]:
    """The queues that are declared; not those that tasks have for themselves."""
    return [queue for queue in manifest.queues if not queue.name.startswith("task/")]


def size_text(count: int) -> str:
    """A size in bytes for people."""
    for unit, least in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count} bytes"
