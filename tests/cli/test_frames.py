from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest

from detent_cli.frames import own_frames


def test_only_the_frames_of_the_users_own_code_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given code of a project that fails within Python's library
    file = tmp_path / "shop.py"
    code = "import json\n\ndef load(text):\n    return json.loads(text)\n"
    file.write_text(code)
    space: dict[str, object] = {}
    exec(compile(code, str(file), "exec"), space)
    monkeypatch.chdir(tmp_path)
    # When its traceback is read
    try:
        space["load"]("{")  # type: ignore[operator]
    except json.JSONDecodeError:
        frames = own_frames(traceback.format_exc())
    # Then the library's frames are left out, and files are named from here
    inner = [frame for frame in frames if frame.file == "shop.py"]
    assert [(frame.line, frame.function, frame.code) for frame in inner] == [(4, "load", "return json.loads(text)")]
    assert not [frame for frame in frames if "json" in Path(frame.file).parts]
    assert str(inner[0]) == "shop.py:4 in load    return json.loads(text)"


def test_a_text_that_is_no_traceback_has_no_frames() -> None:
    assert own_frames("") == []
    assert own_frames("something went wrong\nFile missing") == []
