"""`detent install-rules`: rule sets for assistants in a project, kept up to date and taken out again."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.options import AsJson

if TYPE_CHECKING:
    from detent.config import Config
    from detent_cli.assistants.rule_files import Rules
    from detent_cli.assistants.rules import RuleTarget

__all__ = ["app", "install_usual"]

app = typer.Typer(
    help="Rule sets for assistants, in the files where they look for them.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Force = Annotated[bool, typer.Option("--force", help="Also what was changed by hand.")]


@app.callback()
def install_rules(
    context: typer.Context,
    *,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "-t",
            metavar="NAME,...",
            help="Which assistants, by id; those that the project uses unless set.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="NAME,...",
            help="Which rule sets: basic, advanced, config, realtime, agents, all.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: the set `basic`, unless others are named.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where rules are older or changed by hand, for CI.")
    ] = False,
    list_targets: Annotated[
        bool, typer.Option("--list", help="List rule sets, what each costs, and assistants.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Install rules for assistants: how tasks are written here, and what goes wrong often.

    Files that others write to get one marked block; files of detent's own are written over only as detent wrote them.
    """
    if context.invoked_subcommand is not None:
        return
    rules = _rules()
    if list_targets:
        _print_choices(rules, as_json)
        return
    if check:
        _print_status(rules, as_json, only_wrong=True)
        return
    targets, options = _choices(rules, target, option, unasked=yes or dry_run)
    _print(rules.install(targets, options, force=force, dry_run=dry_run), rules.root, as_json, force=force)


@app.command("status")
def status(as_json: AsJson = False) -> None:
    """Which rules are installed, and whether they are those of this version; the exit status is 1 where not."""
    _print_status(_rules(), as_json, only_wrong=False)


@app.command("update")
def update(force: Force = False, as_json: AsJson = False) -> None:
    """Bring installed rules to this version, and to what the project is now."""
    rules = _rules()
    _print(rules.update(force=force), rules.root, as_json, force=force)


@app.command("uninstall")
def uninstall(force: Force = False, as_json: AsJson = False) -> None:
    """Take the rules out again: the blocks, and the files."""
    rules = _rules()
    _print(rules.uninstall(force=force), rules.root, as_json, force=force)


def install_usual(root: Path) -> None:
    """The usual rules for the assistants that the project at `root` uses, without a question."""
    from detent.config import load_config
    from detent_cli.assistants.rule_files import Rules

    rules = Rules(load_config(root))
    targets, options = _choices(rules, None, None, unasked=True)
    _print(rules.install(targets, options), rules.root, as_json=False, force=False)


def _rules() -> Rules:
    from detent.config import load_config
    from detent_cli.assistants.rule_files import Rules

    config: Config = load_config()
    return Rules(config)


def _choices(
    rules: Rules, target: Sequence[str] | None, option: Sequence[str] | None, *, unasked: bool
) -> tuple[list[RuleTarget], list[str]]:
    from detent.errors import near_names
    from detent_cli.assistants.rules import OPTIONS, rule_targets, targets_named

    targets = targets_named(_split(target))
    options = _split(option)
    if options == ["all"]:
        options = list(OPTIONS)
    for name in options:
        if name not in OPTIONS:
            raise typer.BadParameter(near_names("rule set", name, OPTIONS), param_hint="--option")
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    used = [each for each in rule_targets() if each.is_used(rules.root)]
    if not targets:
        usual = used or targets_named(["agents-md"])
        if not unasked and not is_terminal:
            found = ", ".join(each.id for each in usual)
            raise typer.BadParameter(
                f"nobody can be asked here; say --target NAME, or --yes for {found}", param_hint="--target"
            )
        targets = usual if unasked else _ask_targets(usual)
    if not options:
        if not unasked and not is_terminal:
            raise typer.BadParameter(
                "nobody can be asked here; say --option NAME, or --yes for basic", param_hint="--option"
            )
        options = [OPTIONS[0]] if unasked else _ask_options(rules)
    return targets, options


def _split(given: Sequence[str] | None) -> list[str]:
    return [name.strip() for each in given or () for name in each.split(",") if name.strip()]


def _ask_targets(usual: Sequence[RuleTarget]) -> list[RuleTarget]:
    from detent_cli.assistants.rules import rule_targets

    everything = rule_targets()
    typer.echo("Assistants that read rules (* the project uses):")
    for number, target in enumerate(everything, 1):
        typer.echo(f"  {number:2} {'*' if target in usual else ' '} {target.name}")
    numbers = ", ".join(str(everything.index(target) + 1) for target in usual)
    return [everything[number - 1] for number in _numbers("Which?", numbers, len(everything))]


def _ask_options(rules: Rules) -> list[str]:
    typer.echo("Rule sets, and about how many tokens each costs:")
    sets = rules.sets()
    for number, one in enumerate(sets, 1):
        typer.echo(f"  {number:2} {one.name:<9} ~{one.tokens:>5,}  {one.description}")
    return [sets[number - 1].name for number in _numbers("Which?", "1", len(sets))]


def _numbers(question: str, usual: str, most: int) -> list[int]:
    while True:
        answer = typer.prompt(f"{question} Numbers with commas, or all", default=usual).strip().lower()
        if answer in ("all", "a", "*"):
            return list(range(1, most + 1))
        parts = answer.replace(",", " ").split()
        if parts and all(each.isdigit() and 1 <= int(each) <= most for each in parts):
            return sorted({int(each) for each in parts})
        typer.echo(f"A number is from 1 to {most}.")


def _print(done: Sequence[Any], root: Path, as_json: bool, *, force: bool) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json({"files": [{"path": str(each.path), "action": each.action, "name": each.name} for each in done]})
    else:
        for each in done:
            typer.echo(f"{each.action:9} {os.path.relpath(each.path, root)}")
        if not done:
            typer.echo("nothing is installed here; install rules with `detent install-rules`")
    if not force and any(each.action == "changed" for each in done):
        typer.echo("What was changed by hand was left alone; --force writes over it.", err=True)
        raise typer.Exit(1)


def _print_status(rules: Rules, as_json: bool, *, only_wrong: bool) -> None:
    found = rules.status()
    wrong = [each for each in found if each.action != "current"]
    if as_json:
        from detent_cli.console import print_json

        print_json({"files": [{"path": str(each.path), "state": each.action, "name": each.name} for each in found]})
    else:
        for each in wrong if only_wrong else found:
            typer.echo(f"{each.action:9} {os.path.relpath(each.path, rules.root)}")
        if not found:
            typer.echo("no rules of detent are installed here; install them with `detent install-rules`", err=True)
    if wrong or not found:
        raise typer.Exit(1)


def _print_choices(rules: Rules, as_json: bool) -> None:
    from detent_cli.assistants.rules import rule_targets

    if as_json:
        from detent_cli.console import print_json

        print_json(
            {
                "options": [
                    {"name": each.name, "description": each.description, "tokens": each.tokens} for each in rules.sets()
                ],
                "targets": [
                    {"id": each.id, "name": each.name, "used": each.is_used(rules.root)} for each in rule_targets()
                ],
            }
        )
        return
    for one in rules.sets():
        typer.echo(f"{one.name:<12} ~{one.tokens:>5,} tokens  {one.description}")
    typer.echo("")
    for target in rule_targets():
        typer.echo(f"{target.id:<12} {'used here' if target.is_used(rules.root) else '':<10} {target.name}")
