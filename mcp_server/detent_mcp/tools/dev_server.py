"""The dev server of the project on this machine, as a child that ends with this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..call import Call
from ..connection import Connection
from ..refusals import Refusal
from ..results import row
from ..tool import tool
from ..untrusted import mark_present, shown_text

if TYPE_CHECKING:
    from detent.config import Config

__all__ = ["dev_server", "dev_server_status"]

_MOST, _LINE = 200, 300


@tool(
    "dev_server",
    "Start or stop the project's dev server (API, worker, reload), or see its status and last lines. It ends with this "
    "MCP server.",
    title="Dev server",
    effect="writes",
    about="nothing",
    here=True,
    idempotent=True,
    unless=lambda values: values.get("action", "status") == "status",
)
async def dev_server(
    call: Call,
    *,
    action: Literal["status", "start", "stop"] = "status",
    lines: Annotated[int, "last lines, 0-200, default 20"] = 20,
) -> dict[str, Any]:
    connection = _connection(call)
    config = await connection.project(call.caller)
    if action == "start":
        return await _start(connection, config, lines)
    if action == "stop":
        return await _stop(connection, config, lines)
    return _status(connection, config, lines)


@tool(
    "dev_server",
    "Status and last lines of the project's dev server.",
    title="Dev server",
    about="nothing",
    here=True,
    stands_in=True,
)
async def dev_server_status(
    call: Call, *, lines: Annotated[int, "last lines, 0-200, default 20"] = 20
) -> dict[str, Any]:
    connection = _connection(call)
    return _status(connection, await connection.project(call.caller), lines)


async def _start(connection: Connection, config: Config, lines: int) -> dict[str, Any]:
    from detent.embedded import running_server

    if running_server(config.state_dir) is not None:
        return _status(connection, config, lines) | {"note": "it ran already; nothing was started"}
    await connection.start_dev(config)
    return _status(connection, config, lines) | {"note": "started; it stops with this MCP server"}


async def _stop(connection: Connection, config: Config, lines: int) -> dict[str, Any]:
    from detent.embedded import running_server

    if connection.dev is not None and connection.dev.runs:
        await connection.dev.stop()
        return _status(connection, config, lines) | {"note": "stopped; runs that wait go on when it is started again"}
    server = running_server(config.state_dir)
    if server is None:
        return _status(connection, config, lines) | {"note": "none ran"}
    raise Refusal(
        f"the server of {config.root} (process {server.pid}, {server.url}) was not started from here, so it is not "
        "stopped from here",
        next="ask the user to stop it where it was started (Ctrl-C)",
        code="conflict",
    )


def _status(connection: Connection, config: Config, lines: int) -> dict[str, Any]:
    from detent.embedded import running_server

    if not 0 <= lines <= _MOST:
        raise Refusal(f"lines must be 0 to {_MOST}, got {lines}", code="invalid_arguments")
    server = running_server(config.state_dir)
    child = connection.dev if connection.dev is not None and connection.dev.config.root == config.root else None
    kept = [] if child is None or not lines else list(child.lines)[-lines:]
    told = {"project_folder": str(Path(config.root)), "running": server is not None} | row(
        url=None if server is None else server.url,
        pid=None if server is None else server.pid,
        started_here=None if server is None else child is not None and child.runs,
        lines=[shown_text(line, _LINE) for line in kept],
    )
    if server is None:
        told["next"] = 'dev_server(action="start")' if not connection.readonly else f"cd {config.root} && detent dev"
    elif child is None:
        told["next"] = "get_current_worker(); its lines are where it was started"
    else:
        told["next"] = "get_current_worker()"
    return mark_present(told, "lines")


def _connection(call: Call) -> Connection:
    if not isinstance(call.connecting, Connection):
        raise Refusal("this server is far from the project's files", code="not_offered")
    return call.connecting
