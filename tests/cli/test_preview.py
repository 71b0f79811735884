"""`detent preview`, previews that deployments make, and `detent init` with a project of a server."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from tests.cli.conftest import Project, make_project

from detent.config import load_config
from detent.connected_folder import connect_folder
from detent.deploy.previews import branch_to_preview, gone_branches, preview_branch
from detent.errors import ConfigError, InvalidOptions


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a remote, on a branch of its own."""
    for name in ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_BRANCH", "BRANCH_NAME", "CI_DEFAULT_BRANCH"):
        monkeypatch.delenv(name, raising=False)
    git(tmp_path, "init", "--bare", "origin.git")
    root = tmp_path / "shop"
    root.mkdir()
    git(root, "init")
    git(root, "commit", "--allow-empty", "-m", "begin")
    git(root, "remote", "add", "origin", "../origin.git")
    git(root, "push", "-q", "origin", "main")
    git(root, "switch", "-q", "-c", "feat/Ünïcode")
    return root


def test_the_branch_of_a_preview_is_that_of_the_checkout_unless_it_is_named(checkout: Path) -> None:
    assert branch_to_preview(checkout) == "feat/Ünïcode"
    assert branch_to_preview(checkout, "other") == "other"
    assert preview_branch("preview", None, checkout) == "feat/Ünïcode"
    assert preview_branch("preview/x/y", None, checkout) == preview_branch("preview/x/y", "x/y", checkout) == "x/y"
    assert preview_branch("prod", None, checkout) is preview_branch(None, None, checkout) is None
    # The default branch, by name alone
    git(checkout, "switch", "-q", "main")
    with pytest.raises(InvalidOptions, match="main is the default branch"):
        branch_to_preview(checkout)
    assert branch_to_preview(checkout, "main") == "main"
    # What the remote has checked out is the default branch, whatever it is called
    git(checkout, "switch", "-q", "-c", "trunk")
    git(checkout, "push", "-q", "origin", "trunk")
    git(checkout, "remote", "set-head", "origin", "trunk")
    with pytest.raises(InvalidOptions, match="trunk is the default branch"):
        branch_to_preview(checkout)
    git(checkout, "checkout", "-q", "--detach")
    with pytest.raises(InvalidOptions, match="detached"):
        branch_to_preview(checkout)
    with pytest.raises(InvalidOptions, match="no git repository"):
        branch_to_preview(checkout.parent)
    wrong = ("prod", "x", "is for previews"), (None, "x", "is for previews"), ("preview/a", "b", "leave one")
    for env, branch, said in wrong:
        with pytest.raises(InvalidOptions, match=said):
            preview_branch(env, branch, checkout)


def test_a_branch_is_gone_when_neither_the_repository_nor_a_remote_has_it(checkout: Path) -> None:
    # Given a branch that is only here, one that is only at the remote, and one that was merged and deleted
    git(checkout, "push", "-q", "origin", "main:refs/heads/remote/only")
    wanted = ["feat/Ünïcode", "remote/only", "merged", "main"]
    assert gone_branches(checkout, wanted) == ["merged"]
    # When the remote does not answer, nobody knows
    (checkout.parent / "origin.git").rename(checkout.parent / "moved.git")
    with pytest.raises(ConfigError, match="does not answer"):
        gone_branches(checkout, wanted)
    with pytest.raises(InvalidOptions, match="no git repository"):
        gone_branches(checkout.parent, wanted)


def test_previews_are_made_listed_and_archived(checkout: Path) -> None:
    project = make_project(checkout / "app")
    # Given the preview of the branch that is checked out
    made = project.json("preview", "create")
    assert (made["name"], made["created"]) == ("preview/feat/Ünïcode", True)
    secret = made["key"]["secret"]
    again = project.detent("preview", "create")
    assert again.stdout == "preview/feat/Ünïcode\n"
    assert secret not in project.detent("keys", "list").stdout
    assert made["key"]["id"] in project.detent("keys", "list").stdout
    quiet = project.detent("preview", "create", "--branch", "gone/one", "-q")
    assert quiet.stdout.startswith("dt_prev_")
    assert quiet.stdout.count("\n") == 1
    # Then commands reach it by its name, whatever letters it has, and nothing of it is elsewhere
    token = project.json("--env", made["name"], "tokens", "create")["id"]
    assert token in project.detent("tokens", "list", DETENT_ENVIRONMENT=made["name"]).stdout
    assert token not in project.detent("tokens", "list").stdout
    # When those whose branch is gone are to be archived, nobody is there to be asked
    asked = project.detent("preview", "archive", "--gone")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "preview/gone/one; say --yes" in asked.stderr
    done = project.json("preview", "archive", "--gone", "--yes")["items"]
    assert [(each["name"], each["canceled_runs"]) for each in done] == [("preview/gone/one", 0)]
    assert project.json("preview", "archive", "--gone", "--yes") == {"items": []}
    # Then
    assert [env["name"] for env in project.json("preview", "list")["items"]] == [made["name"]]
    assert len(project.json("preview", "list", "--archived")["items"]) == 2
    refused = project.detent("--env", "preview/gone/one", "tokens", "list")
    assert refused.returncode == 1
    assert "preview/gone/one is archived" in refused.stderr
    assert "gone/one" in project.detent("--env", "preview/gone/one", "preview", "create", "--branch", "gone/one").stdout
    for arguments, said in (
        (("preview", "create", "--branch", "a b"), "it has a space"),
        (("preview", "archive", "--branch", "feat/Ünicode"), "did you mean 'preview/feat/Ünïcode'"),
        (("preview", "archive", "--gone", "--branch", "x"), "choose one"),
        (("environments", "archive", "prod"), "cannot be archived"),
    ):
        wrong = project.detent(*arguments)
        assert wrong.returncode in (1, 2)
        assert said in wrong.stderr


def test_a_deployment_makes_the_preview_of_its_branch_and_brings_it_back(checkout: Path) -> None:
    project = make_project(
        checkout / "app", 'from detent import task\n\n\n@task(id="preview-hi")\ndef hi() -> None: ...\n'
    )
    # When
    first = project.detent("deploy", "--env", "preview")
    assert first.returncode == 0, first.stderr
    assert "preview/feat/Ünïcode is new" in first.stderr
    # Then it runs there alone, and has a key
    [version] = project.json("deploys", "list", "--env", "preview")["items"]
    assert (version["environment"], version["status"]) == ("preview/feat/Ünïcode", "DEPLOYED")
    assert project.json("deploys", "list", "--env", "prod")["items"] == []
    assert [key["environment"] for key in project.json("keys", "list")["items"]] == ["preview/feat/Ünïcode"]
    # When it is archived and deployed again
    assert project.detent("preview", "archive", "--branch", "feat/Ünïcode").returncode == 0
    again = project.detent("deploy", "--env", "preview", "--force")
    # Then it is back
    assert again.returncode == 0, again.stderr
    assert "is back" in again.stderr
    assert len(project.json("deploys", "list", "--env", "preview")["items"]) == 2


def test_a_folder_is_connected_with_a_project_of_a_server(served: Project, tmp_path: Path) -> None:
    told = served.json("whoami")
    assert told["project"] == "shop"
    server = load_server(served)
    folder = Project(tmp_path)
    # Without a server there is none to connect with
    alone = folder.detent("init", "--yes", "--create-project", "Blog")
    assert alone.returncode in (1, 2)
    assert "detent login --url" in alone.stderr
    assert list(tmp_path.iterdir()) == []
    # A project that is not there leaves the folder as it was
    wrong = folder.detent("init", "--yes", "--project", "blogg", **server)
    assert wrong.returncode == 1
    assert "no project named 'blogg'" in wrong.stderr
    assert list(tmp_path.iterdir()) == []
    # When one is made
    done = folder.json("init", "--yes", "--create-project", "My blog", **server)
    # Then the folder says so, and its commands are about it
    assert (done["remote"]["created"], done["remote"]["project"]["slug"]) == (True, "my-blog")
    assert tomllib.loads((tmp_path / "detent.toml").read_text())["project"] == "my-blog"
    assert folder.json("whoami", **server)["project"] == "my-blog"
    assert folder.json("whoami", DETENT_PROJECT="shop", **server)["project"] == "shop"
    assert served.json("whoami")["project"] == "shop"
    # And doing it again changes nothing
    again = folder.json("init", "--yes", "--project", "my-blog", **server)
    assert again["remote"]["created"] is False
    assert {change["action"] for change in again["changes"]} == {"kept"}
    for arguments in (("--project", "a", "--create-project", "b"), ("--project", "a", "--no-remote")):
        assert folder.detent("init", "--yes", *arguments, **server).returncode == 2
    assert "a-z and 0-9" in folder.detent("init", "--yes", "--create-project", "日本", **server).stderr


def load_server(project: Project) -> dict[str, str]:
    import json

    told = json.loads((project.root / ".detent" / "server.json").read_text())
    return {"DETENT_API_URL": told["url"], "DETENT_SECRET_KEY": told["key"]}


def test_settings_that_are_there_keep_all_but_the_project(tmp_path: Path) -> None:
    before = '\ufeff[project]\r\nname = "x"\r\n\r\n[tool.detent]\r\nproject = "old" # why\r\ndirs = ["tasks"]\r\n'
    file = tmp_path / "pyproject.toml"
    file.write_bytes(before.encode())
    assert connect_folder(tmp_path, "shop").action == "changed"
    assert file.read_bytes().decode() == before.replace('"old"', '"shop"')
    assert connect_folder(tmp_path, "shop").action == "kept"
    assert load_config(tmp_path).slug == "shop"
    with pytest.raises(ConfigError, match="detent init"):
        connect_folder(tmp_path / "nowhere", "shop")


def test_init_waits_for_nobody(tmp_path: Path) -> None:
    done = Project(tmp_path).detent("init", "--project", "shop")
    assert done.returncode == 2
    assert "detent init --yes" in done.stderr
