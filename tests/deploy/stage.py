"""A project with a server and supervisors of versions, as processes, and deployments to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from tests.deploy.project import write

from detent.client.http import HttpTransport
from detent.config import load_config
from detent.deploy import Environments, build_bundle, lock_of
from detent.deploy.building import build_project
from detent.embedded import running_server
from detent.model.ids import new_id
from detent.model.protocol import NewRun

COMMAND = [sys.executable, "-m", "detent_cli"]
PATIENCE_S = 60.0


def until(what: Callable[[], Any]) -> Any:
    """What `what` gives, once it is true."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come true")


class Stage:
    """A project in `root`, and the environment prod of its server."""

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        self.root = write(root / "shop", {"detent.toml": 'dirs = ["tasks"]\n', **files})
        self.cache = root / "cache"
        self.log = root / "supervisor.log"
        self.variables = {**os.environ, "DETENT_CACHE_DIR": str(self.cache)}
        self._pretended: Mapping[str, str] = {}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.transport: HttpTransport | None = None

    def serve(self) -> None:
        process = self._run("server", "--port", "0", "--json", log=self.root.parent / "server.log")
        self.server = process

        def found() -> Any:
            server = running_server(self.root / ".detent")
            return server if server is not None and server.pid == process.pid else None

        server = until(found)
        if self.transport is not None:
            self.transport.close()
        self.transport = HttpTransport(server.url, server.key, environment="prod")

    def supervise(self, *options: str) -> subprocess.Popen[bytes]:
        return self._run("worker", "--env", "prod", *options, log=self.log)

    def call(self, operation: str, **values: Any) -> Any:
        assert self.transport is not None
        return self.transport.call(operation, **values)

    def deploy(self, files: Mapping[str, str] | None = None) -> str:
        """Bring the folder as it is now to prod; its version, which may not be deployed yet."""
        write(self.root, files or {})
        made = self.call("deployments.create")
        config = load_config(self.root, {})
        build = build_project(config, self.root.parent / "builds", environments=Environments(self.cache))
        bundle = build.bundle
        if self._pretended:
            write(self.root, self._pretended)
            bundle = build_bundle(config, self.root.parent / "builds", on_line=lambda _: None)
        assert self.transport is not None
        self.transport.put_bundle(bundle.hash, bundle.path)
        self.call(
            "deployments.finalize",
            id=made["id"],
            manifest=msgspec.to_builtins(build.manifest),
            bundle={"hash": bundle.hash, "bytes": bundle.bytes, "files": len(bundle.files)},
            lock_hash=lock_of(self.root).hash,
            python=build.python,
        )
        return str(made["version"])

    def pretend(self, files: Mapping[str, str]) -> None:
        """Put `files` into bundles from now on, after they were tried without them."""
        self._pretended = files

    def deployed(self, files: Mapping[str, str] | None = None) -> str:
        """The same, once it is current."""
        version = self.deploy(files)
        until(lambda: self.deployment(version)["is_current"])
        return version

    def deployment(self, version: str) -> Any:
        return self.call("deployments.retrieve", id=version)

    def trigger(self, task: str, payload: Any = None) -> str:
        run = NewRun(new_id("run"), task, msgspec.json.encode(payload).decode())
        assert self.transport is not None
        return self.transport.trigger([run])[0].id

    def run(self, run_id: str) -> Any:
        return self.call("runs.retrieve", id=run_id)

    def ended(self, run_id: str) -> Any:
        """The run, once it has ended."""
        until(lambda: self.run(run_id)["finished_at"])
        return self.run(run_id)

    def said(self, text: str) -> None:
        """Return once a supervisor has said `text`."""
        until(lambda: self.log.exists() and text in self.log.read_text())

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as stream:
            process = subprocess.Popen(
                [*COMMAND, *arguments], cwd=self.root, env=self.variables, stdout=stream, stderr=stream
            )
        self.processes.append(process)
        return process
