"""What clients ask about accounts and keys, see `calls`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter

from ..model.account_views import (
    ApiKey,
    Archived,
    DeviceLogin,
    DeviceToken,
    Environment,
    InitializedProject,
    LoginDecision,
    NewApiKey,
    NewEnvironment,
    Organization,
    Person,
    PersonRemoved,
    Project,
    ProjectDetail,
    PublicToken,
    WhoAmI,
)
from ..model.duration import Duration, parse_duration
from ..model.views import View
from .calls import Call

__all__ = [
    "add_person",
    "approve_login",
    "archive_environment",
    "create_environment",
    "create_key",
    "create_org",
    "create_project",
    "create_public_token",
    "fetch_login",
    "initialize_project",
    "list_environments",
    "list_keys",
    "list_orgs",
    "list_people",
    "list_projects",
    "remove_person",
    "retrieve_project",
    "revoke_key",
    "rotate_key",
    "start_login",
    "who_am_i",
]

V = TypeVar("V", bound=View)


def who_am_i() -> Call[WhoAmI]:
    return Call("auth.whoami", {}, WhoAmI.model_validate)


def create_public_token(scopes: str | Sequence[str], expires_in: Duration | None) -> Call[PublicToken]:
    values = _given(scopes=_texts(scopes), expires_in=_length(expires_in, "expires_in"))
    return Call("auth.public_token", values, PublicToken.model_validate)


def start_login(client: str) -> Call[DeviceLogin]:
    return Call("auth.device", {"client": client}, DeviceLogin.model_validate)


def fetch_login(device_code: str) -> Call[DeviceToken]:
    return Call("auth.device_token", {"device_code": device_code}, DeviceToken.model_validate)


def approve_login(code: str, email: str | None, deny: bool) -> Call[LoginDecision]:
    return Call("auth.approve", _given(code=code, email=email, deny=deny), LoginDecision.model_validate)


def list_orgs() -> Call[list[Organization]]:
    return _list("orgs.list", Organization)


def create_org(slug: str, name: str | None) -> Call[Organization]:
    return Call("orgs.create", _given(slug=slug, name=name), Organization.model_validate)


def list_projects() -> Call[list[Project]]:
    return _list("projects.list", Project)


def create_project(slug: str, name: str | None, organization: str | None) -> Call[ProjectDetail]:
    values = _given(slug=slug, name=name, organization=organization)
    return Call("projects.create", values, ProjectDetail.model_validate)


def initialize_project(
    slug: str, name: str | None, organization: str | None, key: str | None
) -> Call[InitializedProject]:
    values = _given(slug=slug, name=name, organization=organization, key=key)
    return Call("projects.initialize", values, InitializedProject.model_validate)


def retrieve_project(project: str) -> Call[ProjectDetail]:
    return Call("projects.retrieve", {"id": project}, ProjectDetail.model_validate)


def list_environments(project: str | None, archived: bool) -> Call[list[Environment]]:
    return _list("environments.list", Environment, project=project, archived=None if archived else False)


def create_environment(branch: str, project: str | None, key: bool) -> Call[NewEnvironment]:
    values = _given(branch=branch, project=project, key=None if key else False)
    return Call("environments.create", values, NewEnvironment.model_validate)


def archive_environment(environment: str) -> Call[Archived]:
    return Call("environments.archive", {"id": environment}, Archived.model_validate)


def list_keys() -> Call[list[ApiKey]]:
    return _list("keys.list", ApiKey)


def create_key(
    name: str,
    *,
    environment: str | None,
    personal: bool,
    email: str | None,
    scopes: str | Sequence[str] | None,
    expires_in: Duration | None,
) -> Call[NewApiKey]:
    values = _given(
        name=name,
        environment=environment,
        personal=personal,
        email=email,
        scopes=None if scopes is None else _texts(scopes),
        expires_in=_length(expires_in, "expires_in"),
    )
    return Call("keys.create", values, NewApiKey.model_validate)


def revoke_key(key_id: str) -> Call[ApiKey]:
    return Call("keys.revoke", {"id": key_id}, ApiKey.model_validate)


def rotate_key(key_id: str, overlap: Duration | None) -> Call[NewApiKey]:
    return Call("keys.rotate", _given(id=key_id, overlap=_length(overlap, "overlap")), NewApiKey.model_validate)


def list_people() -> Call[list[Person]]:
    return _list("people.list", Person)


def add_person(email: str, name: str | None, role: str | None) -> Call[Person]:
    return Call("people.add", _given(email=email, name=name, role=role), Person.model_validate)


def remove_person(person: str) -> Call[PersonRemoved]:
    return Call("people.remove", {"id": person}, PersonRemoved.model_validate)


def _list(operation: str, view: type[V], **values: Any) -> Call[list[V]]:
    read = TypeAdapter(list[view]).validate_python  # type: ignore[valid-type]  # a type that is known at run time
    return Call(operation, _given(**values), lambda answer: read(answer["items"]))


def _given(**values: Any) -> dict[str, Any]:
    """What was given; the server knows what holds for the rest."""
    return {name: value for name, value in values.items() if value is not None}


def _texts(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _length(value: Duration | None, name: str) -> str | None:
    return None if value is None else f"{parse_duration(value, name)}ms"
