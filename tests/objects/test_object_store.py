from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from detent import objects
from detent.errors import ConfigError, InvalidOptions, NotFound, StoreError
from detent.objects import ObjectStore, open_store


@pytest.fixture(params=["folder", "path", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    folder = tmp_path / "a b" / "objects"
    urls: dict[str, str | Path] = {"folder": folder.as_uri(), "path": folder, "memory": "memory://"}
    return open_store(urls[request.param])


def test_an_object_comes_back_as_it_was_put(store: ObjectStore) -> None:
    store.put("a/ü x.bin", b"\x00\x01")
    store.put("a/ü x.bin", b"new")

    assert store.get("a/ü x.bin") == b"new"
    assert store.exists("a/ü x.bin")
    assert not store.exists("a/other")
    assert list(store.list("a")) == ["a/ü x.bin"]
    store.delete("a/ü x.bin")
    store.delete("a/ü x.bin")
    assert list(store.list()) == []
    with pytest.raises(NotFound, match="a/ü x"):
        store.get("a/ü x.bin")


def test_a_stream_becomes_one_object_and_is_read_in_pieces(store: ObjectStore) -> None:
    pieces = [bytes([n]) * 300_000 for n in range(40)]

    size = store.put_stream("big", iter(pieces))

    assert size == 12_000_000
    assert b"".join(store.get_stream("big", 1_000_000)) == b"".join(pieces)


def test_a_stream_that_breaks_off_leaves_no_object(store: ObjectStore) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 8_000_000
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.put_stream("half", pieces())

    assert not store.exists("half")


def test_the_same_calls_work_on_an_event_loop(store: ObjectStore) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for n in range(3):
            yield bytes([n])

    async def scenario() -> None:
        await store.put_async("one", b"1")
        assert await store.get_async("one") == b"1"
        assert await store.put_stream_async("many", pieces()) == 3
        assert b"".join([chunk async for chunk in store.get_stream_async("many")]) == b"\x00\x01\x02"
        assert sorted([key async for key in store.list_async()]) == ["many", "one"]
        assert await store.exists_async("one")
        await store.delete_async("one")
        assert not await store.exists_async("one")
        with pytest.raises(NotFound):
            await store.get_async("one")

    asyncio.run(scenario())


@pytest.mark.parametrize("key", ["", "/", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\0b"])
def test_a_key_that_could_leave_the_store_is_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(InvalidOptions, match="key"):
        store.put(key, b"")


def test_an_address_leads_to_the_object(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put("a b/1.mp3", b"x")

    assert store.url("a b/1.mp3") == (tmp_path / "a b" / "1.mp3").as_uri()
    assert open_store("s3://bucket/audio/").url("1.mp3") == "s3://bucket/audio/1.mp3"


def test_an_address_of_an_unknown_kind_or_without_its_settings_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="'ftp'; expected a folder"):
        open_store("ftp://host/x")
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="DETENT_OBJECT_STORE_URL"):
        open_store("az://container/x").get("a")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        open_store(tmp_path / "file" / "x").put("a", b"")


def test_a_store_that_refuses_is_told_with_its_address(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put("a", b"")

    with pytest.raises(StoreError, match="refused 'a/b'"):
        store.put("a/b", b"")


def test_the_store_of_the_project_is_the_one_its_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "detent.toml").write_text('project = "x"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DETENT_OBJECT_STORE_URL", raising=False)

    objects.store().put("a", b"1")
    monkeypatch.setenv("DETENT_OBJECT_STORE_URL", "other")
    objects.store().put("a", b"2")

    assert (tmp_path / ".detent" / "objects" / "a").read_bytes() == b"1"
    assert (tmp_path / "other" / "a").read_bytes() == b"2"
    assert objects.store() is objects.store()
