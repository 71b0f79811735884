"""`detent worker --env NAME`: workers of the versions that were deployed to an environment, and nothing else.

The server says which versions there are and what they have to do; this process prepares them, keeps their workers, and
lets them go when their runs are finished. While the server is away everything goes on as it was.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..config import Config
from ..deploy import cache_folder
from ..engine import failpoints
from ..errors import DetentError, Forbidden, NotFound, Unauthorized
from ..model.branches import ARCHIVED
from ..model.ids import new_id
from ..model.this_host import host_name, this_host
from ..open_servers import refuse_open_servers
from .kind import Kind
from .one_version import OneVersion
from .stop_signals import StopSignals
from .supervisor import GRACE_S
from .ways import Far, Near, Own, Way
from .workshop import Workshop

__all__ = ["Versions", "run_versions"]

logger = logging.getLogger("detent.versions")

#: How often the server is asked while it does not say, in seconds.
_ASK_S = 1.0
#: How long the last words may be waited for, in seconds.
_LAST_WORDS_S = 3.0
#: Between two looks for what nobody uses any more, in seconds.
_TIDY_S = 3_600.0


def run_versions(
    config: Config,
    kind: Kind | None = None,
    *,
    environment: str,
    url: str | None = None,
    key: str | None = None,
    project: str | None = None,
) -> int:
    """Run workers of the versions of an environment until SIGINT or SIGTERM. The exit status.

    Parameters:
      kind: of the workers; as the settings of each version say when None.
      environment: such as ``prod``.
      url, key, project: of a server anywhere; without `url` the project's own, or the database that is set.

    Errors: `ServerUnreachable` when no server answers at first; `NotFound` for an environment that is not there;
    `Unauthorized`, `Forbidden`, also once the key is revoked; `ConfigError`.
    """
    failpoints.arm()
    kind = kind or Kind()
    # What the command says is refused at once, and not as a fault of each version.
    kind.arguments(config.worker)
    way: Way
    objects: str | None = config.object_store_url
    if url is not None:
        # Not for all to see, as arguments are.
        given = {"DETENT_SECRET_KEY": key, "DETENT_PROJECT": project}
        os.environ.update({name: value for name, value in given.items() if value is not None})
        way, objects = Far(url, key, project, environment), None
    elif config.database_path is None:
        refuse_open_servers(config)
        way = Own(config, environment)
    else:
        way = Near(config, environment)
    signals = StopSignals()
    way.open()
    try:
        versions = Versions(way, kind, keep_warm=config.worker.keep_warm, objects=objects)
        versions.start()
        while not signals.first.wait(0.1) and way.refusal is None:
            pass
        # What workers of a refused supervisor finish from now on would be refused, too.
        versions.stop(GRACE_S if way.refusal is None else 0.0, signals.second)
    finally:
        way.close()
    if way.refusal is not None:
        raise way.refusal
    return 0


class Versions:
    """Keeps workers of the versions of one environment.

    Parameters:
      way: to the engine, open. `keep_warm`: see `OneVersion.follow`. `objects`: see `OneVersion`.
      cache: see `cache_folder`. `uv`: see `Workshop`.
    """

    def __init__(
        self,
        way: Way,
        kind: Kind,
        *,
        keep_warm: float = 600.0,
        objects: str | None = None,
        cache: Path | None = None,
        uv: bool = True,
    ) -> None:
        self.id = new_id("supervisor")
        self._way = way
        self._name = way.environment
        self._kind = kind
        self._keep_warm = keep_warm
        self._objects = objects
        self._workshop = Workshop(cache or cache_folder(), self.id, uv=uv)
        self._versions: dict[str, OneVersion] = {}
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go, name="detent-versions", daemon=True)
        self._said = ""
        self._tidied_at = time.monotonic()

    def start(self) -> None:
        """Ask what is wanted, and do it, until `stop`."""
        self._workshop.open()
        self._thread.start()

    def stop(self, grace_s: float, hurry: threading.Event) -> None:
        """Let all workers finish for `grace_s` seconds, then end them; at once when `hurry` is set."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(_LAST_WORDS_S)
        parting = threading.Thread(target=self._part, name="detent-parting", daemon=True)
        parting.start()
        ends = [
            threading.Thread(target=version.end, args=(grace_s, hurry), daemon=True)
            for version in list(self._versions.values())
        ]
        for thread in ends:
            thread.start()
        for thread in ends:
            thread.join()
        parting.join(_LAST_WORDS_S)
        self._workshop.close()

    def _go(self) -> None:
        while not self._stopping.is_set():
            pause = _ASK_S
            try:
                pause = self._round()
            except Exception as error:
                self._say(
                    f"the versions of {self._name} cannot be looked after, which is tried again: "
                    f"{type(error).__name__}: {error}",
                    error,
                )
            self._woken.wait(pause)
            self._woken.clear()

    def _round(self) -> float:
        """Ask once and do what is wanted; the pause until the next time, in seconds."""
        try:
            orders = self._ask()
        except DetentError as error:
            if isinstance(error, NotFound) and ARCHIVED in error.message and not self._stopping.is_set():
                # It may come back, and so do its versions then.
                self._follow([], error.message)
                return _ASK_S
            if isinstance(error, Unauthorized | Forbidden) and isinstance(self._way, Far):
                self._way.refusal = error
            self._say(f"the server is not to be asked ({error}); the workers go on as they are")
            return _ASK_S
        if not self._stopping.is_set():
            self._follow(orders["versions"])
        return float(orders["poll_ms"]) / 1000

    def _ask(self, *, leaving: bool = False) -> dict[str, Any]:
        failed = {
            version.version: version.problem for version in self._versions.values() if version.problem is not None
        }
        ready = [version.version for version in self._versions.values() if version.place is not None]
        more = {"leaving": True} if leaving else {}
        orders: dict[str, Any] = self._way.transport().call(
            "deployments.supervise",
            supervisor=self.id,
            host=host_name(this_host()),
            ready=ready,
            failed=failed,
            **more,
        )
        return orders

    def _follow(self, wanted: list[Mapping[str, Any]], why_none: str | None = None) -> None:
        name = self._name
        if not wanted:
            self._say(
                why_none
                or f"no version is deployed to {name} yet: run `detent deploy --env {name}` in the project, and it "
                f"starts here; `detent worker --env {name} --local` runs the code of this folder"
            )
        else:
            self._say("")
        known = {each["version"] for each in wanted}
        for each in wanted:
            version = self._versions.get(each["version"])
            if version is None and each["bundle"] is not None:
                version = self._versions[each["version"]] = OneVersion(
                    each["version"],
                    each["bundle"]["hash"],
                    way=self._way,
                    workshop=self._workshop,
                    kind=self._kind,
                    objects=self._objects,
                    wake=self._woken.set,
                )
            if version is not None:
                version.follow(each, self._keep_warm)
        for gone in [version for number, version in self._versions.items() if number not in known]:
            gone.stop("none of its runs is unfinished")
            if gone.is_gone:
                self._workshop.leave(gone.version)
                del self._versions[gone.version]
        self._tidy()

    def _tidy(self) -> None:
        if time.monotonic() - self._tidied_at > _TIDY_S:
            self._tidied_at = time.monotonic()
            self._workshop.tidy([version.place for version in self._versions.values() if version.place is not None])

    def _part(self) -> None:
        """Nobody needs to wait for this supervisor any more."""
        with suppress(DetentError):
            self._ask(leaving=True)

    def _say(self, text: str, error: Exception | None = None) -> None:
        """Once, until there is something else to say."""
        if text and text != self._said:
            logger.warning("%s", text, exc_info=error)
        self._said = text
