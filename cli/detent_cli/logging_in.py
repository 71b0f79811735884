"""The steps of a log-in, see `detent login`."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from detent.errors import Forbidden, InvalidOptions, NotFound
from detent_cli.console import clean, notes, print_json
from detent_cli.credentials import keep_key
from detent_cli.profiles import LOCAL, Login, Profile, change_profiles, load_profiles
from detent_cli.project import client_of

if TYPE_CHECKING:
    from detent.model.account_views import DeviceLogin

__all__ = ["begin", "begun", "come_in", "go_on", "target"]

_INTERVAL_S = 2
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def target(url: str | None, name: str | None) -> Login:
    """Where to log in, and the name that the profile will have. Errors: `InvalidOptions`; `ConfigError`."""
    if name == LOCAL:
        raise InvalidOptions(
            "the profile local is the project's own engine, which needs no log-in; choose another name"
        )
    known = load_profiles().profiles
    there = url or os.environ.get("DETENT_API_URL") or (known[name].url if name in known else None)
    if there is None:
        raise InvalidOptions("which server? detent login --url https://…; the project's own engine needs no log-in")
    there = there.rstrip("/")
    return Login(there, name or next((old.name for old in known.values() if old.url == there), _name_of(there)))


def begun(device_code: str, url: str | None, name: str | None) -> Login:
    """Where the log-in of a code was begun. Errors: `InvalidOptions` where that is not known."""
    noted = load_profiles().login_of(device_code)
    if noted is None:
        return target(url, name)
    return Login(url or noted.url, name or noted.profile)


def begin(where: Login, *, wait: bool, as_json: bool) -> None:
    """Ask for a code and show it; then wait for a person, or leave that to another call."""
    # A key for another server is none of this one's business.
    os.environ.pop("DETENT_SECRET_KEY", None)
    with client_of(where.url) as client:
        code = client.auth.start_login(f"detent on {platform.node() or 'a device'}")
    if wait:
        _show(where, code)
        go_on(code.device_code, where, wait=True, as_json=as_json, interval=code.interval)
        return
    with change_profiles() as profiles:
        profiles.note_login(code.device_code, where)
    more = {"continue_with": f"detent login --device-code {code.device_code}", "url": where.url}
    print_json(code.model_dump(mode="json") | more | {"profile": where.profile})


def go_on(device_code: str, where: Login, *, wait: bool, as_json: bool, interval: int = _INTERVAL_S) -> None:
    """Ask whether a person has decided; with `wait` until they have, every `interval` seconds.

    Errors: `Forbidden` when it was refused; `NotFound` when it is over.
    """
    os.environ.pop("DETENT_SECRET_KEY", None)
    with client_of(where.url) as client:
        told = client.auth.fetch_login(device_code)
        if wait and told.status == "pending":
            with _waiting():
                while told.status == "pending":
                    time.sleep(interval)
                    told = client.auth.fetch_login(device_code)
    if told.status == "pending":
        if as_json:
            print_json({"status": "pending"})
        else:
            sys.stderr.write("Nobody has decided yet.\n")
        return
    with change_profiles() as profiles:
        profiles.forget_login(device_code)
    if told.secret is None:
        raise Forbidden("the log-in was refused")
    come_in(where, told.secret, issued=True, as_json=as_json)


def come_in(where: Login, key: str, *, issued: bool, as_json: bool) -> None:
    """Use a key from now on. One that somebody brings is tried before it is kept.

    Parameters:
      issued: it was made for this log-in, and is told only once.

    Errors: `Unauthorized`; `ServerUnreachable`.
    """
    known = load_profiles().profiles.get(where.profile)
    same = known if known is not None and known.url == where.url else None
    project = os.environ.get("DETENT_PROJECT") or (None if same is None else same.project)
    environment = os.environ.get("DETENT_ENVIRONMENT") or (None if same is None else same.environment)
    profile = Profile(where.profile, where.url, project, environment, issued)
    if issued:
        place = _keep(profile, key)
    about: dict[str, Any] = {}
    hint = ""
    try:
        with client_of(where.url, key, project, environment) as client:
            about = client.whoami().model_dump(mode="json")
    except NotFound as error:
        # A good key, and more than one place that it reaches.
        hint = clean(f"{error}; choose with: detent switch {where.profile} --project SLUG --env NAME")
    if not issued:
        place = _keep(profile, key)
    if as_json:
        print_json({"status": "approved", "profile": profile.name, "url": profile.url, **about})
        return
    if where.url.startswith("http://") and urlsplit(where.url).hostname not in _HERE:
        sys.stderr.write("The key goes there unencrypted: the address begins with http, not https.\n")
    person = about.get("person") or {}
    who = person.get("email") or about.get("key_id") or "this key"
    sys.stderr.write(clean(f"Logged in to {profile.url} as {who}; profile {profile.name}, which is current now.\n"))
    sys.stderr.write(f"The key is in {place}.\n")
    if hint:
        sys.stderr.write(f"{hint}\n")


def _keep(profile: Profile, key: str) -> str:
    with change_profiles() as profiles:
        profiles.put(profile)
        return keep_key(profile, key)


def _show(where: Login, code: DeviceLogin) -> None:
    sys.stderr.write(
        clean(
            f"To log in to {where.url}, agree to the code {code.user_code}: on a device that is logged in, or in the "
            f"project's folder on the server's machine, run\n\n    {code.approve_with}\n\n"
            f"It waits until {_clock(code.expires_at)}.\n"
        )
    )
    sys.stderr.flush()


@contextmanager
def _waiting() -> Iterator[None]:
    """A line that moves, on a terminal."""
    console = notes()
    if not console.is_terminal:
        yield
        return
    from rich.status import Status

    with Status("waiting for consent; Ctrl-C gives up", console=console):
        yield


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M:%S}"


def _name_of(url: str) -> str:
    """The server's name, and its port where it has one."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or url, parts.port
    except ValueError:
        name, port = url, None
    return name if port is None else f"{name}-{port}"
