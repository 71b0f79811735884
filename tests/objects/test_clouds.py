"""Google and Azure, as far as a small server that answers their calls can tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.objects.clouds import Cloud

from detent.errors import ConfigError, NotFound, StoreError
from detent.objects import ObjectStore, check, open_store

Place = Callable[[Cloud, Path], str]


def google(cloud: Cloud, folder: Path) -> str:
    account = folder / "account.json"
    # What stands-ins of Google take instead of a token.
    names = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
    account.write_text(json.dumps({"gcs_base_url": cloud.endpoint, **names}))
    return f"gs://bucket/some/prefix?endpoint={cloud.endpoint}&service_account={account}&retries=0"


def azure(cloud: Cloud, _folder: Path) -> str:
    return f"az://bucket/some/prefix?endpoint={cloud.endpoint}&account_name=acc&account_key=a2V5LXRoYXQ%3D&retries=0"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.fixture(params=[google, azure], ids=["google", "azure"])
def url(request: pytest.FixtureRequest, cloud: Cloud, tmp_path: Path) -> str:
    place: Place = request.param
    return place(cloud, tmp_path)


@pytest.fixture
def store(url: str) -> ObjectStore:
    return open_store(url)


def test_an_object_in_a_cloud_comes_back_as_it_was_put(store: ObjectStore, cloud: Cloud) -> None:
    store.put("a/ü.bin", b"\x00\x01")

    assert list(cloud.objects) == ["bucket/some/prefix/a/ü.bin"]
    assert store.get("a/ü.bin") == b"\x00\x01"
    assert [(entry.key, entry.size) for entry in store.entries("a")] == [("a/ü.bin", 2)]
    assert store.exists("a/ü.bin")
    store.delete("a/ü.bin")
    store.delete("a/ü.bin")
    assert not store.exists("a/ü.bin")
    with pytest.raises(NotFound):
        store.get("a/ü.bin")


def test_a_large_stream_becomes_one_object_in_a_cloud(store: ObjectStore) -> None:
    pieces = [bytes([n]) * 1_000_000 for n in range(12)]

    assert store.put_stream("big", iter(pieces)) == 12_000_000

    assert store.get("big") == b"".join(pieces)


def test_many_objects_are_deleted_from_a_cloud_though_some_are_gone(store: ObjectStore, cloud: Cloud) -> None:
    for n in (0, 2):
        store.put(f"many/{n}", b"x")

    assert store.delete_many([f"many/{n}" for n in range(4)]) == {}

    assert cloud.objects == {}


def test_a_check_of_a_cloud_says_that_it_works_or_what_is_missing(url: str, cloud: Cloud) -> None:
    checked = check(url)
    assert checked.ok, checked.message
    assert cloud.objects == {}

    cloud.refuses = 403
    refused = check(url)
    assert not refused.ok
    assert "need to read, write, list and delete" in refused.message
    cloud.refuses = 401
    assert "credentials are wrong; check" in check(url).message


def test_azure_signs_with_the_key_of_the_account(cloud: Cloud, tmp_path: Path) -> None:
    link = open_store(azure(cloud, tmp_path)).presigned_url("a", 60)
    assert link is not None
    assert link.startswith(f"{cloud.endpoint}/bucket/some/prefix/a?")
    assert "sig=" in link
    assert open_store(google(cloud, tmp_path)).presigned_url("a") is None  # no private key to sign with


def test_azure_takes_what_its_portal_and_its_command_name(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=a2V5LXRoYXQ=;BlobEndpoint={cloud.endpoint}",
    )
    open_store("az://bucket").put("a", b"1")
    assert cloud.asked[-1][2].startswith("SharedKey acc:")
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "other")
    monkeypatch.setenv("AZURE_STORAGE_KEY", "a2V5LXRoYXQ=")
    open_store(f"az://bucket?endpoint={cloud.endpoint}").put("a", b"1")
    assert cloud.asked[-1][2].startswith("SharedKey other:")


def test_clouds_without_what_they_need_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="AZURE_STORAGE_ACCOUNT_NAME"):
        open_store("az://container").get("a")
    with pytest.raises(ConfigError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        open_store(f"gs://bucket?service_account={tmp_path / 'none.json'}").get("a")
    with pytest.raises(StoreError, match="cannot be reached"):
        open_store("az://c?endpoint=http://127.0.0.1:9&account_name=a&account_key=a2V5&retries=0").get("a")
