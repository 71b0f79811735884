"""Where objects are kept, as ``DETENT_OBJECT_STORE_URL`` says it: what kind of store, which bucket, which options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from ..errors import ConfigError

__all__ = ["Address", "read_address", "secrets_of"]

_KINDS = {
    "file": "folder",
    "memory": "memory",
    "s3": "s3",
    "s3a": "s3",
    "r2": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "azure": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "adl": "azure",
}
_EXPECTED = (
    "expected a folder, s3://BUCKET/PREFIX, r2://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX in "
    "DETENT_OBJECT_STORE_URL"
)
#: Options of every store that is reached over a network: seconds, and a number.
LIMITS = ("timeout", "connect_timeout", "retries")
#: What else may stand in the query of a URL, by kind.
_OPTIONS = {
    "folder": (),
    "memory": (),
    "s3": (
        "endpoint", "region", "account_id", "access_key_id", "secret_access_key", "session_token", "role_arn",
        "virtual_hosted_style_request", "skip_signature", "unsigned_payload", "checksum_algorithm",
        "server_side_encryption", "sse_kms_key_id", "disable_tagging", "disable_bulk_delete", "request_payer",
    ),
    "gcs": ("endpoint", "service_account", "service_account_key", "application_credentials", "skip_signature"),
    "azure": (
        "endpoint", "account_name", "account_key", "sas_key", "tenant_id", "client_id", "client_secret",
        "use_azure_cli", "use_emulator", "skip_signature", "disable_tagging",
    ),
}  # fmt: skip
_SECRET = frozenset(
    {"secret_access_key", "session_token", "service_account_key", "account_key", "sas_key", "client_secret"}
)
_IS_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]*")
_IS_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Address:
    """One place for objects.

    `kind` is ``folder``, ``memory``, ``s3``, ``gcs`` or ``azure``; `bucket` the name of the bucket or container, `path`
    the folder, or the prefix of all keys. `shown` may be put into messages and logs; `options` may not.
    """

    kind: str
    bucket: str
    path: str
    shown: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def secrets(self) -> list[str]:
        """The values of `options` that nobody may read."""
        return [value for name, value in self.options.items() if name in _SECRET and value]


def read_address(url: str | Path) -> Address:
    """The place that `url` names.

    Errors: `ConfigError` for an unknown scheme or option, or a bucket that is missing; it holds no secrets.
    """
    text = str(url)
    if not _IS_URL.match(text):
        text = Path(text).absolute().as_uri()
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ConfigError(f"the object store's URL cannot be read ({error}); {_EXPECTED}") from None
    kind = _KINDS.get(parts.scheme)
    if kind is None:
        raise ConfigError(f"the object store's URL has the scheme {parts.scheme!r}; {_EXPECTED}")
    if kind == "folder":
        return _folder(text, parts)
    if kind == "memory":
        return Address(kind, "", "", "memory://")
    options = _options(kind, parts)
    bucket = _with_credentials(kind, parts, options) if "@" in parts.netloc else parts.netloc
    if not _IS_BUCKET.fullmatch(bucket):
        what = "container" if kind == "azure" else "bucket"
        named = f"the {what} {bucket!r}" if bucket else f"no {what}"
        raise ConfigError(f"the object store's URL {parts.scheme}://… names {named}; {_EXPECTED}")
    path = unquote(parts.path).strip("/")
    if ".." in path.split("/"):
        raise ConfigError(f"the object store's URL has '..' in its prefix {path!r}; write the prefix that is meant")
    if parts.scheme == "r2":
        options.setdefault("region", "auto")
    shown = f"{parts.scheme}://{bucket}/{quote(path)}".rstrip("/")
    return Address(kind, bucket, path, shown, options)


def secrets_of(url: str | Path) -> list[str]:
    """What is secret in the URL of an object store; nothing for one that cannot be read."""
    try:
        return read_address(url).secrets
    except ConfigError:
        return []


def _folder(text: str, parts: SplitResult) -> Address:
    if parts.netloc not in ("", "localhost"):
        raise ConfigError(
            f"the object store's URL names the machine {parts.netloc!r}; a folder of this machine has three slashes: "
            f"file:///{parts.netloc}{parts.path}"
        )
    # A question mark and a number sign are part of a folder's name as they stand in a plain path.
    path = unquote(parts.path) or "/"
    return Address("folder", "", path, text.partition("?")[0].rstrip("/"))


def _options(kind: str, parts: SplitResult) -> dict[str, str]:
    known = (*_OPTIONS[kind], *LIMITS)
    options: dict[str, str] = {}
    for raw, value in parse_qsl(parts.query, keep_blank_values=True):
        name = raw.lower()
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"possible are {', '.join(known)}"
            raise ConfigError(f"the object store's URL has the option {raw!r}, which {kind} does not take; {hint}")
        if name in LIMITS and not _is_number(name, value):
            expected = "a whole number" if name == "retries" else "seconds"
            raise ConfigError(f"the object store's URL has {name}={value!r}; expected {expected}, such as {name}=5")
        options[name] = value
    endpoint = options.get("endpoint")
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise ConfigError(
            f"the object store's URL has endpoint={endpoint!r}; expected http://HOST:PORT or https://HOST"
        )
    return options


def _is_number(name: str, value: str) -> bool:
    try:
        return (int(value) >= 0) if name == "retries" else (0 < float(value) < float("inf"))
    except ValueError:
        return False


def _with_credentials(kind: str, parts: SplitResult, options: dict[str, str]) -> str:
    """The bucket of a URL with something before an ``@``, which goes to `options`."""
    before, _, rest = parts.netloc.rpartition("@")
    if kind == "azure" and ":" not in before and "." in rest:
        # abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX
        options.setdefault("account_name", rest.partition(".")[0])
        return before
    user, _, password = before.partition(":")
    if kind == "gcs":
        raise ConfigError(
            "the object store's URL holds a user; for Google Cloud Storage name a key file in "
            "GOOGLE_APPLICATION_CREDENTIALS instead"
        )
    names = ("account_name", "account_key") if kind == "azure" else ("access_key_id", "secret_access_key")
    options.setdefault(names[0], unquote(user))
    if password:
        options.setdefault(names[1], unquote(password))
    return rest
