"""`detent dev`, `detent server`, `detent worker`: the long-running commands."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["dev", "server", "worker"]

Host = Annotated[str | None, typer.Option(metavar="HOST", help="Where to listen; 127.0.0.1 unless set.")]
Port = Annotated[
    int | None, typer.Option(metavar="PORT", min=0, max=65535, help="8377 unless set; 0 takes a free one.")
]
Processes = Annotated[
    int | None,
    typer.Option("--workers", "--processes", metavar="N", min=1, help="Worker processes."),
]
Threads = Annotated[int | None, typer.Option(metavar="N", min=1, help="Runs of `def` tasks at once in each process.")]
AsyncLimit = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Runs of `async def` tasks at once in each process.")
]
EventsAsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for each event.")]


def dev(
    *,
    host: Host = None,
    port: Port = None,
    processes: Processes = None,
    threads: Threads = None,
    async_limit: AsyncLimit = None,
    no_reload: Annotated[bool, typer.Option("--no-reload", help="Do not watch the files.")] = False,
    as_json: EventsAsJson = False,
) -> None:
    """Run server and workers of the project here, show runs as they happen, reload when files change."""
    from detent.config import load_config
    from detent.dev import run_dev
    from detent.errors import InvalidOptions

    config = load_config()
    if config.environment not in (None, "dev"):
        raise InvalidOptions(
            f"`detent dev` serves the environment dev, not {config.environment}; leave --env and DETENT_ENVIRONMENT "
            f"out, and serve the other one beside it with `detent worker --env {config.environment}`"
        )
    status = run_dev(
        config,
        host=host,
        port=port,
        processes=processes,
        threads=threads,
        async_limit=async_limit,
        reload=not no_reload,
        json=as_json,
    )
    raise typer.Exit(status)


def server(host: Host = None, port: Port = None, as_json: EventsAsJson = False) -> None:
    """Run the server alone; workers connect to it."""
    from detent.config import load_config
    from detent.dev import run_server

    raise typer.Exit(run_server(load_config(), host=host, port=port, json=as_json))


def worker(
    *,
    processes: Processes = None,
    threads: Threads = None,
    async_limit: AsyncLimit = None,
    env: Annotated[
        str | None,
        typer.Option("--env", metavar="NAME", help="Whose runs they execute: dev unless set, staging, prod."),
    ] = None,
) -> None:
    """Run workers alone; they connect to the server of this project."""
    from detent.config import load_config
    from detent.worker.run import run_workers

    status = run_workers(load_config(), processes=processes, threads=threads, async_limit=async_limit, environment=env)
    raise typer.Exit(status)
