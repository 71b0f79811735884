"""What an object store says when it refuses, in words that help."""

from __future__ import annotations

import re

from ..errors import StoreError
from .address import Address

__all__ = ["is_no_bucket", "refusal"]

#: The signature of a link stands in its query.
_QUERY = re.compile(r"\?[^\s:]*")
_CODE = re.compile(r"<Code>\s*([A-Za-z]+)\s*</Code>|\"reason\":\s*\"([A-Za-z]+)\"")
_METADATA_SERVERS = ("169.254.169.254", "metadata.google.internal", "169.254.170.2")
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gcs": "GOOGLE_APPLICATION_CREDENTIALS",
    "azure": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "InvalidBucketName"})
_WRONG_KEY = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed", "InvalidAuthenticationInfo", "Unauthorized",
     "InvalidToken", "InvalidClientTokenId", "AuthFailure", "MalformedSecurity", "InvalidSecurity"}
)  # fmt: skip
_OVER = frozenset({"ExpiredToken", "TokenRefreshRequired", "RequestExpired"})


def refusal(address: Address, key: str, error: Exception) -> StoreError:
    """The error that users get for what `obstore` raised about `key`."""
    text = str(error)
    what = f"the object store {address.shown} refused {key!r}" if key else f"the object store {address.shown} refused"
    why = _reason(address, error, text)
    if why is not None:
        return StoreError(f"{what}: {why}")
    return StoreError(f"{what}: {_cause(address, text)}; run `detent doctor` to see what it allows")


def is_no_bucket(text: str) -> bool:
    """Whether an answer says that the bucket itself is not there."""
    return bool(_codes(text) & _NO_BUCKET) or "bucket does not exist" in text


def _reason(address: Address, error: Exception, text: str) -> str | None:
    codes = _codes(text)
    first = text.partition("\n")[0]
    kind = type(error).__name__
    variables = _CREDENTIALS.get(address.kind, "its credentials")
    if is_no_bucket(text):
        return f"there is no bucket {address.bucket!r}; make it, or correct DETENT_OBJECT_STORE_URL"
    if codes & _WRONG_KEY or kind == "UnauthenticatedError":
        return f"its credentials are wrong; check {variables}"
    if codes & _OVER:
        return f"its credentials have expired; renew {variables}"
    if any(server in text for server in _METADATA_SERVERS):
        return f"no credentials were found; set {variables}"
    if "RequestTimeTooSkewed" in codes:
        return "the clock of this machine is wrong by minutes; set it (NTP)"
    if kind == "PermissionDeniedError" or codes & {"AccessDenied", "AuthorizationPermissionMismatch"}:
        return (
            "the credentials do not allow it; they need to read, write, list and delete objects under "
            f"{address.shown} (see docs/objects.md)"
        )
    if "PermanentRedirect" in codes or "redirect" in first:
        return "the bucket is in another region; name it in AWS_REGION, or with ?region=… in the URL"
    if "kind: Timeout" in text or "timed out" in text:
        return "it did not answer in time; try again, or allow more with ?timeout=… in the URL"
    if "error sending request" in text or "dns error" in text or "Connect" in first:
        return "it cannot be reached; check the endpoint, the network and the proxy, and try again"
    return None


def _codes(text: str) -> set[str]:
    return {found for pair in _CODE.findall(text) for found in pair if found}


def _cause(address: Address, text: str) -> str:
    cause = _QUERY.sub("?…", text.strip().split("\n")[0])
    for secret in address.secrets:
        cause = cause.replace(secret, "…")
    return cause[:300]
