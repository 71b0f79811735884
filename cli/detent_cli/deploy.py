"""`detent deploy`: bring the project to an environment."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from detent_cli.lazy import SETTINGS
from detent_cli.options import AsJson
from detent_cli.project import connected
from detent_cli.target import Branch, Env, Prod, aim, look_at, make_preview

if TYPE_CHECKING:
    from typer._click import Context

    from detent.config import Config

__all__ = ["app"]

_DOTENV = ".env"
#: Who deploys, where continuous integration says it.
_ACTORS = (
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILDKITE_BUILD_CREATOR",
    "CIRCLE_USERNAME",
    "BITBUCKET_STEP_TRIGGERER_UUID",
)


class _Command(TyperCommand):
    """Lets ``--sync-env`` stand without its file."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        filled = []
        for place, argument in enumerate(args):
            filled.append(argument)
            if argument == "--sync-env" and (place + 1 == len(args) or args[place + 1].startswith("-")):
                filled.append(_DOTENV)
        return super().parse_args(ctx, filled)


app = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=SETTINGS)


@app.command("deploy", cls=_Command)
def deploy(
    *,
    env: Env = None,
    prod: Prod = False,
    branch: Branch = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build and check here, show what would be deployed, send nothing.")
    ] = False,
    skip_promotion: Annotated[
        bool, typer.Option("--skip-promotion", help="Do not make the version current; detent promote does it later.")
    ] = False,
    sync_env: Annotated[
        str | None,
        typer.Option(
            "--sync-env",
            metavar="[FILE]",
            help="Set the variables of a .env file in the environment, before promotion.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Deploy although the current version has the same files.")
    ] = False,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="What is new; else the commit says it.")
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", "--no-wait", help="Do not wait until workers have prepared the version.")
    ] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="Longest time for all of it; then it is canceled.")
    ] = "30m",
    build_logs: Annotated[
        Literal["compact", "full"], typer.Option("--build-logs", help="A line for each step, or all that is written.")
    ] = "compact",
    as_json: AsJson = False,
) -> None:
    """Build the project here, and bring it to an environment: all of it, or nothing changes there.

    detent deploy --env prod
    """
    from detent.config import load_config

    if dry_run:
        look_at(env, prod, branch)
        from detent_cli.deploy_trial import show_trial

        raise typer.Exit(show_trial(load_config(), full=build_logs == "full", as_json=as_json))
    where = aim("detent deploy", env, prod, branch)
    if where == "dev":
        from detent.errors import InvalidOptions

        raise InvalidOptions(
            "dev is served by `detent dev`, from your files as they are; deploy to staging, prod or preview"
        )
    config = load_config()
    variables = _variables(config, sync_env)
    make_preview(where)
    from detent_cli.deploy_progress import Progress

    with Progress(where, full=build_logs == "full", as_json=as_json) as progress, connected() as client:
        from detent.deploy import DeploymentFailed
        from detent.deploy import deploy as bring

        try:
            with _termination():
                done = bring(
                    config,
                    client.transport,
                    skip_promotion=skip_promotion,
                    force=force,
                    message=message,
                    by=_who(),
                    variables=variables,
                    wait=not detach,
                    timeout=timeout,
                    on_event=progress.hear,
                )
        except DeploymentFailed as error:
            progress.failed(error)
            raise typer.Exit(1) from None
    progress.finished(done)


def _variables(config: Config, file: str | None) -> dict[str, str]:
    """What stands in a .env file; detent's own settings are none of the workers' business."""
    if file is None:
        return {}
    path = Path(file).expanduser()
    if file == _DOTENV and not path.exists():
        path = config.root / _DOTENV
    from detent.model.dotenv import parse_dotenv

    try:
        found = parse_dotenv(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint="--sync-env") from None
    except UnicodeDecodeError as error:
        raise typer.BadParameter(
            f"{path} is not UTF-8 text: byte {error.start} cannot be read", param_hint="--sync-env"
        ) from None
    own = [name for name in found if name.startswith("DETENT_")]
    if own:
        typer.echo(f"Not set, since they are settings of detent itself: {', '.join(own)}", err=True)
    return {name: value for name, value in found.items() if name not in own}


def _who() -> str | None:
    """Who deploys, for others to read."""
    import getpass

    named = next((value for name in _ACTORS if (value := os.environ.get(name))), None)
    if named is None:
        try:
            named = getpass.getuser()
        except (KeyError, OSError):
            return None
    return named[:128]


@contextmanager
def _termination() -> Iterator[None]:
    """Within the block SIGTERM is like Ctrl-C: what is under way is canceled, then it ends."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
