"""`detent whoami`, `logout`, `switch`, `list-profiles`: who one is, and for which server."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.options import AsJson

if TYPE_CHECKING:
    from detent_cli.profiles import Profile

__all__ = ["list_profiles", "logout", "switch", "whoami"]


def whoami(as_json: AsJson = False) -> None:
    """Whose key is used, for which server, project and environment."""
    from detent_cli.console import print_json
    from detent_cli.profiles import LOCAL
    from detent_cli.project import connected
    from detent_cli.remote import profile_in_use

    with connected() as client:
        who = client.whoami()
    profile = profile_in_use()
    url = os.environ.get("DETENT_API_URL") or (None if profile is None else profile.url)
    name = LOCAL if url is None else None if profile is None else profile.name
    if as_json:
        print_json({"profile": name, "url": url, **who.model_dump(mode="json")})
        return
    from detent_cli.account_pages import print_whoami

    print_whoami(who, name, url)


def logout(
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Which one; the current one unless given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forget the key of a profile, and the profile. A key that `detent login` was given by a code is revoked, too."""
    from detent.errors import InvalidOptions
    from detent_cli.credentials import find_key, forget_key
    from detent_cli.profiles import LOCAL, change_profiles

    name = profile or os.environ.get("DETENT_PROFILE")
    with change_profiles() as profiles:
        gone = profiles.named(name or profiles.current)
        if gone is None:
            raise InvalidOptions(f"{LOCAL} is the project's own engine; there is nothing to log out of")
        key = find_key(gone)
        forget_key(gone)
        profiles.remove(gone.name)
        current = profiles.current
    revoked = gone.issued and key is not None and _revoke(gone, key)
    if as_json:
        from detent_cli.console import print_json

        print_json({"profile": gone.name, "revoked": revoked, "current": current})
        return
    sys.stderr.write(f"Logged out of {gone.name} ({gone.url}); {current} is the current profile now.\n")
    if not revoked and key is not None:
        sys.stderr.write("The key is forgotten here. On the server it is good until it is revoked or expires.\n")


def _revoke(profile: Profile, key: str) -> bool:
    """Refuse the key on the server, too, where that answers and the key may do so."""
    from detent.errors import DetentError
    from detent_cli.project import client_of

    with suppress(DetentError), client_of(profile.url, key, profile.project, profile.environment) as client:
        client.keys.revoke(client.whoami().key_id)
        return True
    return False


def switch(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A profile's name, or local.")],
    *,
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="The environment that it is about from now on.")
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", metavar="SLUG", help="The project that it is about from now on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a profile the current one: commands speak to its server from now on. `local` is the project's own engine."""
    from detent_cli.profiles import change_profiles

    with change_profiles() as profiles:
        chosen = profiles.named(profile)
        if env is not None or project is not None:
            chosen = profiles.aim(profile, project, env)
        profiles.current = profile
    if as_json:
        from detent_cli.console import print_json

        print_json(_shown(profile, chosen, profile))
        return
    where = "the project's own engine" if chosen is None else chosen.url
    sys.stderr.write(f"{profile} is the current profile: {where}.\n")


def list_profiles(as_json: AsJson = False) -> None:
    """The servers that one is logged in to; the current one has a star."""
    from detent_cli.profiles import LOCAL, load_profiles

    profiles = load_profiles()
    rows = [_shown(LOCAL, None, profiles.current)]
    rows += [_shown(name, found, profiles.current) for name, found in sorted(profiles.profiles.items())]
    if as_json:
        from detent_cli.console import print_json

        print_json({"items": rows})
        return
    from detent_cli.account_pages import print_profiles

    print_profiles(rows)


def _shown(name: str, profile: Profile | None, current: str) -> dict[str, Any]:
    return {
        "name": name,
        "url": None if profile is None else profile.url,
        "project": None if profile is None else profile.project,
        "environment": None if profile is None else profile.environment,
        "is_current": name == current,
    }
