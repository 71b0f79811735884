"""Addresses that complete tokens, and signatures of links: whoever has one needs no key. Each holds a digest that only
the store's secret can make."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from ..model.http_api import TOKEN_CALLBACK
from ..store import Tx

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["Callbacks"]

_SECRET = "callback_secret"  # noqa: S105  # the name of the setting
#: Characters of a digest: 160 bits.
_CHARS = 40


class Callbacks:
    """The callback addresses of one engine's tokens. They stay the same as long as the store does.

    Parameters:
      engine: whose store keeps the secret, which is made at its first use.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._secret: str | None = None
        #: Where the server is reached from outside, without a slash at its end; set by whoever knows.
        self.base = "http://127.0.0.1:8377"

    def url(self, token_id: str, tx: Tx | None = None) -> str:
        """The address of a token. `tx`: the transaction that the caller is in, if any."""
        return f"{self.base}{TOKEN_CALLBACK.format(id=token_id, digest=self._digest(token_id, tx))}"

    def admits(self, token_id: str, digest: str) -> bool:
        """Whether `digest` is the one in the address of this token. Takes the same time for every wrong one."""
        return hmac.compare_digest(self._digest(token_id, None).encode(), digest.encode("utf-8", "replace"))

    def signature(self, text: str) -> str:
        """What shows that `text`, which is no id of a token, was written here."""
        return self._digest(text, None)

    def is_signature(self, text: str, signature: str) -> bool:
        """Whether `signature` is that of `text`. Takes the same time for every wrong one."""
        return self.admits(text, signature)

    def _digest(self, token_id: str, tx: Tx | None) -> str:
        secret = self._secret or self._read() or self._make(tx)
        return hmac.digest(secret.encode(), token_id.encode(), "sha256").hex()[:_CHARS]

    def _read(self) -> str | None:
        rows = self._engine.store.read("find_setting", name=_SECRET)
        self._secret = rows[0]["value"] if rows else None
        return self._secret

    def _make(self, tx: Tx | None) -> str:
        # Not remembered here: until its commit the secret is only one that may become it.
        return self._engine.write(lambda scene: _kept(scene.tx)) if tx is None else _kept(tx)


def _kept(tx: Tx) -> str:
    """The secret, which this transaction makes where there is none yet."""
    tx.run("keep_setting", name=_SECRET, value=secrets.token_hex(32))
    row = tx.one("find_setting", name=_SECRET)
    if row is None:
        raise RuntimeError("a setting that was kept is not there")
    return str(row["value"])
