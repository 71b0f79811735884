"""Servers that anybody in the network could use: a database or a broker on another host, without a password."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

from .config import Config
from .errors import ConfigError

__all__ = ["is_open", "refuse_open_server", "refuse_open_servers", "shown"]

#: What proves to a PostgreSQL server who asks, besides a password: in the URL, or in the environment.
_PROOFS = ("password", "passfile", "sslcert", "service", "sslkey")
_PROOF_VARIABLES = ("PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSSLCERT")


def shown(url: str) -> str:
    """`url` as it may stand in a log: without its password, and without what follows a question mark."""
    parts = urlsplit(url)
    user, at, address = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}{':***' if colon else ''}{at}{address}"
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))


def is_open(url: str, variables: Mapping[str, str] | None = None) -> bool:
    """Whether `url` names a server on another host and nothing that proves who asks.

    Parameters:
      variables: the environment, in which PostgreSQL's own settings may stand; `os.environ` when None.
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    if parts.scheme == "unix" or all(_is_here(host) for host in _hosts(parts.netloc, query)):
        return False
    user, _, _ = parts.netloc.rpartition("@")
    if user.partition(":")[2]:
        return False
    if parts.scheme in ("amqp", "amqps"):
        return True
    if any(query.get(proof) for proof in _PROOFS):
        return False
    variables = os.environ if variables is None else variables
    if parts.scheme in ("postgresql", "postgres"):
        has_file = (Path(variables.get("HOME") or "/nowhere") / ".pgpass").is_file()
        return not has_file and not any(variables.get(name) for name in _PROOF_VARIABLES)
    return True


def refuse_open_server(url: str | None, setting: str, *, allowed: bool) -> None:
    """Refuse a server that anybody in its network could use.

    Parameters:
      url: of a database or a broker; None for none.
      setting: the name of the setting that it comes from. `allowed`: the user has said that it may be so.

    Errors: `ConfigError`.
    """
    if url is None or allowed or urlsplit(url).scheme == "sqlite" or not is_open(url):
        return
    raise ConfigError(
        f"{setting} names {shown(url)}, a server on another host, without a password: whoever reaches it could read "
        "and change what detent does; set a password and put it into the URL (SCHEME://USER:PASSWORD@HOST), or, where "
        "the network keeps all others out, set DETENT_ALLOW_INSECURE=1 (allow_insecure = true in detent.toml)"
    )


def refuse_open_servers(config: Config) -> None:
    """The same for the database and the broker of a project, before it is served. Errors: `ConfigError`."""
    refuse_open_server(config.database_url, "DETENT_DATABASE_URL", allowed=config.allow_insecure)
    refuse_open_server(config.broker_url, "DETENT_BROKER_URL", allowed=config.allow_insecure)


def _hosts(netloc: str, query: Mapping[str, list[str]]) -> list[str]:
    """All hosts that are named; PostgreSQL takes several, and its ``host`` may be the folder of a socket."""
    addresses = netloc.rpartition("@")[2]
    named = [_host_of(address) for address in addresses.split(",") if address]
    return named + [host for value in query.get("host", []) for host in value.split(",")]


def _host_of(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0].replace("%2F", "/").replace("%2f", "/")


def _is_here(host: str) -> bool:
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
