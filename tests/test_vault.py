"""What is sealed is opened by its own keys alone, under its own name alone; keys can be rotated."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from detent.config import load_config
from detent.errors import ConfigError, StoreError
from detent.vault import Vault, new_key, vault_of


def vault(*keys: str) -> Vault:
    return Vault(lambda: [base64.urlsafe_b64decode(key) for key in keys])


def test_what_was_sealed_is_opened_again_and_shows_nothing_of_itself() -> None:
    key = new_key()
    sealed = vault(key).seal("päss\nword", "dev\0NAME")
    assert "word" not in sealed
    assert vault(key).seal("päss\nword", "dev\0NAME") != sealed
    assert vault(key).open(sealed, "dev\0NAME") == "päss\nword"


def test_a_sealed_text_moved_to_another_place_or_changed_is_refused() -> None:
    mine = vault(new_key())
    sealed = mine.seal("word", "dev\0NAME")
    for context, text in (("prod\0NAME", sealed), ("dev\0NAME", sealed[:-6] + "AAAA==")):
        with pytest.raises(StoreError, match="changed by something else"):
            mine.open(text, context)


def test_the_first_key_seals_and_older_ones_still_open() -> None:
    old, new = new_key(), new_key()
    sealed = vault(old).seal("word", "c")
    both = vault(new, old)
    assert both.open(sealed, "c") == "word"
    assert not both.is_newest(sealed)
    assert both.is_newest(both.seal("word", "c"))
    with pytest.raises(StoreError, match="add that key to DETENT_ENCRYPTION_KEY"):
        vault(new).open(sealed, "c")


def test_without_a_key_one_is_made_that_only_its_owner_reads_and_it_is_found_again(tmp_path: Path) -> None:
    (tmp_path / ".detent").mkdir()
    config = load_config(tmp_path, {})
    sealed = vault_of(config).seal("word", "c")
    file = tmp_path / ".detent" / "encryption.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert vault_of(config).open(sealed, "c") == "word"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["encryption.key"]


def test_keys_of_the_environment_are_used_as_they_stand_there(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    sealed = vault(old).seal("word", "c")
    named = vault_of(load_config(tmp_path, {"DETENT_ENCRYPTION_KEY": f"{new}, {old}"}))
    assert named.open(sealed, "c") == "word"
    assert not named.is_newest(sealed)
    assert not (tmp_path / ".detent").exists()


@pytest.mark.parametrize("text", ["short", "!" * 44, base64.b64encode(b"x" * 31).decode()])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="DETENT_ENCRYPTION_KEY holds what is no key") as caught:
        vault_of(load_config(tmp_path, {"DETENT_ENCRYPTION_KEY": text}))
    assert text not in caught.value.message
