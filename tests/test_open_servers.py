from __future__ import annotations

from pathlib import Path

import pytest

from detent.config import load_config
from detent.dev.running import run_server
from detent.errors import ConfigError
from detent.open_servers import is_open, refuse_open_server, shown
from detent.worker.run import run_workers

GUARDED = [
    "redis://localhost:6379/0",
    "redis://127.0.0.1",
    "redis://[::1]:6379",
    "redis://",
    "unix:///run/redis.sock?db=1",
    "redis://:secret@cache.internal/0",
    "rediss://detent:secret@10.0.0.7/1",
    "amqp://guest:guest@queue.internal",
    "postgresql:///detent",
    "postgresql://%2Fvar%2Frun%2Fpostgresql/detent",
    "postgresql://detent@/detent?host=/var/run/postgresql",
    "postgresql://detent:secret@db/detent",
    "postgresql://db/detent?user=detent&password=secret",
    "postgresql://detent@db/detent?sslcert=client.crt&sslkey=client.key",
]
OPEN = [
    "redis://cache.internal:6379/0",
    "redis://10.0.0.7",
    "rediss://detent@10.0.0.7/1",
    "redis://[2001:db8::1]:6379",
    "amqp://queue.internal",
    "amqp://guest@queue.internal",
    "postgresql://detent@db/detent",
    "postgresql://detent@127.0.0.1,db/detent",
    "postgres://db:5432/detent?sslmode=require",
    "redis://0.0.0.0:6379",
]


@pytest.mark.parametrize("url", GUARDED)
def test_a_server_of_this_host_or_with_a_password_is_taken(url: str, tmp_path: Path) -> None:
    assert not is_open(url, {"HOME": str(tmp_path)})


@pytest.mark.parametrize("url", OPEN)
def test_a_server_on_another_host_without_a_password_is_open(url: str, tmp_path: Path) -> None:
    assert is_open(url, {"HOME": str(tmp_path)})


def test_a_password_of_postgresql_may_come_from_where_its_own_tools_read_it(tmp_path: Path) -> None:
    url = "postgresql://detent@db/detent"
    assert not is_open(url, {"HOME": str(tmp_path), "PGPASSWORD": "secret"})
    assert is_open("redis://db", {"HOME": str(tmp_path), "PGPASSWORD": "secret"})
    (tmp_path / ".pgpass").write_text("db:5432:detent:detent:secret")
    assert not is_open(url, {"HOME": str(tmp_path)})


def test_an_open_server_is_refused_with_what_to_do_unless_the_user_says_that_it_may_be_so() -> None:
    with pytest.raises(ConfigError, match=r"DETENT_BROKER_URL names redis://cache.internal:6379/0.*ALLOW_INSECURE=1"):
        refuse_open_server("redis://cache.internal:6379/0", "DETENT_BROKER_URL", allowed=False)
    refuse_open_server("redis://cache.internal:6379/0", "DETENT_BROKER_URL", allowed=True)
    refuse_open_server(None, "DETENT_BROKER_URL", allowed=False)
    refuse_open_server("sqlite:////srv/detent.db", "DETENT_DATABASE_URL", allowed=False)


def test_a_server_and_workers_with_a_database_refuse_open_servers_before_they_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = load_config(tmp_path, {"DETENT_BROKER_URL": "redis://10.0.0.7"})
    with pytest.raises(ConfigError, match="DETENT_BROKER_URL names"):
        run_server(broker, port=0)
    database = load_config(tmp_path, {"DETENT_DATABASE_URL": "postgresql://db@10.0.0.7/detent"})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with pytest.raises(ConfigError, match="DETENT_DATABASE_URL names"):
        run_workers(database)


def test_the_settings_say_whether_open_servers_are_taken(tmp_path: Path) -> None:
    (tmp_path / "detent.toml").write_text("allow_insecure = true")
    assert load_config(tmp_path, {}).allow_insecure
    assert not load_config(tmp_path, {"DETENT_ALLOW_INSECURE": "0"}).allow_insecure
    with pytest.raises(ConfigError, match="DETENT_ALLOW_INSECURE is 'yes'; expected 1 or 0"):
        load_config(tmp_path, {"DETENT_ALLOW_INSECURE": "yes"})


def test_a_broker_of_no_known_kind_is_refused_without_its_password(tmp_path: Path) -> None:
    assert load_config(tmp_path, {"DETENT_BROKER_URL": "embedded"}).broker_url is None
    for url in ("kafka://me:secret@broker", "secret"):
        with pytest.raises(ConfigError, match="DETENT_BROKER_URL cannot be used") as refused:
            load_config(tmp_path, {"DETENT_BROKER_URL": url})
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://:secret@cache:6379/1", "redis://:***@cache:6379/1"),
        ("postgresql://me:secret@db/detent?password=secret", "postgresql://me:***@db/detent"),
        ("amqp://queue", "amqp://queue"),
        ("postgresql://me@db/detent", "postgresql://me@db/detent"),
    ],
)
def test_what_is_shown_of_a_url_has_no_password(url: str, text: str) -> None:
    assert shown(url) == text
