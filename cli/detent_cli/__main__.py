"""The `detent` command. What goes wrong is told in one line: on standard error, or as JSON with `--json`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

__all__ = ["main", "run"]

FAILURE, MISUSE, INTERRUPTED = 1, 2, 130


def main() -> None:
    """Run the command that the process was started with, and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a replaced stream keeps its ways
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as `head` does. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = FAILURE
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit status: 0, 1 for a failure, 2 for misuse, 130 when interrupted."""
    as_json = _wants_json(arguments)
    try:
        from detent_cli.app import make_command

        # Typer words misuse for people by itself; for programs the error is needed as a value.
        outcome = make_command().main(list(arguments), prog_name="detent", standalone_mode=not as_json)
        return outcome if isinstance(outcome, int) else 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILURE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("DETENT_DEBUG"):
            raise
        code, message, status = _told(error)
        _tell(code, message, as_json=as_json)
        return status


def _wants_json(arguments: Sequence[str]) -> bool:
    own = list(arguments)
    return "--json" in (own[: own.index("--")] if "--" in own else own)


def _told(error: Exception) -> tuple[str, str, int]:
    """Code, text and exit status of an error."""
    from detent.errors import DetentError, InvalidOptions

    if isinstance(error, DetentError):
        return error.code, error.message, MISUSE if isinstance(error, InvalidOptions) else FAILURE
    if isinstance(error, TimeoutError):
        return "timeout", str(error) or "timed out", FAILURE
    from typer import TyperException

    if isinstance(error, TyperException):
        return "usage", error.format_message(), error.exit_code
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return "os_error", f"{place}{error.strerror}", FAILURE
    return (
        "internal_error",
        f"unexpected {type(error).__name__}: {error}; run it again with DETENT_DEBUG=1 to see where",
        FAILURE,
    )


def _tell(code: str, message: str, *, as_json: bool) -> None:
    from detent_cli.console import print_json, tell_error

    if as_json:
        print_json({"error": {"code": code, "message": message}})
    else:
        tell_error(message)


if __name__ == "__main__":
    main()
