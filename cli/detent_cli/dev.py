"""`detent dev`, `detent server`, `detent worker`: the long-running commands."""

from __future__ import annotations

import os
import signal
import threading
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
LogFormat = Annotated[
    str | None,
    typer.Option(
        "--log-format", metavar="FORMAT", help="Write logs to standard error: text, or json for one object a line."
    ),
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
    until_eof: Annotated[bool, typer.Option("--until-eof", help="Stop when standard input ends, for parents.")] = False,
    as_json: EventsAsJson = False,
) -> None:
    """Run server and workers of the project here, show runs as they happen, reload when files change."""
    from detent.config import load_config
    from detent.dev import run_dev
    from detent.errors import InvalidOptions
    from detent_cli.mcp_mount import McpMount

    config = load_config()
    if config.environment not in (None, "dev"):
        raise InvalidOptions(
            f"`detent dev` serves the environment dev, not {config.environment}; leave --env and DETENT_ENVIRONMENT "
            f"out, and serve the other one beside it with `detent worker --env {config.environment} --local`"
        )
    if until_eof:
        threading.Thread(target=_stop_at_eof, name="detent-eof", daemon=True).start()
    elif (config.state_dir / "agents.lock.json").exists():
        from detent import __version__
        from detent_cli.assistants.telling import older_note

        note = older_note(config, __version__)
        if note is not None:
            typer.echo(note, err=True)
    status = run_dev(
        config,
        host=host,
        port=port,
        processes=processes,
        threads=threads,
        async_limit=async_limit,
        reload=not no_reload,
        json=as_json,
        mcp=McpMount(),
    )
    raise typer.Exit(status)


def server(
    *, host: Host = None, port: Port = None, log_format: LogFormat = None, as_json: EventsAsJson = False
) -> None:
    """Run the server alone; workers connect to it. With --log-format no runs are shown, only logs.

    SIGTERM or Ctrl-C: requests under way may end; a second one ends it at once. GET /ready is for load balancers.
    """
    from detent.config import load_config
    from detent.dev import run_server
    from detent_cli.mcp_mount import McpMount

    _log_as(log_format)
    view = as_json or log_format is None
    status = run_server(load_config(), host=host, port=port, json=as_json, view=view, mcp=McpMount())
    raise typer.Exit(status)


def worker(
    *,
    processes: Processes = None,
    concurrency: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Runs at once in each process: --threads and --async-limit in one."),
    ] = None,
    threads: Threads = None,
    async_limit: AsyncLimit = None,
    machine: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...",
            help="Take only runs for these machines: presets, labels such as gpu-l4, `default` for runs that name "
            "none, `*` for all. Unless set: all but labels.",
        ),
    ] = None,
    queues: Annotated[
        list[str] | None, typer.Option(metavar="NAME,...", help="Claim only from these queues; from all unless set.")
    ] = None,
    api_url: Annotated[
        str | None, typer.Option(metavar="URL", help="A server anywhere, to work for over HTTP; needs a key.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="A key for it with workers:write; DETENT_SECRET_KEY unless set.")
    ] = None,
    env: Annotated[
        str | None,
        typer.Option(
            "--env",
            metavar="NAME",
            help="Whose runs they execute: dev unless set, staging, prod, preview/BRANCH. Except in dev they run the "
            "versions that were deployed there.",
        ),
    ] = None,
    local: Annotated[
        bool,
        typer.Option("--local", help="Run the code of this folder, where nothing is deployed."),
    ] = False,
    log_format: LogFormat = None,
) -> None:
    """Run workers alone: for this project's server, for the database that DETENT_DATABASE_URL names, or, with a URL and
    a key, for a server anywhere. With --env they run what `detent deploy` brought there, each version in an environment
    of its own."""
    from detent.config import load_config
    from detent.worker.kind import Kind
    from detent_cli.remote import remote

    _log_as(log_format)
    config = load_config()
    kind = Kind(processes, threads, async_limit, concurrency, _names(machine), _names(queues))
    url = api_url or config.api_url
    # A database that is named here goes before a server that one is logged in to.
    there = None if url is not None or config.database_path is None else remote()
    if url is None and there is None:
        if key is not None:
            raise typer.BadParameter("a key is for a server: name it with --api-url or DETENT_API_URL")
        named = env or config.environment
        if named not in (None, "dev") and not local:
            _tell_of_versions(log_format)
            from detent.worker.versions import run_versions

            raise typer.Exit(run_versions(config, kind, environment=named))
        from detent.worker.run import run_workers

        raise typer.Exit(run_workers(config, kind, environment=env))
    url = url or (there.url if there else "")
    key = key or (there.key if there else None)
    project = config.project_slug or (there.project if there else None)
    named = env or config.environment or (there.environment if there else None)
    if named not in (None, "dev") and not local:
        _tell_of_versions(log_format)
        from detent.worker.versions import run_versions

        raise typer.Exit(run_versions(config, kind, environment=named, url=url, key=key, project=project))
    from detent.worker.remote import run_remote_workers

    raise typer.Exit(run_remote_workers(config, url, key, kind=kind, project=project, environment=named))


def _stop_at_eof() -> None:
    """Stop as by Ctrl-C when whoever started this has gone: nothing is ever written to standard input."""
    # Not by `sys.stdin`: a thread that holds its lock would be fatal to an interpreter that ends meanwhile.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _log_as(kind: str | None) -> None:
    if kind is None:
        return
    from detent.process_logs import FORMATS, log_to_stderr

    if kind not in FORMATS:
        raise typer.BadParameter(f"--log-format is {kind!r}; expected text or json")
    log_to_stderr(kind)


def _tell_of_versions(log_format: str | None) -> None:
    """Without a form of logs, show what becomes of versions, and nothing else of what is logged."""
    if log_format is not None:
        return
    import logging

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    versions = logging.getLogger("detent.versions")
    versions.addHandler(handler)
    versions.setLevel(logging.INFO)
    versions.propagate = False


def _names(options: list[str] | None) -> list[str]:
    """Names that are separated by commas, said once or several times."""
    return [name.strip() for option in options or () for name in option.split(",")]
