"""The checks run at once, each within its time, and none of them tells a secret."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from detent.config import Config, load_config
from detent.doctor import Finding, examine
from detent.doctor.examination import Check
from detent.doctor.finding import failed, good, said, shown, warning


def test_all_checks_run_at_once_and_are_told_in_their_order(tmp_path: Path) -> None:
    meeting = threading.Barrier(3, timeout=20)

    def check(name: str) -> Check:
        def look(_: Config) -> Iterator[Finding]:
            meeting.wait()
            yield good(name, "met the others")

        return Check(name, look, 20.0)

    found = examine(lambda: load_config(tmp_path, {}), [check("a"), check("b"), check("c")])

    assert [finding.check for finding in found.findings] == ["settings", "a", "b", "c"]
    assert found.status == "ok"


def test_a_check_that_hangs_fails_and_what_it_found_before_is_kept(tmp_path: Path) -> None:
    forever = threading.Event()

    def look(_: Config) -> Iterator[Finding]:
        yield good("slow.first", "quick")
        forever.wait()

    found = examine(lambda: load_config(tmp_path, {}), [Check("slow", look, 0.05)])
    forever.set()

    assert [finding.check for finding in found.findings] == ["settings", "slow.first", "slow.time"]
    assert found.status == "failed"


def test_a_check_that_breaks_is_a_finding_without_the_password(tmp_path: Path) -> None:
    def look(config: Config) -> Iterator[Finding]:
        yield warning("broken.first", "odd", "mend it")
        raise RuntimeError(f"cannot use {config.database_url}")

    env = {"DETENT_DATABASE_URL": "postgresql://me:s%40cret-word@there/db"}
    found = examine(lambda: load_config(tmp_path, env), [Check("broken", look)])

    assert [finding.status for finding in found.findings] == ["ok", "warning", "failed"]
    assert "cret-word" not in str(found)


def test_settings_that_cannot_be_read_are_a_finding(tmp_path: Path) -> None:
    (tmp_path / "detent.toml").write_text("prot = 1\n")

    found = examine(lambda: load_config(tmp_path, {}))

    [finding] = found.findings
    assert finding.check == "settings"
    assert finding.status == found.status == "failed"
    assert "prot" in finding.message


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://me:pw@h:5/db?sslpassword=x", "postgresql://me:***@h:5/db"),
        ("redis://:pw@h/0", "redis://:***@h/0"),
        ("redis://h/0", "redis://h/0"),
        ("file:///a/b", "file:///a/b"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, seen: str) -> None:
    assert shown(url) == seen


def test_the_text_of_an_error_is_one_line_without_secrets(tmp_path: Path) -> None:
    env = {"DETENT_BROKER_URL": "redis://:p%2Fass@h/0", "DETENT_SECRET_KEY": "dt_dev_1234"}
    text = said(ValueError("no p/ass\n  and no p%2Fass or dt_dev_1234"), load_config(tmp_path, env))

    assert text == "no *** and no *** or ***"
    assert failed("a", "b", "c").status == "failed"
