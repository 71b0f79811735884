"""Keys, projects, environments, people and profiles as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from detent.model.account_views import ApiKey, Environment, Person, Project, WhoAmI
from detent_cli.console import stdout
from detent_cli.styles import ago, local_time, one_line

__all__ = ["print_environments", "print_keys", "print_people", "print_profiles", "print_projects", "print_whoami"]


def print_keys(keys: Sequence[ApiKey]) -> None:
    """A table, newest first."""
    rows = [
        (
            key.id,
            key.start,
            one_line(key.name, 60),
            key.environment or one_line(key.person or ""),
            "all" if key.scopes is None else " ".join(key.scopes),
            _when(key.last_used_at) or "never",
            _state(key),
        )
        for key in keys
    ]
    _print_table(("KEY", "BEGINS", "NAME", "FOR", "SCOPES", "LAST USED", ""), rows)


def print_projects(projects: Sequence[Project]) -> None:
    """A table."""
    rows = [
        (project.slug, one_line(project.name, 60), project.organization, project.id, _when(project.created_at))
        for project in projects
    ]
    _print_table(("PROJECT", "NAME", "ORGANISATION", "ID", "CREATED"), rows)


def print_environments(environments: Sequence[Environment]) -> None:
    """A table."""
    rows = [
        (
            env.name,
            env.version or "",
            env.id,
            _when(env.created_at),
            "" if env.archived_at is None else f"archived {_when(env.archived_at)}",
        )
        for env in environments
    ]
    _print_table(("ENVIRONMENT", "VERSION", "ID", "CREATED", ""), rows)


def print_people(people: Sequence[Person]) -> None:
    """A table."""
    rows = [(one_line(person.email), one_line(person.name, 60), person.role or "", person.id) for person in people]
    _print_table(("EMAIL", "NAME", "ROLE", "ID"), rows)


def print_profiles(profiles: Sequence[Mapping[str, Any]]) -> None:
    """A table; the current one has a star."""
    rows = [
        (
            "*" if profile["is_current"] else "",
            profile["name"],
            profile["url"] or "the project's own engine",
            profile["project"] or "",
            profile["environment"] or "",
        )
        for profile in profiles
    ]
    _print_table(("", "PROFILE", "SERVER", "PROJECT", "ENVIRONMENT"), rows)


def print_whoami(who: WhoAmI, profile: str | None, url: str | None) -> None:
    """What is known of whoever asks, a line each."""
    facts = {
        "person": "" if who.person is None else f"{who.person.email} ({who.person.name})",
        "key": f"{who.key_id} ({who.kind})",
        "role": who.role or "",
        "environment": who.environment,
        "project": who.project or "",
        "organisation": who.organization or "",
        "may": " ".join(who.scopes),
        "profile": profile or "",
        "server": url or "",
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(name, one_line(fact, 2_000))
    stdout().print(table)


def _print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        stdout().print(table)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"{'rotated' if key.rotated_to else 'revoked'}, good until {local_time(key.revoked_at)}"
    return "" if key.expires_at is None else f"expires {local_time(key.expires_at)}"


def _when(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return ago(moment) if stdout().is_terminal else local_time(moment)
