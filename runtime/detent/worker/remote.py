"""`detent worker --api-url`: workers of this machine, for a server anywhere."""

from __future__ import annotations

import os
from contextlib import closing
from functools import partial

from ..client.http import HttpTransport
from ..config import Config
from ..engine import failpoints
from ..errors import DetentError
from .kind import Kind
from .link_http import LinkHttp
from .local_code import warn_of_versions
from .relay import Relay
from .run import tell_end
from .stop_signals import StopSignals
from .supervisor import GRACE_S, Supervisor

__all__ = ["run_remote_workers"]


def run_remote_workers(
    config: Config,
    url: str,
    key: str | None,
    *,
    kind: Kind | None = None,
    project: str | None = None,
    environment: str | None = None,
) -> int:
    """Run workers until SIGINT or SIGTERM, then let them finish what they execute. The exit status.

    Parameters:
      url: of the server. `key`: one with the scope ``workers:write``; ``DETENT_SECRET_KEY`` when None.
      kind: of the workers; as the settings say when None.
      project, environment: whose runs they execute, where the key is for several.

    Errors: `ServerUnreachable`; `Unauthorized`, `Forbidden`, also once the key is revoked; `InvalidOptions` for another
    version of detent there, and for a clock that is wrong; `ConfigError`.
    """
    failpoints.arm()
    kind = kind or Kind()
    arguments = kind.arguments(config.worker)
    signals = StopSignals()
    refusals: list[DetentError] = []

    def on_refused(error: DetentError) -> None:
        refusals.append(error)
        signals.first.set()

    # Not for all to see, as arguments are.
    given = {"DETENT_SECRET_KEY": key, "DETENT_PROJECT": project}
    os.environ.update({name: value for name, value in given.items() if value is not None})
    relay = Relay(LinkHttp(url, key, project=project, environment=environment), on_refused)
    try:
        made = relay.start()
        with closing(HttpTransport(url, key, project=project, environment=environment)) as transport:
            warn_of_versions(transport)
        supervisor = Supervisor(
            config.root,
            relay.socket_path,
            kind.count(config.worker),
            partial(tell_end, relay.socket_path),
            [*arguments, "--env", made.env, "--environment", made.environment, "--api-url", url],
        )
        supervisor.start()
        signals.first.wait()
        # What workers of a refused supervisor finish from now on would be refused, too.
        supervisor.stop(0 if refusals else GRACE_S, hurry=signals.second)
    finally:
        relay.stop()
    if refusals:
        raise refusals[0]
    return 0
