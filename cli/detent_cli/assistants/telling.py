"""A word to a person whose assistant has learned from an older detent: once for each version, and to persons only."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from packaging.version import InvalidVersion, Version

from detent.config import Config
from detent.errors import DetentError
from detent_cli.assistants.config_file import write_whole
from detent_cli.assistants.ledger import ledger_of

__all__ = ["in_assistant", "older_note"]

#: What assistants set in the shells that they run commands in.
_SIGNS = (
    "AI_AGENT", "AUGMENT_AGENT", "CLAUDECODE", "CODEX_SANDBOX", "CODEX_THREAD_ID", "CURSOR_AGENT", "GEMINI_CLI",
    "GOOSE_PROVIDER", "OPENCODE", "QWEN_CODE", "REPL_ID",
)  # fmt: skip


def in_assistant() -> bool:
    """Whether an assistant runs this command, and not a person."""
    return any(os.environ.get(sign) for sign in _SIGNS)


def older_note(config: Config, version: str) -> str | None:
    """What to say, where skills or rules of an older detent are in the project; None where all is well, where it was
    said before, and where nobody reads it."""
    if in_assistant() or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return None
    older = {each.kind for each in ledger_of("project", config.root).all() if _is_older(each.version, version)}
    told = config.state_dir / "told-older"
    if not older or _last_told(told) == version:
        return None
    with suppress(DetentError):
        write_whole(told, version.encode())
    commands = ["detent skills update"] if "skill" in older else []
    commands += ["detent install-rules update"] if older & {"rules", "block"} else []
    return (
        f"what assistants know of detent here is of an older version; bring it to {version}: {' and '.join(commands)}"
    )


def _last_told(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return None


def _is_older(one: str, other: str) -> bool:
    try:
        return Version(one) < Version(other)
    except InvalidVersion:
        return False
