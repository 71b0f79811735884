from __future__ import annotations

from pathlib import Path

import pytest

from detent.errors import ConfigError
from detent.objects.address import read_address, secrets_of


@pytest.mark.parametrize(
    ("url", "kind", "bucket", "path", "shown"),
    [
        ("file:///a%20b/c", "folder", "", "/a b/c", "file:///a%20b/c"),
        ("/a b/c", "folder", "", "/a b/c", "file:///a%20b/c"),
        ("s3://Bucket.x", "s3", "Bucket.x", "", "s3://Bucket.x"),
        ("s3://b/p/q/?region=eu-west-1", "s3", "b", "p/q", "s3://b/p/q"),
        ("r2://b/p?account_id=abc", "s3", "b", "p", "r2://b/p"),
        ("gs://b", "gcs", "b", "", "gs://b"),
        ("gcs://b/p", "gcs", "b", "p", "gcs://b/p"),
        ("az://c/p", "azure", "c", "p", "az://c/p"),
        ("azure://c", "azure", "c", "", "azure://c"),
        ("abfss://c@account.dfs.core.windows.net/p", "azure", "c", "p", "abfss://c/p"),
        ("memory://", "memory", "", "", "memory://"),
    ],
)
def test_a_url_names_one_place(url: str, kind: str, bucket: str, path: str, shown: str) -> None:
    place = read_address(url)

    assert (place.kind, place.bucket, place.path, place.shown) == (kind, bucket, path, shown)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://x", "has the scheme 'ftp'; expected a folder, s3://BUCKET"),
        ("s3://", "names no bucket"),
        ("s3:///prefix", "names no bucket"),
        ("az://", "names no container"),
        ("s3://minio:9000/b", "names the bucket 'minio:9000'"),
        ("s3://b?regoin=x", "did you mean 'region'?"),
        ("gs://b?secret_access_key=x", "gcs does not take"),
        ("s3://b?timeout=soon", "expected seconds"),
        ("s3://b?timeout=0", "expected seconds"),
        ("s3://b?retries=1.5", "expected a whole number"),
        ("s3://b?endpoint=minio:9000", "expected http://HOST:PORT"),
        ("s3://b/a/../c", "'..' in its prefix"),
        ("file://machine/x", "three slashes: file:///machine/x"),
        ("gs://user:pass@b", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("s3://[b", "cannot be read"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_with_what_is_expected(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_address(url)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:pa%2Fss@b/p",
        "s3://b/p?access_key_id=AKIA&secret_access_key=pa%2Fss",
        "az://account:pa%2Fss@c",
        "az://c?account_key=pa%2Fss",
    ],
)
def test_credentials_of_a_url_are_known_and_never_shown(url: str) -> None:
    place = read_address(url)

    assert secrets_of(url) == place.secrets == ["pa/ss"]
    assert "/ss" not in f"{place!r}{place.shown}"
    assert "Fss" not in f"{place!r}{place.shown}"
    assert secrets_of("nonsense://x") == []


def test_a_relative_path_is_a_folder_of_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert read_address("some/folder").path == str(tmp_path / "some/folder")
