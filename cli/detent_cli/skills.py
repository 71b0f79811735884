"""`detent skills`: what assistants know of detent, in the folders where they look for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson

if TYPE_CHECKING:
    from detent_cli.assistants.ledger import Ledger
    from detent_cli.assistants.placing import Placed, Wanted
    from detent_cli.assistants.skill_files import Skill
    from detent_cli.assistants.skill_places import SkillPlace

__all__ = ["app"]

app = new_app()

Names = Annotated[list[str] | None, typer.Argument(metavar="[SKILL]...", help="Which; all unless named.")]
Target = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        "-t",
        metavar="NAME,...",
        help="Whose folders: agents (.agents/skills), claude-code, windsurf, junie, kiro, qwen, roo, goose, crush, "
        "continue, auggie. The first two, and those that the project has a folder of, unless set.",
    ),
]
Scope = Annotated[str, typer.Option(metavar="project|user", help="This project, or you everywhere.")]
Force = Annotated[bool, typer.Option("--force", help="Also files that were changed by hand.")]


@app.command("list")
def list_skills(scope: Scope = "project", target: Target = None, as_json: AsJson = False) -> None:
    """List the skills that come with detent, what each costs, and where it is installed."""
    from detent_cli.assistants.skill_files import skills

    root, places, ledger = _where(scope, target)
    rows = [
        {
            "name": skill.name,
            "description": skill.description,
            "tokens": skill.tokens,
            "installed": {place.id: state for place in places if (state := _state(skill, place, scope, root, ledger))},
        }
        for skill in skills()
    ]
    if as_json:
        from detent_cli.console import print_json

        print_json({"skills": rows})
        return
    from rich.table import Table

    from detent_cli.console import clean, stdout

    table = Table("SKILL", "TOKENS", "INSTALLED", "WHEN", box=None, header_style="bold")
    for row in rows:
        installed = row["installed"]
        assert isinstance(installed, dict)
        told = ", ".join(f"{name} ({state})" if state != "current" else name for name, state in installed.items())
        table.add_row(str(row["name"]), f"~{row['tokens']:,}", told, clean(str(row["description"])))
    stdout().print(table)


@app.command("add")
def add(
    names: Names = None,
    *,
    scope: Scope = "project",
    target: Target = None,
    link: Annotated[bool, typer.Option("--link", help="Link to the files of this installation, do not copy.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Install skills where assistants look for them. Installing again changes nothing."""
    from detent import __version__
    from detent_cli.assistants.placing import put

    root, places, ledger = _where(scope, target)
    files = [file for skill in _chosen(names) for place in places for file in _files(skill, place, scope, root)]
    _tell(put(files, ledger, __version__, link=link, force=force), root, as_json)


@app.command("update")
def update(scope: Scope = "project", target: Target = None, force: Force = False, as_json: AsJson = False) -> None:
    """Bring installed skills to this version: newer files are written, those that are not there any more removed."""
    from detent import __version__
    from detent.errors import NotFound
    from detent_cli.assistants.placing import put, remove

    root, places, ledger = _where(scope, target)
    files, stale = _installed(scope, root, places, ledger)
    if not files and not stale:
        raise NotFound("no skill of detent is installed here; install them with `detent skills add`")
    done = put(files, ledger, __version__, force=force, link=_links(ledger))
    _tell([*done, *remove(stale, ledger, root, force=force)], root, as_json)


@app.command("remove")
def remove_skills(
    names: Names = None, scope: Scope = "project", target: Target = None, force: Force = False, as_json: AsJson = False
) -> None:
    """Take skills out again, all unless named."""
    from detent.errors import NotFound
    from detent_cli.assistants.placing import remove

    root, places, ledger = _where(scope, target)
    folders = {place.folder(scope, root) for place in places}
    wanted = {skill.name for skill in _chosen(names)} if names else None
    paths = [
        (path, each.name)
        for each in ledger.all("skill")
        if (wanted is None or each.name in wanted)
        and any(folder in (path := ledger.place(each)).parents for folder in folders)
    ]
    if not paths:
        raise NotFound("no such skill of detent is installed here; see `detent skills list`")
    _tell(remove(paths, ledger, root, force=force), root, as_json)


@app.command("check")
def check(scope: Scope = "project", target: Target = None, as_json: AsJson = False) -> None:
    """Whether installed skills are those of this version, for CI; the exit status is 1 where one is not."""
    from detent_cli.assistants.placing import Placed, state_of

    root, places, ledger = _where(scope, target)
    files, stale = _installed(scope, root, places, ledger)
    found = [Placed(file.path, state_of(file, ledger), file.name) for file in files]
    found += [Placed(path, "outdated", name) for path, name in stale]
    wrong = [each for each in found if each.action != "current"]
    if not found:
        typer.echo("no skill of detent is installed here; install them with `detent skills add`", err=True)
    _tell(wrong if not as_json else found, root, as_json)
    if wrong or not found:
        raise typer.Exit(1)


def _where(scope: str, target: Sequence[str] | None) -> tuple[Path, list[SkillPlace], Ledger]:
    from detent_cli.assistants.ledger import ledger_of
    from detent_cli.assistants.skill_places import chosen_places

    if scope not in ("project", "user"):
        raise typer.BadParameter(f"{scope!r} is none; scopes are: project, user", param_hint="--scope")
    root = Path.home() if scope == "user" else _project()
    named = [name.strip() for each in target or () for name in each.split(",") if name.strip()]
    return root, chosen_places(named, root), ledger_of(scope, root)


def _project() -> Path:
    import os

    from detent.config import find_root

    named = os.environ.get("DETENT_PROJECT_DIR")
    return Path(named).resolve() if named else find_root(Path.cwd())


def _chosen(names: Sequence[str] | None) -> list[Skill]:
    from detent_cli.assistants.skill_files import skill_named, skills

    return [skill_named(name) for name in names] if names else list(skills())


def _files(skill: Skill, place: SkillPlace, scope: str, root: Path) -> list[Wanted]:
    from detent_cli.assistants.placing import Wanted

    folder = place.folder(scope, root) / skill.name
    return [
        Wanted(folder / name, (skill.folder / name).read_bytes(), "skill", skill.name, skill.folder / name)
        for name in skill.files
    ]


def _state(skill: Skill, place: SkillPlace, scope: str, root: Path, ledger: Ledger) -> str | None:
    """How a skill is in a place; None where it is not."""
    from detent_cli.assistants.placing import state_of

    states = {state_of(file, ledger) for file in _files(skill, place, scope, root)}
    if states == {"missing"}:
        return None
    return next((state for state in ("changed", "outdated", "missing") if state in states), "current")


def _installed(
    scope: str, root: Path, places: Sequence[SkillPlace], ledger: Ledger
) -> tuple[list[Wanted], list[tuple[Path, str]]]:
    """The files of skills that are installed, as they should be; and those that no skill has any more."""
    from detent_cli.assistants.skill_files import skills

    files = [
        file
        for skill in skills()
        for place in places
        if (place.folder(scope, root) / skill.name).is_dir()
        for file in _files(skill, place, scope, root)
    ]
    wanted = {file.path for file in files}
    folders = {place.folder(scope, root) for place in places}
    stale = [
        (path, each.name)
        for each in ledger.all("skill")
        if (path := ledger.place(each)) not in wanted
        and any(folder in path.parents for folder in folders)
        and path.exists()
    ]
    return files, stale


def _links(ledger: Ledger) -> bool:
    installed = ledger.all("skill")
    return bool(installed) and all(each.link for each in installed)


def _tell(done: Sequence[Placed], root: Path, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [{"path": str(each.path), "action": each.action, "name": each.name} for each in done]
    if as_json:
        from detent_cli.console import print_json

        print_json({"files": rows})
    else:
        for each in done:
            shown = each.path.relative_to(root) if each.path.is_relative_to(root) else each.path
            typer.echo(f"{each.action:9} {shown}")
    if any(each.action == "changed" for each in done):
        typer.echo("Files that were changed by hand were left alone; --force overwrites them.", err=True)
