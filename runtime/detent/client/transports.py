"""Which transport a client uses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from ..errors import InvalidOptions
from ..model.transport import Transport
from .default import DefaultTransport
from .http_options import HttpOptions

if TYPE_CHECKING:
    from ..embedded import ProjectTransport
    from .http import HttpTransport

__all__ = ["choose"]


def choose(
    transport: Transport | None,
    api_url: str | None,
    secret_key: str | None,
    project: str | None,
    environment: str | None,
    **http: Unpack[HttpOptions],
) -> tuple[Transport, HttpTransport | ProjectTransport | None]:
    """The transport, and the same when it belongs to the client alone, which then closes it.

    Parameters:
      project, environment: what calls are about; as the surroundings say when None.

    Errors: `InvalidOptions` for what does not fit together; `ConfigError`.
    """
    is_elsewhere = project is not None or environment is not None
    by_http = secret_key is not None or bool(http)
    if transport is not None:
        if api_url is not None or by_http or is_elsewhere:
            raise InvalidOptions(
                "pass either a transport, or api_url with secret_key, project, environment and HTTP options, not both"
            )
        return transport, None
    if api_url is not None or by_http or is_elsewhere:
        from ..config import load_config

        config = load_config()
        project = config.project_slug if project is None else project
        environment = config.environment if environment is None else environment
        api_url = api_url or config.api_url
        if api_url is None and by_http:
            given = "secret_key" if secret_key is not None else next(iter(http))
            raise InvalidOptions(f"{given} was given without api_url; pass the server's address too")
        if api_url is not None:
            from .http import HttpTransport

            there = HttpTransport(api_url, secret_key, project=project, environment=environment, **http)
            return there, there
        from ..connection import transport_of

        own = transport_of(replace(config, project_slug=project, environment=environment))
        return own, own
    return DefaultTransport(), None
