"""`detent doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from detent_cli.options import AsJson

if TYPE_CHECKING:
    from detent.config import Config
    from detent.doctor import Examination

__all__ = ["doctor"]

_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "bold yellow"), "failed": ("failed", "bold red")}
_ENDS = {
    "ok": "Nothing is wrong.",
    "warning": "It works; the warnings say what could be better.",
    "failed": "Something does not work; begin with the first that failed.",
}


def doctor(as_json: AsJson = False) -> None:
    """Look at Python, the project, the database, the broker, the object store, the server and its engine, and at the
    assistants that were connected.

    Needs nothing running. The exit status is 1 when something failed; warnings do not count.
    """
    from detent.doctor import examine
    from detent.doctor.examination import CHECKS, Check
    from detent_cli.assistants.checking import check_assistants

    found = examine(_settings, [*CHECKS, Check("assistants", check_assistants)])
    if as_json:
        from detent_cli.console import print_json

        print_json(_document(found))
    else:
        _print(found)
    if found.status == "failed":
        raise typer.Exit(1)


def _settings() -> Config:
    """Those of the project, and of the profile in use where it names a server."""
    from detent.config import load_config
    from detent_cli.remote import remote

    config = load_config()
    there = remote()
    if there is None:
        return config
    return replace(
        config, api_url=there.url, secret_key=there.key, project_slug=there.project, environment=there.environment
    )


def _document(found: Examination) -> dict[str, object]:
    from detent import __version__

    checks = [
        {
            "check": finding.check,
            "status": finding.status,
            "message": finding.message,
            "advice": finding.advice,
            "figures": dict(finding.figures),
        }
        for finding in found.findings
    ]
    return {"status": found.status, "version": __version__, "checks": checks}


def _print(found: Examination) -> None:
    from rich.text import Text

    from detent_cli.console import clean, stdout

    console = stdout()
    for finding in found.findings:
        mark, style = _MARKS[finding.status]
        line = Text(f"{mark:<8}", style=style).append(f"{finding.check:<19}", style="dim")
        console.print(line.append(clean(finding.message), style="none"), soft_wrap=True)
        if finding.advice is not None:
            console.print(Text(f"{'':8}{'':19}{clean(finding.advice)}", style="cyan"), soft_wrap=True)
    console.print()
    console.print(_ENDS[found.status], soft_wrap=True)
