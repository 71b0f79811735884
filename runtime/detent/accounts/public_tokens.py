"""Public tokens: signed, short-lived, for one thing each, so that a browser may hold them."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any

from ..errors import InvalidOptions, Unauthorized
from .scopes import PUBLIC

__all__ = ["LONGEST_S", "PublicTokens", "read_public_scopes"]

_ALGORITHM = "HS256"
_ISSUER = "detent"
#: Longest life of a token, in seconds.
LONGEST_S = 30 * 24 * 3600


class PublicTokens:
    """Makes and reads the public tokens of one store.

    Parameters:
      secret: what they are signed with; at least 32 bytes of chance.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def make(self, env: str, scopes: Collection[str], now_s: float, lasts_s: float) -> str:
        """A token for `env` that allows `scopes`, each with the thing that it is for, for `lasts_s` seconds."""
        import jwt

        claims = {
            "iss": _ISSUER,
            "sub": env,
            "scopes": list(scopes),
            "iat": int(now_s),
            "exp": int(now_s + lasts_s),
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def read(self, text: str) -> dict[str, Any]:
        """The claims of a token. Errors: `Unauthorized` for one that is not ours, or is over."""
        import jwt  # with all of cryptography, which few processes need

        try:
            claims: dict[str, Any] = jwt.decode(
                text,
                self._secret,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"require": ["exp", "iat", "sub", "scopes"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("this public token has expired; get a new one from the server that made it") from None
        except jwt.PyJWTError:
            raise Unauthorized("this public token was not made by this server, or has been changed") from None
        return claims


def read_public_scopes(scopes: Collection[str]) -> frozenset[tuple[str, str]]:
    """Scopes such as ``runs:read:run_…`` as pairs of scope and thing. Errors: `InvalidOptions`."""
    found = set()
    for text in scopes:
        resource, _, rest = text.partition(":")
        action, _, thing = rest.partition(":")
        scope = f"{resource}:{action}"
        if scope not in PUBLIC:
            raise InvalidOptions(
                f"a public token cannot have the scope {text!r}; possible are "
                + ", ".join(f"{known}:ID of {what}" for known, what in PUBLIC.items())
            )
        if not thing or thing == "*":
            raise InvalidOptions(f"{text!r} must name one thing: {scope}:ID of {PUBLIC[scope]}")
        if thing.startswith("tag=") and (scope != "runs:read" or thing == "tag="):
            raise InvalidOptions(f"{text!r}: a token can be for a tag only as runs:read:tag=TAG")
        found.add((scope, thing))
    if not found:
        raise InvalidOptions("a public token needs at least one scope, such as runs:read:run_…")
    return frozenset(found)
