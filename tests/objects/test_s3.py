from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.servers.s3 import S3, shared_s3

from detent.errors import ConfigError, InvalidOptions, NotFound, StoreError
from detent.objects import ObjectStore, check, open_store

SECRET = "s3cret/of+tests"


@pytest.fixture
def server() -> Iterator[S3]:
    server = shared_s3()
    yield server
    server.check_keys(wanted=False)


@pytest.fixture
def store(server: S3) -> ObjectStore:
    return open_store(server.url(f"{server.bucket()}/some prefix/x"))


def test_an_object_in_a_bucket_comes_back_as_it_was_put(store: ObjectStore) -> None:
    store.put("a/ü x?.bin", b"\x00\x01")
    store.put("a/ü x?.bin", b"new")

    assert store.get("a/ü x?.bin") == b"new"
    assert store.exists("a/ü x?.bin")
    assert [(entry.key, entry.size) for entry in store.entries("a")] == [("a/ü x?.bin", 3)]
    store.delete("a/ü x?.bin")
    store.delete("a/ü x?.bin")
    assert list(store.list()) == []
    with pytest.raises(NotFound, match="a/ü x"):
        store.get("a/ü x?.bin")


def test_a_large_stream_becomes_one_object_in_a_bucket(store: ObjectStore) -> None:
    pieces = [bytes([n]) * 1_000_000 for n in range(12)]

    assert store.put_stream("big", iter(pieces)) == 12_000_000

    assert b"".join(store.get_stream("big")) == b"".join(pieces)


def test_a_presigned_link_is_good_for_one_object_and_for_as_long_as_was_said(store: ObjectStore) -> None:
    store.put("one/ü.json", b"[1]")

    link = store.presigned_url("one/ü.json", 90)

    assert link is not None
    answer = httpx.get(link)
    assert (answer.content, answer.headers["content-type"]) == (b"[1]", "application/json")
    assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == ["90"]
    assert SECRET not in link
    with pytest.raises(InvalidOptions, match="7 days"):
        store.presigned_url("one", 8 * 24 * 3600)


def test_many_objects_are_deleted_at_once_and_absent_ones_do_not_matter(store: ObjectStore) -> None:
    keys = [f"many/{n}" for n in range(30)]
    for key in keys[::2]:
        store.put(key, b"x")

    assert store.delete_many(keys) == {}

    assert list(store.list("many")) == []


def test_a_bucket_that_is_not_there_is_named(server: S3) -> None:
    store = open_store(server.url("no-such-bucket"))

    for act in (lambda: store.put("a", b""), lambda: store.get("a"), lambda: list(store.list())):
        with pytest.raises(StoreError, match="no bucket 'no-such-bucket'; make it, or correct DETENT_OBJECT"):
            act()
    assert set(store.delete_many(["a", "b"])) == {"a", "b"}


def test_wrong_credentials_are_said_without_showing_them(server: S3) -> None:
    store = open_store(server.url(server.bucket()))
    server.check_keys(wanted=True)

    with pytest.raises(StoreError, match="credentials are wrong; check AWS_ACCESS_KEY_ID") as caught:
        store.put("a", b"")

    assert SECRET not in f"{caught.value}{store!r}{store.address}"
    checked = check(server.url("other-bucket"))
    assert not checked.ok
    assert "credentials are wrong" in checked.message


def test_a_store_that_nobody_answers_for_is_said_to_be_out_of_reach() -> None:
    store = open_store("s3://bucket?endpoint=http://127.0.0.1:9&retries=0&access_key_id=a&secret_access_key=b")

    with pytest.raises(StoreError, match="cannot be reached; check the endpoint"):
        store.get("a")
    failed = store.delete_many([str(n) for n in range(2000)])
    assert len(failed) == 2000


def test_a_store_that_stops_answering_is_given_up_after_the_time_that_was_set(server: S3) -> None:
    store = open_store(server.url(server.bucket(), timeout="0.2", retries=0))
    server.pause()
    try:
        with pytest.raises(StoreError, match="did not answer in time"):
            store.get("a")
    finally:
        server.resume()


def test_a_check_writes_reads_lists_and_deletes_and_leaves_nothing(server: S3) -> None:
    bucket = server.bucket()

    checked = check(server.url(bucket))

    assert checked.ok
    assert checked.signs
    assert checked.address == f"s3://{bucket}"
    assert None not in (checked.write_ms, checked.read_ms, checked.list_ms, checked.delete_ms)
    assert list(open_store(server.url(bucket)).list()) == []
    assert check("s3://").message.startswith("the object store's URL s3://… names no bucket")


def test_the_endpoint_and_the_keys_may_stand_in_the_environment(server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": "AKIAENV",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    store = open_store(f"s3://{server.bucket()}")

    store.put("a", b"1")

    link = store.presigned_url("a")
    assert link is not None
    assert link.startswith(server.endpoint)
    assert "AKIAENV" in link
    assert "eu-central-1" in link


def test_r2_is_an_s3_with_an_account(server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "R2_ACCOUNT_ID", "CLOUDFLARE_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("R2_ACCESS_KEY_ID", "AKIAR2")
    monkeypatch.setenv("R2_SECRET_ACCESS_KEY", "x")

    link = open_store("r2://bucket/p?account_id=0abc").presigned_url("k")
    assert link is not None
    assert link.startswith("https://0abc.r2.cloudflarestorage.com/bucket/p/k?")
    assert "AKIAR2%2F" in link
    with pytest.raises(ConfigError, match="R2_ACCOUNT_ID"):
        open_store("r2://bucket").get("k")
    own = open_store(f"r2://{server.bucket()}?endpoint={server.endpoint}")
    own.put("k", b"1")
    assert own.get("k") == b"1"
