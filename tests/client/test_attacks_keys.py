"""Keys that were copied badly."""

from __future__ import annotations

import pytest

from detent.client.http import HttpTransport
from detent.errors import ConfigError


@pytest.mark.parametrize(
    "key", ["dt_dev_k\u00e9y", "dt_dev_a\nX-Evil: 1", "two keys", "\u201cdt_dev_abc\u201d", "dt_dev_\x00"]
)
def test_a_key_that_cannot_be_sent_is_told_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError, match="copy it again") as refused:
        HttpTransport("http://127.0.0.1:1", key)
    assert key not in str(refused.value)


def test_what_came_with_copying_a_key_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETENT_SECRET_KEY", " dt_dev_0123456789\n")
    HttpTransport("http://127.0.0.1:1")
