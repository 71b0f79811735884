"""What alerts keep that nobody may read: addresses that let whoever has them in, and the secrets of signatures."""

from __future__ import annotations

import base64
import logging
import secrets

from ..errors import DetentError
from ..store import Store
from ..vault import Vault

__all__ = ["new_secret", "opened", "seal_alerts_again", "sealed"]

logger = logging.getLogger("detent.engine")

_SECRET_BYTES = 32
_COLUMNS = ("target", "secret", "old_secret")


def new_secret() -> str:
    """A secret to sign webhooks with: ``whsec_`` and 32 bytes by chance, in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def sealed(vault: Vault, text: str, alert_id: str) -> str:
    """`text` as it is kept."""
    return vault.seal(text, _context(alert_id))


def opened(vault: Vault, text: str, alert_id: str) -> str:
    """What was given to `sealed`. Errors: `StoreError`."""
    return vault.open(text, _context(alert_id))


def seal_alerts_again(store: Store, vault: Vault) -> None:
    """Seal with the newest key what older ones have sealed, so that those can be given up."""
    for row in store.read("list_sealed_alerts"):
        before = {name: row[name] for name in _COLUMNS}
        kept = {name: text for name, text in before.items() if text is not None}
        if all(vault.is_newest(text) for text in kept.values()):
            continue
        try:
            again = {name: sealed(vault, opened(vault, text, row["id"]), row["id"]) for name, text in kept.items()}
        except DetentError as error:
            logger.error("the alert %s: %s", row["id"], error)  # noqa: TRY400  # for people
            continue
        values = {"id": row["id"], **before, **again, "before": row["target"]}
        store.write(lambda tx, values=values: tx.run("seal_alert_again", **values))  # type: ignore[misc]


def _context(alert_id: str) -> str:
    return f"alert\0{alert_id}"
