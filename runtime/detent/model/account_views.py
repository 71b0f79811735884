"""What people and programs see of accounts: organisations, projects, environments, people, keys."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .views import View

__all__ = [
    "ApiKey",
    "Archived",
    "DeviceLogin",
    "DeviceToken",
    "Environment",
    "InitializedProject",
    "LoginDecision",
    "NewApiKey",
    "NewEnvironment",
    "Organization",
    "Person",
    "PersonRemoved",
    "Project",
    "ProjectDetail",
    "PublicToken",
    "WhoAmI",
]


class Organization(View):
    """An organisation; `role` is that of the person who asks."""

    id: str
    slug: str
    name: str
    role: str | None = None
    created_at: datetime


class Project(View):
    """A project of an organisation, which is named by its slug."""

    id: str
    slug: str
    name: str
    organization: str
    created_at: datetime


class Environment(View):
    """An environment: ``dev``, ``staging``, ``prod`` or ``preview/BRANCH``. What happens in it stays in it. `version`,
    in lists: the one that is current, None where nothing was deployed."""

    id: str
    name: str
    kind: Literal["dev", "staging", "prod", "preview"]
    branch: str | None = None
    created_at: datetime
    archived_at: datetime | None = None
    version: str | None = None


class ProjectDetail(Project):
    """A project with its environments."""

    environments: list[Environment] = Field(default_factory=list)


class Archived(View):
    """An environment that was archived. `canceled_runs`: how many unfinished ones it had, which are cancelled."""

    id: str
    name: str = ""
    archived: bool
    canceled_runs: int = 0


class Person(View):
    """A person of an organisation."""

    id: str
    email: str
    name: str
    role: Literal["owner", "admin", "developer", "viewer"] | None = None


class PersonRemoved(View):
    """A person who is no longer in the organisation."""

    id: str
    removed: bool


class WhoAmI(View):
    """The holder of a key. `kind`: ``local`` (the owner of this server), ``key`` (of an environment), ``personal`` or
    ``public``."""

    kind: Literal["local", "key", "personal", "public"]
    key_id: str
    environment: str
    project: str | None = None
    organization: str | None = None
    role: str | None = None
    scopes: list[str] = Field(default_factory=list)
    person: Person | None = None


class ApiKey(View):
    """A key, without its secret; `start` is how its text begins. `environment` is None of a personal key, `person` of
    the others. `scopes` is None where the key may do all that its kind may."""

    id: str
    start: str
    name: str
    environment: str | None = None
    person: str | None = None
    scopes: list[str] | None = None
    created_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    rotated_to: str | None = None


class NewApiKey(ApiKey):
    """A key that was just made, with its `secret`, which is shown here and never again. `replaces` is the key that it
    succeeds, which is good until `old_key_until`."""

    secret: str = Field(repr=False)
    replaces: str | None = None
    old_key_until: datetime | None = None


class NewEnvironment(Environment):
    """An environment that was asked for. `created`: it is new; `returned`: it was archived, and is back. `key`: that of
    a new one, with its secret, which is shown here and never again."""

    created: bool = False
    returned: bool = False
    key: NewApiKey | None = None


class InitializedProject(View):
    """What a folder needs to be about a project of a server.

    `created`: the project is new. `api_url`: where the server says that it is. `configuration`: the settings that the
    folder needs. `key`: the one that was asked for, with its secret, which is shown here and never again. `keys_with`:
    the command that makes keys.
    """

    project: ProjectDetail
    created: bool
    api_url: str | None = None
    configuration: dict[str, str]
    key: NewApiKey | None = None
    keys_with: str


class PublicToken(View):
    """A public token, and what it is good for."""

    token: str = Field(repr=False)
    scopes: list[str]
    expires_at: datetime


class DeviceLogin(View):
    """A log-in that has begun: `user_code` is for a person, `device_code` for the device, which asks every `interval`
    seconds."""

    device_code: str = Field(repr=False)
    user_code: str
    approve_with: str
    interval: int
    expires_at: datetime


class DeviceToken(View):
    """How a log-in stands; `secret` is the key once it is approved, told once."""

    status: Literal["pending", "approved", "denied"]
    secret: str | None = Field(default=None, repr=False)


class LoginDecision(View):
    """What was decided on a log-in; `client` is what asked, in its own words."""

    code: str
    client: str = ""
    approved: bool
