from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from detent.accounts.local_key import local_key

MAKE = """
import sys
import time
from pathlib import Path
from detent.accounts.local_key import local_key
sys.stdout.write("ready\\n")
sys.stdout.flush()
moment = float(sys.stdin.readline())
time.sleep(max(0.0, moment - time.time() - 0.002))
while time.time() < moment:
    pass
print(local_key(Path(sys.argv[1])))
"""


def test_all_servers_that_begin_at_once_have_the_same_key(tmp_path: Path) -> None:
    """Given servers of one folder that share a database, when they start together, then none fails and none has a
    key of its own."""
    command = [sys.executable, "-c", MAKE]
    for number in range(8):
        folder = tmp_path / str(number)
        folder.mkdir()
        makers = [
            subprocess.Popen([*command, str(folder)], stdin=-1, stdout=-1, stderr=-1, text=True) for _ in range(2)
        ]
        for maker in makers:
            assert maker.stdout is not None
            assert maker.stdout.readline() == "ready\n"
        moment = f"{time.time() + 0.05}\n"
        for maker in makers:
            assert maker.stdin is not None
            maker.stdin.write(moment)
            maker.stdin.flush()
        said = [maker.communicate() for maker in makers]
        assert [error for _, error in said] == ["", ""]
        assert {key.strip() for key, _ in said} == {local_key(folder)}
        assert [path.name for path in folder.iterdir()] == ["key"]


def test_an_empty_key_file_is_filled(tmp_path: Path) -> None:
    (tmp_path / "key").touch(mode=0o600)
    made = local_key(tmp_path)
    assert made == local_key(tmp_path)
    assert (tmp_path / "key").read_text().strip() == made
