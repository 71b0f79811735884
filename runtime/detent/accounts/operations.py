"""What holders of keys can ask about accounts. Answers are plain JSON values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from ..errors import Conflict, Forbidden, InvalidOptions, NotFound, near_names
from ..model.duration import parse_duration
from ..model.ids import new_id
from ..model.json_length import JsonLength
from ..model.limits import NAME_CHARS
from ..model.moments import iso
from ..store import Tx
from .accounts import Accounts, environment_named, key_kind, name_of
from .device_logins import DeviceLogins
from .environment_operations import EnvironmentOperations, NoUpkeep, Upkeep
from .keys import NewKey, keep_key, new_key
from .principal import Principal
from .public_tokens import LONGEST_S, read_public_scopes
from .scopes import ROLES, check_scopes
from .views import key_view, listed_environment, org_view, project_view

__all__ = ["AccountOperations"]

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
#: How long a public token lasts where nothing else is said, in milliseconds.
_TOKEN_MS = 15 * 60_000
#: How long a rotated key is good beside its successor where nothing else is said.
_OVERLAP = "24h"

_encode = msgspec.json.Encoder().encode


class AccountOperations:
    """The operations on accounts, for one holder of a key.

    Parameters:
      accounts: all of them. `principal`: who asks, or what finds it out; nobody sees or changes more than their key
        reaches.
      upkeep: what is to be done about the runs of environments that are archived. `api_url`: the server's own address.
    """

    def __init__(
        self,
        accounts: Accounts,
        principal: Principal | Callable[[], Principal],
        upkeep: Upkeep | None = None,
        api_url: Callable[[], str] = str,
    ) -> None:
        self._accounts = accounts
        self._principal = principal
        self._logins = DeviceLogins(accounts)
        self._environment_operations = EnvironmentOperations(
            accounts, lambda: self._who, self._project_where, upkeep or NoUpkeep()
        )
        self._api_url = api_url

    @property
    def _who(self) -> Principal:
        return self._principal if isinstance(self._principal, Principal) else self._principal()

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {
            "auth.whoami": self.whoami,
            "auth.public_token": self.make_public_token,
            "orgs.list": self.list_orgs,
            "orgs.create": self.create_org,
            "projects.list": self.list_projects,
            "projects.create": self.create_project,
            "projects.retrieve": self.retrieve_project,
            "projects.initialize": self.initialize_project,
            **self._environment_operations.by_name,
            "keys.list": self.list_keys,
            "keys.create": self.create_key,
            "keys.revoke": self.revoke_key,
            "keys.rotate": self.rotate_key,
            "people.list": self.list_people,
            "people.add": self.add_person,
            "people.remove": self.remove_person,
            "auth.device": self._logins.start,
            "auth.device_token": self._logins.fetch,
            "auth.approve": self.approve_login,
        }

    # Who I am.

    def whoami(self) -> dict[str, Any]:
        """The holder of the key: what kind of key it is, its environment, project and scopes."""
        who = self._who
        person = None
        if who.person_id is not None:
            row = self._accounts.read("find_person_by_id", id=who.person_id)[0]
            person = {"id": row["id"], "email": row["email"], "name": row["name"]}
        project = next((row for row in self._projects() if row["id"] == who.project_id), None)
        return {
            "kind": who.kind,
            "key_id": who.key_id,
            "environment": who.env_name,
            "project": None if project is None else project["slug"],
            "organization": None if project is None else project["org_slug"],
            "role": who.role,
            "scopes": sorted(who.limits[-1]) if who.limits else sorted(f"{scope}:{one}" for scope, one in who.things),
            "person": person,
        }

    def make_public_token(self, *, scopes: Sequence[str], expires_in: JsonLength = None) -> dict[str, Any]:
        """Make a public token: signed, for single things of this environment, short-lived.

        Parameters:
          scopes: each with the one thing that it is for, such as ``runs:read:run_…`` or ``runs:read:tag=user-7``.
          expires_in: a length of time, 15 minutes when None, at most 30 days.

        Errors: `InvalidOptions`; `Forbidden` for a scope that this key does not have.
        """
        wanted = [scopes] if isinstance(scopes, str) else list(scopes)
        if self._who.kind == "public":
            raise Forbidden("a public token cannot make another one; use a secret key")
        for scope, _ in read_public_scopes(wanted):
            self._who.require(scope)
        ms = _TOKEN_MS if expires_in is None else parse_duration(expires_in, "expires_in")
        if not 1_000 <= ms <= LONGEST_S * 1_000:
            raise InvalidOptions("expires_in must be from 1 second to 30 days")
        now = self._accounts.now()
        text = self._accounts.public_tokens.make(self._who.env, wanted, now / 1000, ms / 1000)
        return {"token": text, "scopes": wanted, "expires_at": iso(now + ms)}

    def approve_login(self, *, code: str, email: str | None = None, deny: bool = False) -> dict[str, Any]:
        """Let the device that shows this code log in, as oneself.

        Parameters:
          email: whom it is to log in as, where the server's own key is used; the one owner when None.
          deny: refuse it instead.

        Errors: `NotFound` for a code that is not waiting.
        """
        if self._who.kind not in ("personal", "local"):
            raise Forbidden("only a person, or the owner of the server, can let a device log in")
        person = self._person(email) if email is not None or self._who.person_id is not None else self._first_owner()
        return self._logins.decide(code, person["id"], deny)

    # Organisations, projects, environments.

    def list_orgs(self) -> dict[str, Any]:
        """The organisations in reach of this key."""
        mine = {row["org_id"] for row in self._projects()} if self._who.kind == "key" else None
        rows = self._accounts.read("list_organizations", person_id=self._who.person_id)
        return {"items": [org_view(row) for row in rows if mine is None or row["id"] in mine]}

    def create_org(self, *, slug: str, name: str | None = None) -> dict[str, Any]:
        """Make an organisation; who makes it owns it."""
        if self._who.kind in ("key", "public"):
            raise Forbidden("a key of an environment cannot make organisations; use a personal or the server's own key")
        _check("slug", slug, _SLUG, "lower-case letters, digits and dashes, at most 64")
        now = self._accounts.now()
        values = {"id": new_id("org", now), "slug": slug, "name": _name(name or slug), "now": now}

        def make(tx: Tx) -> None:
            if not tx.run("insert_organization", **values):
                raise Conflict(f"there is an organisation {slug!r} already; choose another slug")
            if self._who.person_id is not None:
                tx.run("put_member", org_id=values["id"], person_id=self._who.person_id, role="owner")

        self._accounts.write(make)
        return {"id": values["id"], "slug": slug, "name": values["name"], "created_at": iso(now)}

    def list_projects(self) -> dict[str, Any]:
        """The projects in reach of this key."""
        return {"items": [project_view(row) for row in self._projects()]}

    def create_project(self, *, slug: str, name: str | None = None, organization: str | None = None) -> dict[str, Any]:
        """Make a project with the environments dev, staging and prod.

        Parameters:
          organization: slug or id; the one of this key when None.
        """
        _check("slug", slug, _SLUG, "lower-case letters, digits and dashes, at most 64")
        org_id = self._org(organization)
        now = self._accounts.now()
        values = {"id": new_id("proj", now), "org_id": org_id, "slug": slug, "name": _name(name or slug), "now": now}

        def make(tx: Tx) -> None:
            if not tx.run("insert_project", **values):
                raise Conflict(f"there is a project {slug!r} in this organisation already; choose another slug")
            for kind in ("dev", "staging", "prod"):
                env = new_id("env", now)
                tx.run("insert_environment", id=env, project_id=values["id"], kind=kind, branch="", now=now)

        self._accounts.write(make)
        return self.retrieve_project(id=str(values["id"]))

    def initialize_project(
        self, *, slug: str, name: str | None = None, organization: str | None = None, key: str | None = None
    ) -> dict[str, Any]:
        """What a folder needs to be about a project of this server; the project is made when it is not there.

        Parameters:
          slug: of the project. `name`, `organization`: of a new one, see `create_project`.
          key: make a key for this environment of it, such as ``dev``; its secret is in this answer, and nowhere else.

        Errors: `InvalidOptions`; `NotFound`; `Forbidden` for whoever may not make a project, or keys.
        """
        _check("slug", slug, _SLUG, "lower-case letters, digits and dashes, at most 64")
        org_id = self._org(organization)
        found = [row for row in self._projects() if slug == row["slug"]]
        same_org = [row for row in found if row["org_id"] == org_id]
        there = same_org or (found if organization is None else [])
        if not there:
            self._who.require("projects:write")
            made = self.create_project(slug=slug, name=name, organization=organization)
            [project] = [row for row in self._projects() if row["id"] == made["id"]]
        else:
            project = there[0]
        if key is not None:
            self._require_in(project["org_id"], "keys:write")
        environments = self._environments(project["id"])
        secret = None
        if key is not None:
            rows = self._accounts.read("list_environments", project_id=project["id"])
            env = next((row for row in rows if row["archived_at"] is None and environment_named(row, key)), None)
            if env is None:
                raise NotFound(near_names("environment", key, [name_of(row) for row in rows]))
            secret = self._key_of(env, f"{slug} {name_of(env)}")
        return {
            "project": project_view(project) | {"environments": environments},
            "created": not there,
            "api_url": self._api_url() or None,
            "configuration": {"project": slug},
            "key": secret,
            "keys_with": f"detent --project-slug {slug} keys create --name NAME --env ENVIRONMENT",
        }

    def retrieve_project(self, *, id: str) -> dict[str, Any]:
        """A project, by id or slug, with its environments."""
        row = self._project(id)
        return project_view(row) | {"environments": self._environments(row["id"])}

    # Keys.

    def list_keys(self) -> dict[str, Any]:
        """The keys of the project's environments, and of the people of its organisation. Never their secrets."""
        rows = self._accounts.read("list_keys", project_id=self._who.project_id, org_id=self._who.org_id)
        return {"items": [key_view(row) for row in rows]}

    def create_key(
        self,
        *,
        name: str,
        environment: str | None = None,
        personal: bool = False,
        email: str | None = None,
        scopes: Sequence[str] | None = None,
        expires_in: JsonLength = None,
    ) -> dict[str, Any]:
        """Make a key. Its secret is in this answer, and nowhere else.

        Parameters:
          environment: which one the key is for; this request's own when None.
          personal: make a personal key (``dt_pat_…``) instead: for the person with `email`, for oneself when None.
          scopes: what it may do where that is less than all, such as ``["runs:read"]``.
          expires_in: a length of time after which it is refused; None: it does not expire.

        Errors: `InvalidOptions`; `NotFound`; `Forbidden`.
        """
        now = self._accounts.now()
        expires_at = None if expires_in is None else now + _positive(expires_in, "expires_in")
        allowed = None if scopes is None else check_scopes([scopes] if isinstance(scopes, str) else scopes)
        more = {"scopes": None if allowed is None else _encode(allowed).decode(), "expires_at": expires_at}
        if personal:
            person = self._person(email)
            return self._keep_key(new_key("pat"), name, person_id=person["id"], **more)
        env = self._environment(environment or self._who.env)
        return self._keep_key(new_key(key_kind(env)), name, env=env["id"], **more)

    def _key_of(self, env: Any, name: str) -> dict[str, Any]:
        """A new key of an environment, given its row, for all that such keys may do."""
        made = new_key(key_kind(env))
        return self._keep_key(made, name, env=env["id"])

    def _keep_key(self, made: NewKey, name: str, **row: Any) -> dict[str, Any]:
        named, now = _name(name), self._accounts.now()
        self._accounts.write(lambda tx: keep_key(tx, made, named, now, **row))
        [found] = self._accounts.read("find_key_by_id", id=made.id)
        return key_view(found) | {"secret": made.text}

    def revoke_key(self, *, id: str) -> dict[str, Any]:
        """Refuse a key from now on."""
        row = self._key(id)
        now = self._accounts.now()
        self._accounts.write(lambda tx: tx.run("revoke_key", id=row["id"], now=now))
        return key_view(self._key(id))

    def rotate_key(self, *, id: str, overlap: JsonLength = _OVERLAP) -> dict[str, Any]:
        """Make the successor of a key, with its name and rights. Its secret is in this answer, and nowhere else.

        Parameters:
          overlap: how long the old key is good beside it; ``0`` ends it at once.
        """
        row = self._key(id)
        if row["revoked_at"] is not None:
            raise Conflict(f"key {id} is revoked or rotated already; make a new one")
        now = self._accounts.now()
        made = new_key("pat" if row["env"] is None else key_kind(row))
        until = now + parse_duration(overlap, "overlap")
        kept = {name: row[name] for name in ("env", "person_id", "scopes", "expires_at")}

        def rotate(tx: Tx) -> None:
            if not tx.run("rotate_key", id=id, rotated_to=made.id, until=until):
                raise Conflict(f"key {id} was revoked or rotated meanwhile")
            keep_key(tx, made, row["name"], now, **kept)

        self._accounts.write(rotate)
        return key_view(self._key(made.id)) | {"secret": made.text} | {"replaces": id, "old_key_until": iso(until)}

    # People.

    def list_people(self) -> dict[str, Any]:
        """The people of the organisation, with their roles."""
        return {"items": [dict(row) for row in self._accounts.read("list_members", org_id=self._who.org_id)]}

    def add_person(self, *, email: str, name: str | None = None, role: str = "developer") -> dict[str, Any]:
        """Take a person into the organisation, or give them another role."""
        _check("email", email, _EMAIL, "an address such as ada@example.com")
        if role not in ROLES:
            raise InvalidOptions(near_names("role", role, list(ROLES)))
        if role == "owner" and self._who.role != "owner":
            raise Forbidden("only an owner can make another owner")
        now = self._accounts.now()

        def add(tx: Tx) -> str:
            tx.run("insert_person", id=new_id("person", now), email=email.lower(), name=_name(name or email), now=now)
            person = tx.one("find_person", email=email.lower())
            if person is None:
                raise RuntimeError("a person who was added is not there")
            tx.run("put_member", org_id=self._who.org_id, person_id=person["id"], role=role)
            return str(person["id"])

        person_id = self._accounts.write(add)
        return next(person for person in self.list_people()["items"] if person["id"] == person_id)

    def remove_person(self, *, id: str) -> dict[str, Any]:
        """Take a person out of the organisation: their personal keys reach it no more."""
        members = self.list_people()["items"]
        known = next((member for member in members if id in (member["id"], member["email"])), None)
        if known is None:
            raise NotFound(near_names("person", id, [member["email"] for member in members]))
        if known["role"] == "owner" and sum(member["role"] == "owner" for member in members) == 1:
            raise Conflict("the last owner cannot be removed; make another one first")
        values = {"org_id": self._who.org_id, "person_id": known["id"]}
        self._accounts.write(lambda tx: tx.run("remove_member", **values))
        return {"id": known["id"], "removed": True}

    # What is in reach.

    def _projects(self) -> list[Any]:
        rows = self._accounts.read("list_projects", person_id=self._who.person_id)
        return [row for row in rows if self._who.kind not in ("key", "public") or row["id"] == self._who.project_id]

    def _project(self, wanted: str) -> Any:
        rows = self._projects()
        for row in rows:
            if wanted in (row["id"], row["slug"]):
                return row
        raise NotFound(near_names("project", wanted, [row["slug"] for row in rows]))

    def _project_where(self, wanted: str, scope: str) -> Any:
        """The same, where they have `scope`. Errors: `NotFound`, `Forbidden`."""
        row = self._project(wanted)
        self._require_in(row["org_id"], scope)
        return row

    def _require_in(self, org_id: str, scope: str) -> None:
        """A person may have another role in another organisation. Errors: `Forbidden`."""
        who = self._who
        if who.kind == "personal" and org_id != who.org_id:
            role = next(org["role"] for org in self.list_orgs()["items"] if org["id"] == org_id)
            who = replace(who, limits=(ROLES[role], *who.limits[1:]))
        who.require(scope)

    def _org(self, wanted: str | None) -> str:
        if wanted is None:
            return self._who.org_id
        orgs = self.list_orgs()["items"]
        for org in orgs:
            if wanted in (org["id"], org["slug"]):
                if self._who.kind == "personal" and org["role"] not in ("owner", "admin"):
                    raise Forbidden(f"your role in {org['slug']!r} does not allow this; ask an admin of it")
                return str(org["id"])
        raise NotFound(near_names("organisation", wanted, [org["slug"] for org in orgs]))

    def _environments(self, project_id: str) -> list[dict[str, Any]]:
        return [listed_environment(row) for row in self._accounts.read("list_environments", project_id=project_id)]

    def _environment(self, wanted: str) -> Any:
        rows = self._accounts.read("list_environments", project_id=self._who.project_id)
        for row in rows:
            if row["archived_at"] is None and environment_named(row, wanted):
                return row
        raise NotFound(near_names("environment", wanted, [name_of(row) for row in rows if row["archived_at"] is None]))

    def _key(self, key_id: str) -> Any:
        for row in self._accounts.read("list_keys", project_id=self._who.project_id, org_id=self._who.org_id):
            if row["id"] == key_id:
                return row
        raise NotFound(f"no key {key_id!r} in this project; list them with `detent keys list`")

    def _person(self, email: str | None) -> Any:
        people = self.list_people()["items"]
        for person in people:
            if person["id"] == self._who.person_id if email is None else person["email"] == email.lower():
                if person["id"] != self._who.person_id and self._who.role not in ("owner", "admin"):
                    break
                return person
        if email is None:
            raise InvalidOptions("say for whom: a personal key needs the email of a person of the organisation")
        raise NotFound(near_names("person", email, [person["email"] for person in people]))

    def _first_owner(self) -> Any:
        owners = [person for person in self.list_people()["items"] if person["role"] == "owner"]
        if len(owners) > 1:
            raise InvalidOptions("say as whom, by email: " + ", ".join(person["email"] for person in owners))
        return owners[0] if owners else self.add_person(email="owner@localhost", name="Owner", role="owner")


def _check(what: str, text: Any, pattern: re.Pattern[str], expected: str) -> None:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise InvalidOptions(f"{what} must be {expected}; got {text!r}")


def _name(text: Any) -> str:
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= NAME_CHARS:
        raise InvalidOptions(f"name must be a text of 1 to {NAME_CHARS} characters, got {text!r}")
    return text.strip()


def _positive(value: Any, what: str) -> int:
    ms = parse_duration(value, what)
    if ms <= 0:
        raise InvalidOptions(f"{what} must be positive, got {value!r}")
    return ms
