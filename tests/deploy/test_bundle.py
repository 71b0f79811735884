from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.deploy.project import config, task, write

from detent.deploy import build_bundle, check_bundle, extract_bundle
from detent.deploy.archive import header
from detent.errors import DeployError

KEY = "sk-" + "proj-Ab3dEf6hIj9kLmN0pQrS"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(
        tmp_path / "project",
        {
            "pyproject.toml": "[project]\nname = 'a'\n",
            "tasks/a.py": task("bundled"),
            "run.sh": "#!/bin/sh\n",
            "é/ü.txt": "x",
        },
    )


def refusal(root: Path, into: Path, settings: str = "") -> DeployError:
    with pytest.raises(DeployError) as caught:
        build_bundle(config(root, settings), into)
    assert not into.exists() or not list(into.iterdir())
    return caught.value


def test_the_same_files_make_the_same_bytes_whatever_else_differs(project: Path, tmp_path: Path) -> None:
    first = build_bundle(config(project), tmp_path / "out")
    other = tmp_path / "elsewhere"
    before = os.umask(0o077)
    try:
        # Written in another order, with other rights and times.
        for path in sorted(project.rglob("*"), reverse=True):
            if path.is_file():
                write(other, {path.relative_to(project).as_posix(): path.read_bytes()})
                os.utime(other / path.relative_to(project), (1, 1))
    finally:
        os.umask(before)

    second = build_bundle(config(other), tmp_path / "out2")

    assert first.hash == second.hash
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.path.name == f"{first.hash}.tar"


def test_the_form_of_a_bundle_is_fixed() -> None:
    # Changing it changes the hash of every bundle: versions of detent that meet have to agree.
    blocks = header("tasks/a.py", 5, executable=False) + header("é" * 60 + "/" + "x" * 120, 3, executable=True)
    assert hashlib.sha256(blocks).hexdigest() == "78def8b8f164ea89aa6bf398df94f33e38fe35694cf23ee659e7977b37840371"


def test_content_name_and_the_right_to_run_make_another_bundle(project: Path, tmp_path: Path) -> None:
    hashes = [build_bundle(config(project), tmp_path / "out").hash]
    (project / "run.sh").chmod(0o755)
    hashes.append(build_bundle(config(project), tmp_path / "out").hash)
    (project / "run.sh").rename(project / "ran.sh")
    hashes.append(build_bundle(config(project), tmp_path / "out").hash)
    (project / "ran.sh").write_text("#!/bin/bash\n")
    hashes.append(build_bundle(config(project), tmp_path / "out").hash)

    assert len(set(hashes)) == 4


def test_a_bundle_comes_out_as_it_went_in(project: Path, tmp_path: Path) -> None:
    long = "/".join(["a-rather-long-name-of-a-folder-" + "x" * 90] * 3) + "/" + "ü" * 100 + ".txt"
    write(project, {long: "deep", "empty": "", "block": b"\0" * 512, "binary": os.urandom(1000)})
    (project / "run.sh").chmod(0o700)

    bundle = build_bundle(config(project), tmp_path / "out")
    entries = extract_bundle(bundle.path, bundle.hash, tmp_path / "into/version")

    assert entries == list(bundle.files) == check_bundle(bundle.path, bundle.hash)
    assert bundle.bytes == bundle.path.stat().st_size
    for entry in entries:
        made = tmp_path / "into/version" / entry.name
        assert made.read_bytes() == (project / entry.name).read_bytes()
        assert bool(made.stat().st_mode & 0o100) == entry.executable == (entry.name == "run.sh")
    assert [path.name for path in (tmp_path / "into").iterdir()] == ["version"]


def test_other_programs_can_read_a_bundle(project: Path, tmp_path: Path) -> None:
    write(project, {"ü" * 110 + ".txt": "long"})
    bundle = build_bundle(config(project), tmp_path / "out")

    with tarfile.open(bundle.path) as archive:
        assert sorted(archive.getnames()) == [file.name for file in bundle.files]
        long = archive.extractfile("ü" * 110 + ".txt")
        assert long is not None
        assert long.read() == b"long"


def test_all_secrets_are_named_at_once_without_their_values(project: Path, tmp_path: Path) -> None:
    write(
        project, {".env": "A=1\n", "tasks/key.py": f"\nKEY = '{KEY}'\n", "tls/server.key": "x", ".env.example": "A=\n"}
    )

    error = refusal(project, tmp_path / "out")

    assert "3 problems" in str(error)
    assert "  .env: by its name it holds variables of an environment\n" in str(error)
    assert "  tasks/key.py:2: this looks like a key of OpenAI" in str(error)
    assert "  tls/server.key: by its name it holds a private key\n" in str(error)
    assert 'allow_secrets = [".env", "tasks/key.py", "tls/server.key"]' in str(error)
    assert ".detentignore" in str(error)
    assert KEY not in str(error)
    assert [problem.file for problem in error.problems] == [".env", "tasks/key.py", "tls/server.key"]


def test_an_env_file_that_git_ignores_is_simply_left_out(project: Path, tmp_path: Path) -> None:
    write(project, {".env": "A=1\n", ".gitignore": ".env\n"})

    bundle = build_bundle(config(project), tmp_path / "out")

    assert ".env" not in [file.name for file in bundle.files]


def test_a_link_to_an_env_file_is_one(project: Path, tmp_path: Path) -> None:
    write(project, {".env": "A=1\n", ".gitignore": ".env\n"})
    (project / "settings.txt").symlink_to(".env")

    assert "settings.txt: by its name it holds variables" in str(refusal(project, tmp_path / "out"))


def test_what_is_allowed_goes_in(project: Path, tmp_path: Path) -> None:
    write(project, {"tests/.env": "A=1\n", "tasks/key.py": f"KEY = '{KEY}'\n"})

    bundle = build_bundle(config(project, '[deploy]\nallow_secrets = ["tests/*", "tasks/key.py"]\n'), tmp_path / "out")

    assert {"tests/.env", "tasks/key.py"} <= {file.name for file in bundle.files}


def test_a_bundle_that_is_too_large_names_the_largest_files(project: Path, tmp_path: Path) -> None:
    write(project, {"big.csv": "x" * 9000, "data/bigger.csv": "x" * 20_000})

    message = str(refusal(project, tmp_path / "out", "[deploy]\nmax_bytes = 20_000\n"))

    assert "the most are 19.5 KiB (max_bytes in [deploy] of detent.toml)" in message
    assert "the largest are data/bigger.csv (19.5 KiB), big.csv (8.8 KiB), tasks/a.py" in message


def test_folders_with_tasks_outside_of_the_project_are_refused(project: Path, tmp_path: Path) -> None:
    message = str(refusal(project, tmp_path / "out", 'dirs = ["tasks", "../shared"]\n'))

    assert "detent.toml: dirs names" in message
    assert "shared, which lies outside of the project" in message


def test_a_project_without_files_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "empty", {".gitignore": "*\n"})

    assert "no file of" in str(refusal(root, tmp_path / "out"))


def test_the_command_before_the_build_makes_files_for_the_bundle(project: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    settings = config(project, '[deploy]\npre_build = "echo made; pwd -P; cat; printf x > made.txt"\n')

    bundle = build_bundle(settings, tmp_path / "out", on_line=lines.append)

    assert "made.txt" in [file.name for file in bundle.files]
    assert lines[1:] == ["made", str(project.resolve())]


def test_a_command_before_the_build_that_fails_stops_with_what_it_wrote(project: Path, tmp_path: Path) -> None:
    error = refusal(project, tmp_path / "out", '[deploy]\npre_build = ["sh", "-c", "echo broken >&2; exit 3"]\n')

    assert "pre_build in [deploy] of detent.toml ended with status 3" in str(error)
    assert error.output == "broken"
    assert "broken" in str(error)


def test_a_command_before_the_build_that_is_not_there_is_named(project: Path, tmp_path: Path) -> None:
    message = str(refusal(project, tmp_path / "out", '[deploy]\npre_build = ["no-such-program", "x"]\n'))

    assert "cannot be started: no-such-program x: No such file" in message


def test_a_listener_that_raises_ends_the_command(project: Path, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if line == "started":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_bundle(config(project, '[deploy]\npre_build = "echo started; exec sleep 600"\n'), tmp_path, on_line=stop)


def test_notes_tell_what_was_left_out(project: Path, tmp_path: Path) -> None:
    os.mkfifo(project / "pipe")
    lines: list[str] = []

    bundle = build_bundle(config(project), tmp_path / "out", on_line=lines.append)

    assert lines == list(bundle.notes) == ["pipe is a pipe and is left out"]


def test_files_that_git_tracks_although_they_are_ignored_are_named(project: Path, tmp_path: Path) -> None:
    write(project, {".gitignore": "*.bin\n.env\n", "model.bin": "x", "skipped.bin": "x", ".env": "A=1\n"})
    for command in (["init", "-q"], ["add", "-f", "model.bin", "tasks/a.py"]):
        subprocess.run(["git", *command], cwd=project, check=True)

    bundle = build_bundle(config(project), tmp_path / "out")

    (note,) = bundle.notes
    assert note.startswith("left out since .gitignore names them, although git tracks them: model.bin; name what")


def test_a_folder_that_cannot_be_written_is_an_error_with_its_name(project: Path, tmp_path: Path) -> None:
    write(tmp_path, {"file": ""})

    with pytest.raises(DeployError, match="cannot be written to"):
        build_bundle(config(project), tmp_path / "file")


def test_an_archive_of_another_program_with_the_same_files_is_not_a_bundle(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.py"), io.BytesIO())
    (tmp_path / "x.tar").write_bytes(buffer.getvalue())

    with pytest.raises(DeployError):
        check_bundle(tmp_path / "x.tar")
