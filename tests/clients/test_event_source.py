"""An `EventSource` as browsers have it, from the npm registry, reads a stream with nothing but an address."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.faults.project import Project, wait_for
from tests.faults.test_following import TASKS, breaking

from detent import Detent
from detent.client import HttpTransport
from detent.embedded import running_server

pytestmark = pytest.mark.clients

PAGE = """
import { EventSource } from "eventsource";
const source = new EventSource(process.argv[2]);
const seen = [];
let opened = 0, end = null;
source.onopen = () => { opened++; };
source.onmessage = (event) => { seen.push([event.lastEventId, JSON.parse(event.data)]); console.error(seen.length); };
source.addEventListener("end", (event) => { end = JSON.parse(event.data); });
// It is not closed: it comes back after the end, and is told that there is no more.
source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) console.log(JSON.stringify({ opened, seen, end }));
};
"""


def test_an_event_source_comes_back_by_itself_and_stops_at_the_end(tmp_path: Path) -> None:
    """Given connections that break, when a page reads a stream, then it has each part once, and comes back no more once
    it was told of the end."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "page.mjs").write_text(PAGE)
    (page / "package.json").write_text('{"private": true}')
    subprocess.run(["npm", "install", "--silent", "eventsource@4"], cwd=page, check=True, timeout=300)
    with Project(tmp_path / "p", TASKS) as project:
        project.dev()
        server = running_server(project.root / ".detent")
        assert server is not None
        transport = HttpTransport(server.url, server.key)
        run = Detent(transport).tasks.trigger("talks", 200)
        transport.close()
        with breaking(server.url, 1_000) as (address, carried):
            url = f"{address}/realtime/v1/streams/{run.id}/tokens?token={run.public_access_token}"
            with subprocess.Popen(["node", "page.mjs", url], cwd=page, stdout=subprocess.PIPE, text=True) as node:
                wait_for("connections break", lambda: len(carried) > 2)
                project.open_gate("end")
                said, _ = node.communicate(timeout=120)
    told = json.loads(said)
    assert told["opened"] > 2
    assert told["seen"] == [[str(number + 1), f"{number} "] for number in range(200)]
    assert told["end"] == {"status": "COMPLETED", "closed": False}
