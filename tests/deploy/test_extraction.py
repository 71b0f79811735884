from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest
from tests.deploy.attacks import ATTACKS, bundle, file

from detent.deploy import check_bundle, extract_bundle, extraction
from detent.errors import DeployError, InvalidBundle
from detent.model.limits import BUNDLE_BYTES


def stored(folder: Path, content: bytes) -> tuple[Path, str]:
    path = folder / "bundle.tar"
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


def everything(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def test_there_are_enough_attacks() -> None:
    assert len(ATTACKS) >= 40


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_leaves_nothing(tmp_path: Path, attack: str) -> None:
    make, reason = ATTACKS[attack]
    (tmp_path / "place").mkdir()
    (tmp_path / "a.py").write_text("innocent")
    path, digest = stored(tmp_path, make())
    before = everything(tmp_path)

    with pytest.raises(InvalidBundle) as extracted:
        extract_bundle(path, digest, tmp_path / "place/version")
    with pytest.raises(InvalidBundle) as checked:
        check_bundle(path, digest)

    assert everything(tmp_path) == before
    assert str(extracted.value) == str(checked.value)
    assert reason in str(checked.value)


def test_a_bundle_is_not_read_when_its_hash_is_another(tmp_path: Path) -> None:
    path, digest = stored(tmp_path, bundle(file("a.py")))
    path.write_bytes(bundle(file("b.py")))

    with pytest.raises(InvalidBundle, match=f"expected {digest}; fetch it again"):
        extract_bundle(path, digest, tmp_path / "into")
    with pytest.raises(InvalidBundle, match="SHA-256"):
        check_bundle(path, digest)
    assert not (tmp_path / "into").exists()


def test_no_byte_of_a_bundle_can_be_changed_unseen(tmp_path: Path) -> None:
    whole = bundle(file("a.py", b"x" * 600), file("ü" * 60 + "/" + "b" * 100, b"y"))
    path, _ = stored(tmp_path, whole)
    original = check_bundle(path)
    chance = random.Random(7)
    for at in [*range(520), *chance.sample(range(len(whole)), 300)]:
        changed = bytearray(whole)
        changed[at] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        try:
            found = check_bundle(path)
        except InvalidBundle:
            continue
        # Only contents may be anything, and they have another hash then.
        assert [entry.name for entry in found] == [entry.name for entry in original]
        assert found != original


def test_a_bundle_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = bundle(file("a.py", b"x" * 600), file("b.py"))
    for size in range(0, len(whole), 97):
        path, digest = stored(tmp_path, whole[:size])
        with pytest.raises(InvalidBundle):
            extract_bundle(path, digest, tmp_path / "into")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.tar"]


def test_a_file_that_changes_while_it_is_taken_apart_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = stored(tmp_path, bundle(file("a.py", b"good"), file("b.py", b"good")))
    make = os.open

    def change_then_open(*arguments: object, **named: object) -> int:
        with path.open("r+b") as stream:
            stream.seek(512)
            stream.write(b"evil")
        return make(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(extraction.os, "open", change_then_open)

    with pytest.raises(InvalidBundle, match="SHA-256"):
        extract_bundle(path, digest, tmp_path / "into")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.tar"]


def test_a_bundle_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar"
    with path.open("wb") as stream:
        stream.truncate(BUNDLE_BYTES + 512)

    with pytest.raises(InvalidBundle, match="the most are 104,857,600"):
        check_bundle(path, "0" * 64)


def test_a_place_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    path, digest = stored(tmp_path, bundle(file("a.py")))
    (tmp_path / "into").mkdir()
    (tmp_path / "into/mine.txt").write_text("mine")
    (tmp_path / "link").symlink_to("elsewhere")
    before = everything(tmp_path)

    for name in ("into", "link", "into/mine.txt"):
        with pytest.raises(DeployError, match="is there already"):
            extract_bundle(path, digest, tmp_path / name)
    assert everything(tmp_path) == before


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    path, digest = stored(tmp_path, bundle(file("tasks/a.py", b"x")))
    (tmp_path / "into").mkdir()

    extract_bundle(path, digest, tmp_path / "into")

    assert (tmp_path / "into/tasks/a.py").read_bytes() == b"x"


def test_a_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundle, match="there is no bundle"):
        check_bundle(tmp_path / "missing.tar")


def test_a_place_that_cannot_be_written_is_an_error_with_its_name(tmp_path: Path) -> None:
    path, digest = stored(tmp_path, bundle(file("a.py")))

    with pytest.raises(DeployError, match="cannot be taken apart in"):
        extract_bundle(path, digest, path / "into")
