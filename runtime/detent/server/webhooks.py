"""Signed messages as the Standard Webhooks specification has them: receivers check them with any of its libraries."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

__all__ = ["signature", "signed_headers"]

_PREFIX = "whsec_"


def signature(secret: str, message_id: str, at_s: int, body: bytes) -> str:
    """The signature of a message: ``v1,`` and the HMAC-SHA256 of id, time and body, in base64.

    Parameters:
      secret: ``whsec_`` and base64. `at_s`: when this try was made, in seconds since 1970.

    Errors: `ValueError` for what is no secret.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"this is not a secret of a webhook: {error}") from None
    content = f"{message_id}.{at_s}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()}"


def signed_headers(keys: Sequence[str], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of a message. Several secrets give as many signatures: while one replaces another, either fits."""
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(signature(key, message_id, at_s, body) for key in keys),
    }
