"""Preview environments: isolated, archived while runs execute, and brought back."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from tests.server.project import KEY, MANIFEST, Project

from detent.client import Detent
from detent.engine import Engine
from detent.engine.variables import variables_for_worker
from detent.errors import Conflict, Forbidden, InvalidOptions, NotFound, Unauthorized
from detent.model.account_views import NewEnvironment
from detent.model.branches import BRANCH_CHARS
from detent.model.manifest import Manifest, ScheduleSpec, TaskSpec
from detent.model.protocol import Claim, Claimed, Failure, Finish, Grant, Hello, NewRun, Trigger
from detent.server.http import HttpServer
from detent.vault import Vault


class Reach(Protocol):
    def __call__(self, secret_key: str | None = KEY, **about: str) -> Detent: ...


both = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])


@pytest.fixture
def reach(server: HttpServer) -> Iterator[Reach]:
    """Makes clients of the server over HTTP, which are closed at the end."""
    with ExitStack() as opened:
        yield lambda key=KEY, **about: opened.enter_context(Detent(api_url=server.url, secret_key=key, **about))


class Worker:
    """A worker of an environment, which does as it is told."""

    def __init__(self, engine: Engine, env: str, manifest: Manifest = MANIFEST, name: str = "worker_p") -> None:
        self._engine = engine
        hello = Hello(name, manifest, 1, 1.0, "host", env=env)
        self.session, self.welcome = engine.connect(hello, lambda _push: None)

    def claim(self) -> list[Grant]:
        [answer] = self._engine.handle(self.session, [Claim(async_=10)])
        assert isinstance(answer, Claimed)
        return answer.grants

    def say(self, request: Any) -> Any:
        return self._engine.handle(self.session, [request])[0]


def secret_of(made: NewEnvironment) -> str:
    assert made.key is not None
    return made.key.secret


def statuses(project: Project, env: str) -> dict[str, int]:
    rows = project.store.read("view_active_states", env=env)
    return {row["state"]: row["n"] for row in rows}


def test_a_preview_has_a_key_of_its_own_which_reaches_it_alone(reach: Reach) -> None:
    owner = reach()
    # Given two previews and prod, with a run in each
    made = owner.environments.create("feature/login")
    other = owner.environments.create("feature/logout")
    assert (made.name, made.created, made.returned) == ("preview/feature/login", True, False)
    secret = secret_of(made)
    assert secret.startswith("dt_prev_")
    assert secret not in repr(made)
    ours, theirs = reach(secret), reach(secret_of(other))
    run = ours.tasks.trigger("plain", {"n": 1})
    foreign = theirs.tasks.trigger("plain", {"n": 2})
    in_prod = reach(environment="prod").tasks.trigger("plain", {"n": 3})
    # Then each sees its own, whatever it says that it is about
    assert [item.id for item in ours.runs.list().page().items] == [run.id]
    for beyond in (foreign.id, in_prod.id):
        with pytest.raises(NotFound):
            ours.runs.retrieve(beyond)
        with pytest.raises(NotFound):
            ours.runs.cancel(beyond)
    for name in ("prod", "dev", "preview", other.name, other.id):
        with pytest.raises(NotFound, match="this key is for 'preview/feature/login'"):
            reach(secret, environment=name).whoami()
    # And it makes, archives and opens nothing
    for act in (
        lambda: ours.environments.create("feature/more"),
        lambda: ours.environments.archive(other.name),
        lambda: ours.environments.archive(made.name),
        lambda: ours.keys.create("more", environment="prod"),
        lambda: ours.keys.list(),
        lambda: ours.projects.initialize("default", key="prod"),
        lambda: ours.projects.initialize("another"),
    ):
        with pytest.raises(Forbidden):
            act()
    # And its key is listed, without the secret
    assert [key.environment for key in owner.keys.list()] == [other.name, made.name]
    # And who asks again gets the same environment, and no other key
    again = owner.environments.create("feature/login")
    assert (again.id, again.created, again.key) == (made.id, False, None)


@pytest.mark.parametrize(
    "branch",
    ["feat/x", "Ünïcode", "100%/a+b", "日本語/ブランチ", "x" * 200, "a#b", "deep/er/and/deeper", "release-1.2", "a@b"],
)
def test_branches_of_any_name_have_an_environment(reach: Reach, branch: str) -> None:
    made = reach().environments.create(branch)
    assert (made.branch, made.name) == (branch, f"preview/{branch}")
    # Its name goes through headers and addresses, its key needs none
    assert reach(environment=made.name).whoami().environment == made.name
    assert reach(secret_of(made), environment=made.name).whoami().environment == made.name
    assert reach().environments.archive(made.name).archived
    with pytest.raises(NotFound, match="is archived"):
        reach(environment=made.name).whoami()


@pytest.mark.parametrize(
    "wrong",
    ["", "a b", "..", "a..b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a:b", "a~1", "a^", "-x", "@", "HEAD",
     "a\nb", "a\u200bb", "a\\b", "a@{1}", "x" * (BRANCH_CHARS + 1), "refs/heads/"],
)  # fmt: skip
def test_what_git_takes_for_no_branch_is_refused(project: Project, wrong: str) -> None:
    with pytest.raises(InvalidOptions, match="branch"):
        Detent(project.transport).environments.create(wrong)


def test_branches_that_look_alike_are_apart_and_spellings_of_one_are_not(project: Project) -> None:
    client = Detent(project.transport)
    made = [client.environments.create(name) for name in ("feat/x", "feat-x", "Feat/x", "feat.x", "feat_x")]
    assert len({env.id for env in made}) == len(made)
    composed = client.environments.create(unicodedata.normalize("NFC", "Ünï"))
    assert client.environments.create(unicodedata.normalize("NFD", "Ünï")).id == composed.id
    assert client.environments.create("refs/heads/feat/x").id == made[0].id


@both
def test_an_archived_preview_takes_nothing_and_comes_back(project: Project, reach: Reach) -> None:
    owner = reach()
    # Given a preview with runs that execute, wait their turn and sleep
    made = owner.environments.create("feature/x")
    secret = secret_of(made)
    preview = reach(secret)
    worker = Worker(project.engine, made.id)
    executing = preview.tasks.trigger("plain", 1)
    [grant] = worker.claim()
    assert grant.run_id == executing.id
    queued = [preview.tasks.trigger("plain", n).id for n in range(3)]
    delayed = preview.tasks.trigger("plain", 9, delay="1h").id
    schedule = preview.schedules.create(task="plain", cron="* * * * *", deduplication_key="often")
    bystander = reach(environment="staging").tasks.trigger("plain", 5)
    begun = preview.transport.call("deployments.create")
    # When it is archived
    done = owner.environments.archive(made.name)
    # Then what is unfinished is cancelled, and told
    assert (done.name, done.canceled_runs) == (made.name, 5)
    assert statuses(project, made.id) == {"EXECUTING": 1}
    inside = project.operations.in_env(made.id)
    for run_id in (*queued, delayed):
        assert inside.call("runs.retrieve", id=run_id)["status"] == "CANCELED"
    assert inside.call("deployments.retrieve", id=begun["id"])["status"] == "CANCELED"
    assert reach(environment="staging").runs.retrieve(bystander.id).status != "CANCELED"
    # And its key, its name and what was opened before are refused
    with pytest.raises(Unauthorized, match="preview/feature/x, is archived"):
        reach(secret).tasks.trigger("plain", 1)
    with pytest.raises(NotFound, match="is archived"):
        reach(environment=made.name).runs.list().page()
    with pytest.raises(Conflict, match="is archived and takes no runs"):
        inside.call("runs.replay", id=queued[0])
    with pytest.raises(Conflict, match="is archived"):
        inside.call("deployments.create")
    assert inside.call("deployments.supervise", supervisor="s", host="h")["versions"] == []
    # And no schedule makes a run
    assert inside.call("schedules.retrieve", id=schedule.id)["next_at"] is None
    # And the run that executed ends
    worker.say(Finish(grant.run_id, grant.epoch, "CANCELED"))
    assert statuses(project, made.id) == {}
    assert owner.environments.archive(made.id).canceled_runs == 0
    assert made.name not in [env.name for env in owner.environments.list(archived=False)]
    # When it comes back
    back = owner.environments.create("feature/x")
    # Then with its key and what it had, and nothing that was cancelled goes on
    assert (back.id, back.returned, back.created, back.key) == (made.id, True, False, None)
    again = reach(secret)
    assert again.schedules.retrieve(schedule.id).next_at is not None
    assert again.runs.retrieve(queued[0]).status == "CANCELED"
    assert again.tasks.trigger("plain", 2).id in [run.id for run in again.runs.list().page().items]


def test_a_run_of_an_archived_preview_starts_no_others(project: Project, reach: Reach) -> None:
    made = reach().environments.create("feature/x")
    worker = Worker(project.engine, made.id)
    reach(secret_of(made)).tasks.trigger("plain", 1)
    [grant] = worker.claim()
    reach().environments.archive(made.name)
    answer = worker.say(Trigger(grant.run_id, grant.epoch, "k", [NewRun("", "plain", "1")]))
    assert isinstance(answer, Failure)
    assert "is archived" in answer.message


@both
def test_declared_schedules_are_off_in_previews_unless_they_name_them(project: Project) -> None:
    client = Detent(project.transport)
    env = client.environments.create("feature/x").id

    def tasks(*specs: tuple[str, list[str] | None], cron: str = "* * * * *") -> Manifest:
        return Manifest(
            [TaskSpec(name, f"task/{name}", schedule=ScheduleSpec(cron, "UTC", envs)) for name, envs in specs], []
        )

    def active(version: str, manifest: Manifest) -> dict[str, bool]:
        Worker(project.engine, env, manifest, f"worker_{version}")
        listed = project.operations.in_env(env).call("schedules.list")["items"]
        assert all((item["next_at"] is not None) == item["active"] for item in listed)
        return {item["task"]: item["active"] for item in listed}

    # Given tasks with schedules: of all environments, of previews too, of prod alone
    first = tasks(("all", None), ("named", ["preview", "prod"]), ("prod", ["prod"]))
    assert active("1", first) == {"all": False, "named": True}
    # When one says in its code that it is for previews, it runs there
    assert active("2", tasks(("all", ["preview"]), ("named", None))) == {"all": True, "named": False}
    # When somebody activates another, it stays active, whatever is deployed
    [named] = [
        item for item in project.operations.in_env(env).call("schedules.list")["items"] if item["task"] == "named"
    ]
    project.operations.in_env(env).call("schedules.activate", id=named["id"])
    assert active("3", tasks(("all", None), ("named", None), cron="0 * * * *")) == {"all": False, "named": True}
    # And in other environments they are on
    Worker(project.engine, "prod", first, "worker_prod")
    listed = project.operations.in_env("prod").call("schedules.list")["items"]
    assert {item["task"]: item["active"] for item in listed} == {"all": True, "named": True, "prod": True}
    # And in those of another project, whose ids are no names
    other = client.projects.create("other")
    prod = next(each.id for each in other.environments if each.name == "prod")
    Worker(project.engine, prod, first, "worker_other")
    assert len(project.operations.in_env(prod).call("schedules.list")["items"]) == 3


@both
def test_previews_have_the_variables_of_preview_and_their_own(project: Project, reach: Reach) -> None:
    # Given a variable that all previews share, one of them with another value, and one of prod
    shared = reach(environment="preview")
    shared.envvars.upload({"REGION": "eu", "API_KEY": "sk-shared-0123456789"})
    reach(environment="prod").envvars.create("API_KEY", "sk-prod-0123456789")
    made = [reach().environments.create(branch) for branch in ("a", "b")]
    a, b = (reach(secret_of(env)) for env in made)
    a.envvars.create("REGION", "us", is_secret=False)
    # Then
    assert [(v.name, v.inherited) for v in a.envvars.list()] == [("API_KEY", True), ("REGION", False)]
    assert [(v.name, v.inherited) for v in b.envvars.list()] == [("API_KEY", True), ("REGION", True)]
    assert a.envvars.retrieve("API_KEY").value is None
    with pytest.raises(NotFound, match="--env preview env"):
        b.envvars.delete("REGION")
    vault: Vault = project.operations._beside.keywords["vault"]
    given = [variables_for_worker(project.store, vault, env.id) for env in made]
    assert given[0].values == {"API_KEY": "sk-shared-0123456789", "REGION": "us"}
    assert given[1].values == {"API_KEY": "sk-shared-0123456789", "REGION": "eu"}
    assert (given[1].secret, given[1].yields) == (["API_KEY", "REGION"], False)
    assert "sk-prod" not in str(given)
    # And the shared secret is hidden in what previews show, also when it changes
    run = b.tasks.trigger("plain", {"text": "uses sk-shared-0123456789"})
    assert "[redacted]" in str(b.runs.retrieve(run.id).payload)
    shared.envvars.update("API_KEY", "other-secret-0123456789")
    run = b.tasks.trigger("plain", {"text": "uses other-secret-0123456789"})
    assert "[redacted]" in str(b.runs.retrieve(run.id).payload)


def test_the_environment_preview_itself_takes_no_runs(reach: Reach) -> None:
    shared = reach(environment="preview")
    assert shared.whoami().environment == "preview"
    with pytest.raises(Conflict, match="--env preview/BRANCH"):
        shared.tasks.trigger("plain", 1)
    with pytest.raises(Conflict, match="--env preview/BRANCH"):
        shared.transport.call("deployments.create")
    with pytest.raises(Conflict, match="only previews of branches"):
        reach().environments.archive("preview")


def test_a_person_makes_no_preview_where_their_role_does_not_allow_it(reach: Reach) -> None:
    # Given Ada, a developer here and a viewer in another organisation
    owner = reach()
    owner.people.add("ada@example.com", role="developer")
    key = owner.keys.create("laptop", personal=True, email="ada@example.com").secret
    owner.orgs.create("acme")
    owner.projects.create("rocket", organization="acme")
    reach(project="rocket").people.add("ada@example.com", role="viewer")
    ada = reach(key, project="default")
    # Then
    assert ada.environments.create("feature/x").created
    for act in (
        lambda: ada.environments.create("feature/x", project="rocket"),
        lambda: ada.projects.initialize("rocket", key="prod"),
        lambda: ada.projects.initialize("new-one"),
        lambda: reach(key, project="rocket").environments.create("feature/x"),
    ):
        with pytest.raises(Forbidden):
            act()
    assert not [env for env in reach(project="rocket").environments.list() if env.branch]
    assert ada.projects.initialize("rocket").project.slug == "rocket"


def test_a_project_is_initialised_once(reach: Reach, server: HttpServer) -> None:
    owner = reach()
    first = owner.projects.initialize("my-shop", name="My shop", key="dev")
    assert (first.created, first.project.name, first.configuration) == (True, "My shop", {"project": "my-shop"})
    assert [env.name for env in first.project.environments] == ["dev", "staging", "prod"]
    assert first.key is not None
    assert reach(first.key.secret).whoami().project == "my-shop"
    again = owner.projects.initialize("my-shop")
    assert (again.created, again.project, again.key) == (False, first.project, None)
    with pytest.raises(NotFound, match="did you mean 'prod'"):
        owner.projects.initialize("my-shop", key="prodd")
    with pytest.raises(InvalidOptions, match="slug"):
        owner.projects.initialize("My Shop")


def test_a_secret_that_is_told_once_is_kept_for_no_repeated_request(server: HttpServer) -> None:
    import httpx

    headers = {"authorization": f"Bearer {KEY}", "idempotency-key": "once"}
    with httpx.Client(base_url=server.url, trust_env=False, headers=headers) as client:
        told = [client.post("/api/v1/environments", json={"branch": "x"}).json() for _ in range(2)]
    assert told[0]["key"]["secret"].startswith("dt_prev_")
    assert (told[1]["id"], told[1]["key"]) == (told[0]["id"], None)
