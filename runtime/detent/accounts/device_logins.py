"""Logging in from a terminal or by an assistant: the device shows a short code, a person lets it in elsewhere.

It goes as RFC 8628 (device authorization grant) describes: the device asks for two codes, shows the short one, and asks
with the long one until a person has decided.
"""

from __future__ import annotations

import secrets
from typing import Any

from ..errors import LimitExceeded, NotFound
from ..model.moments import iso
from ..store import Tx
from .accounts import Accounts
from .keys import hash_of, new_key, short_secret

__all__ = ["DeviceLogins"]

#: How long a code waits for a person, in milliseconds.
_LASTS_MS = 10 * 60_000
#: How often a device may ask, in seconds.
_INTERVAL_S = 2
#: Most log-ins that wait at once.
_MOST = 1_000
#: Letters and digits that are not taken for one another.
_CLEAR = "BCDFGHJKLMNPQRSTVWXZ23456789"


class DeviceLogins:
    """Log-ins that wait for a person's consent."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def start(self, *, client: str = "") -> dict[str, Any]:
        """Begin to log in: show `user_code` to a person, and ask with `device_code` until they have decided.

        Parameters:
          client: what asks, as the person will read it, such as ``detent on laptop``.
        """
        now = self._accounts.now()
        device_code = short_secret(40)
        letters = "".join(secrets.choice(_CLEAR) for _ in range(8))
        user_code = f"{letters[:4]}-{letters[4:]}"
        values = {
            "device_hash": hash_of(device_code),
            "user_code": user_code,
            "client": client[:200],
            "now": now,
            "expires_at": now + _LASTS_MS,
        }

        def begin(tx: Tx) -> None:
            tx.run("forget_device_logins", now=now)
            waiting = tx.one("count_device_logins", now=now)
            if waiting is not None and waiting["n"] >= _MOST:
                raise LimitExceeded("too many log-ins wait for consent; try again in ten minutes")
            tx.run("insert_device_login", **values)

        self._accounts.write(begin)
        return {
            "device_code": device_code,
            "user_code": user_code,
            "approve_with": f"detent login --approve {user_code}",
            "interval": _INTERVAL_S,
            "expires_at": iso(now + _LASTS_MS),
        }

    def fetch(self, *, device_code: str) -> dict[str, Any]:
        """Ask whether a person has decided: ``pending``, ``denied``, or ``approved`` with the key, once."""
        now = self._accounts.now()
        hashed = hash_of(device_code)

        def look(tx: Tx) -> dict[str, Any]:
            row = tx.one("find_device_login", device_hash=hashed)
            if row is None or row["expires_at"] <= now:
                raise NotFound("this log-in is over, or was never begun; begin again with `detent login`")
            if row["denied"]:
                return {"status": "denied", "secret": None}
            if row["person_id"] is None:
                return {"status": "pending", "secret": None}
            made = new_key("pat")
            tx.run(
                "insert_key",
                id=made.id,
                hash=made.hash,
                start=made.start,
                name=row["client"] or "detent login",
                env=None,
                person_id=row["person_id"],
                scopes=None,
                expires_at=None,
                now=now,
            )
            tx.run("drop_device_login", device_hash=hashed)
            return {"status": "approved", "secret": made.text}

        return self._accounts.write(look)

    def decide(self, user_code: str, person_id: str, deny: bool) -> dict[str, Any]:
        """A person has decided. Errors: `NotFound`."""
        now = self._accounts.now()
        code = user_code.strip().upper()
        values = {"user_code": code, "person_id": None if deny else person_id, "denied": int(deny), "now": now}
        row = self._accounts.write(lambda tx: tx.one("decide_device_login", **values))
        if row is None:
            raise NotFound(f"no log-in waits with the code {code!r}; codes are good for ten minutes and one decision")
        return {"code": code, "client": row["client"], "approved": not deny}
