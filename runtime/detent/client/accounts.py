"""Organisations, projects, environments, people and keys of a client, blocking."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Literal

from ..model.account_views import (
    ApiKey,
    Archived,
    Environment,
    InitializedProject,
    NewApiKey,
    NewEnvironment,
    Organization,
    Person,
    PersonRemoved,
    Project,
    ProjectDetail,
)
from ..model.duration import Duration
from ..model.transport import Transport
from . import account_calls as calls

__all__ = ["EnvironmentsResource", "KeysResource", "OrgsResource", "PeopleResource", "ProjectsResource"]

Role = Literal["owner", "admin", "developer", "viewer"]


class KeysResource:
    """Keys: what programs and people come in with."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> builtins.list[ApiKey]:
        """The keys of the project's environments and of the people of its organisation, newest first. Never their
        secrets."""
        return calls.list_keys().ask(self._transport)

    def create(
        self,
        name: str,
        *,
        environment: str | None = None,
        personal: bool = False,
        email: str | None = None,
        scopes: str | Sequence[str] | None = None,
        expires_in: Duration | None = None,
    ) -> NewApiKey:
        """Make a key. Its `secret` is in this answer, and nowhere else.

        Parameters:
          name: for people, to tell keys apart.
          environment: which one it is for; that of this client when None.
          personal: make a personal key (``dt_pat_...``) instead, for the person with `email`, for oneself when None.
          scopes: what it may do where that is less than all, such as ``["runs:read", "tasks:write"]``.
          expires_in: a length of time, in seconds or as text, after which it is refused; None: it does not expire.

        Errors: `InvalidOptions`; `NotFound`; `Forbidden`.
        """
        return calls.create_key(
            name, environment=environment, personal=personal, email=email, scopes=scopes, expires_in=expires_in
        ).ask(self._transport)

    def revoke(self, key_id: str) -> ApiKey:
        """Refuse a key from now on. Errors: `NotFound`; `Forbidden`."""
        return calls.revoke_key(key_id).ask(self._transport)

    def rotate(self, key_id: str, *, overlap: Duration | None = None) -> NewApiKey:
        """Make the successor of a key, with its name and rights; its `secret` is in this answer alone.

        Parameters:
          overlap: how long the old key is good beside it, 24 hours when None; ``0`` ends it at once.

        Errors: `NotFound`; `Conflict` when it is revoked or rotated already; `Forbidden`.
        """
        return calls.rotate_key(key_id, overlap).ask(self._transport)


class ProjectsResource:
    """Projects: each with environments of its own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> builtins.list[Project]:
        """The projects in reach of this key."""
        return calls.list_projects().ask(self._transport)

    def create(self, slug: str, *, name: str | None = None, organization: str | None = None) -> ProjectDetail:
        """Make a project with the environments ``dev``, ``staging`` and ``prod``.

        Parameters:
          slug: lower-case letters, digits and dashes. `organization`: slug or id; that of this key when None.

        Errors: `Conflict` when the slug is taken; `InvalidOptions`; `Forbidden`.
        """
        return calls.create_project(slug, name, organization).ask(self._transport)

    def initialize(
        self, slug: str, *, name: str | None = None, organization: str | None = None, key: str | None = None
    ) -> InitializedProject:
        """What a folder needs to be about a project of this server; the project is made when it is not there, with the
        environments ``dev``, ``staging`` and ``prod``. Asked again it changes nothing.

        Parameters:
          slug: lower-case letters, digits and dashes. `name`, `organization`: of a new project.
          key: make a key for this environment of it, such as ``"dev"``; its `secret` is in this answer alone.

        Errors: `InvalidOptions`; `NotFound`; `Forbidden`.
        """
        return calls.initialize_project(slug, name, organization, key).ask(self._transport)

    def retrieve(self, project: str) -> ProjectDetail:
        """A project, by slug or id, with its environments. Errors: `NotFound` with near names."""
        return calls.retrieve_project(project).ask(self._transport)


class EnvironmentsResource:
    """Environments: ``dev``, ``staging``, ``prod`` and ``preview/BRANCH``, hard apart from one another."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, project: str | None = None, archived: bool = True) -> builtins.list[Environment]:
        """The environments of a project, of this client's own when None. `archived`: also those. Errors: `NotFound`."""
        return calls.list_environments(project, archived).ask(self._transport)

    def create(self, branch: str, *, project: str | None = None, key: bool = True) -> NewEnvironment:
        """Make ``preview/BRANCH``, or bring it back when it is archived; the one that is there already when the branch
        has one.

        Parameters:
          branch: as git has it, with its slashes. `project`: that of this client when None.
          key: give a new environment a key of its own. Its `secret` is in this answer, and nowhere else.

        Errors: `InvalidOptions`; `NotFound`; `LimitExceeded`; `Forbidden`.
        """
        return calls.create_environment(branch, project, key).ask(self._transport)

    def archive(self, environment: str) -> Archived:
        """Archive a preview environment, by name or id: its keys are refused from then on, nothing is triggered any
        more, its unfinished runs are cancelled. What was kept of it stays, and `create` brings it back.
        Errors: `NotFound`; `Conflict` for the others; `Forbidden`."""
        return calls.archive_environment(environment).ask(self._transport)


class OrgsResource:
    """Organisations: people, and the projects that they share."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> builtins.list[Organization]:
        """The organisations in reach of this key."""
        return calls.list_orgs().ask(self._transport)

    def create(self, slug: str, *, name: str | None = None) -> Organization:
        """Make an organisation; who makes it owns it. Errors: `Conflict` when the slug is taken; `Forbidden`."""
        return calls.create_org(slug, name).ask(self._transport)


class PeopleResource:
    """The people of an organisation, with their roles."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> builtins.list[Person]:
        """The people of the organisation."""
        return calls.list_people().ask(self._transport)

    def add(self, email: str, *, name: str | None = None, role: Role | None = None) -> Person:
        """Take a person into the organisation, or give them another role (``developer`` when None).
        Errors: `InvalidOptions`; `Forbidden`."""
        return calls.add_person(email, name, role).ask(self._transport)

    def remove(self, person: str) -> PersonRemoved:
        """Take a person, by email or id, out of the organisation: their keys reach it no more.
        Errors: `NotFound`; `Conflict` for the last owner; `Forbidden`."""
        return calls.remove_person(person).ask(self._transport)
