"""The API: whether it answers, which version it is, and whose the key is."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..client.http import HttpTransport
from ..config import Config
from ..embedded import running_server
from ..errors import DetentError
from .finding import Finding, failed, good, said, warning

__all__ = ["check_api"]

_PATIENCE_S = 3.0
_START = "start it with `detent dev` or `detent server`"


def check_api(config: Config) -> Iterator[Finding]:
    """The server of ``DETENT_API_URL``, else the one that runs for the project here."""
    url, key = config.api_url, config.secret_key
    if url is None:
        server = running_server(config.state_dir)
        if server is None or not server.url:
            yield good("api.reach", f"no server runs here, and DETENT_API_URL names none; {_START} when you need it")
            return
        url, key = server.url, server.key
    import httpx

    begun = time.perf_counter()
    try:
        with httpx.Client(base_url=url, timeout=_PATIENCE_S, trust_env=config.api_url is not None) as http:
            ready = http.get("/ready")
            took = round((time.perf_counter() - begun) * 1000, 1)
    except (httpx.HTTPError, ValueError) as error:
        told = f"{url} does not answer as a detent server: {said(error, config)}"
        yield failed("api.reach", told, "start the server, or correct DETENT_API_URL", url=url)
        return
    if not ready.is_success:
        told = f"{url} takes no work (status {ready.status_code}): its store cannot be written, or it is stopping"
        yield failed("api.reach", told, "run `detent doctor` where that server runs", status=ready.status_code)
        return
    yield good("api.reach", f"{url} answers in {took:g} ms", took_ms=took, url=url)
    transport = HttpTransport(
        url, key, project=config.project_slug, environment=config.environment, timeout=_PATIENCE_S, max_retries=0
    )
    try:
        yield from _known(transport, config)
    finally:
        transport.close()


def _version(there: str) -> Finding:
    from .. import __version__

    if there.split(".")[:2] == __version__.split(".")[:2]:
        return good("api.version", f"the server is detent {there}", version=there)
    told = f"the server is detent {there}, this is {__version__}"
    return warning("api.version", told, f"pip install 'detent=={there}', or upgrade the server", version=there)


def _known(transport: HttpTransport, config: Config) -> Iterator[Finding]:
    try:
        who = transport.call("auth.whoami")
        version = str(transport.call("health")["version"])
    except DetentError as error:
        told = f"the key is refused: {said(error, config)}"
        yield failed("api.key", told, "set DETENT_SECRET_KEY to a key of this server: detent keys create")
        return
    whose = f"the key is good, for {who['environment']}"
    yield good("api.key", f"{whose} of the project {who.get('project') or '?'}", environment=who["environment"])
    yield _version(version)
