"""The `obstore` store behind an address: credentials from the URL, else from each cloud's own variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .address import LIMITS, Address

__all__ = ["connect"]

#: What a request may take, in seconds, with its answer; a connection; and how long it is tried again.
TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 5.0
RETRY_S = 30.0
RETRIES = 4

_IS_ACCOUNT = re.compile(r"[A-Za-z0-9]+")


def connect(address: Address) -> Any:
    """The store at `address`, as `obstore` has it. No request is made.

    Errors: `ConfigError` when what is needed to reach it is missing.
    """
    from obstore import store as kinds

    if address.kind == "memory":
        return kinds.MemoryStore()
    if address.kind == "folder":
        return kinds.LocalStore(_made(Path(address.path)), automatic_cleanup=True)
    options = dict(address.options)
    limits = {name: options.pop(name) for name in LIMITS if name in options}
    build, config = {"s3": _s3, "gcs": _gcs, "azure": _azure}[address.kind](address, options)
    prefix = {"prefix": address.path} if address.path else {}
    plain = any(value.startswith("http://") for name, value in config.items() if name in {"endpoint", "base_url"})
    try:
        return build(
            address.bucket,
            **prefix,
            config=config,
            client_options={
                "timeout": timedelta(seconds=float(limits.get("timeout", TIMEOUT_S))),
                "connect_timeout": timedelta(seconds=float(limits.get("connect_timeout", CONNECT_TIMEOUT_S))),
                "allow_http": plain or config.get("use_emulator") == "true",
                "user_agent": "detent",
            },
            retry_config={
                "max_retries": int(limits.get("retries", RETRIES)),
                "retry_timeout": timedelta(seconds=RETRY_S),
                "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=3)},
            },
        )
    except Exception as error:
        cause = str(error).strip().split("\n")[0]
        for secret in address.secrets:
            cause = cause.replace(secret, "…")
        raise ConfigError(
            f"the object store {address.shown} cannot be opened: {cause}; {_ADVICE[address.kind]}"
        ) from None


_ADVICE = {
    "s3": "check DETENT_OBJECT_STORE_URL and the variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and "
    "AWS_ENDPOINT_URL",
    "gcs": "check DETENT_OBJECT_STORE_URL, and that GOOGLE_APPLICATION_CREDENTIALS names a key file that can be read",
    "azure": "check DETENT_OBJECT_STORE_URL and the variables AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the object folder {folder} cannot be made ({error.strerror}); make its parent "
            "writable, or name another one in DETENT_OBJECT_STORE_URL"
        ) from error
    return folder


def _s3(address: Address, options: dict[str, str]) -> tuple[Any, dict[str, str]]:
    from obstore.store import S3Store

    account = options.pop("account_id", None)
    if address.shown.startswith("r2:"):
        options |= _r2(account, options)
    endpoint = options.get("endpoint") or _first(os.environ, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    if endpoint:
        # Named here, it is known below whether it is a plain one.
        options["endpoint"] = endpoint.rstrip("/")
    return S3Store, options


def _r2(account: str | None, options: Mapping[str, str]) -> dict[str, str]:
    """What Cloudflare calls otherwise than Amazon."""
    found = {}
    if "endpoint" not in options:
        account = account or _first(os.environ, "R2_ACCOUNT_ID", "CLOUDFLARE_ACCOUNT_ID")
        if account and not _IS_ACCOUNT.fullmatch(account):
            raise ConfigError(f"the account of R2 is {account!r}; expected its id, letters and digits")
        named = f"https://{account}.r2.cloudflarestorage.com" if account else _first(os.environ, "AWS_ENDPOINT_URL")
        if not named:
            raise ConfigError(
                "r2:// needs the account that the bucket is in: add ?account_id=… to DETENT_OBJECT_STORE_URL, or set "
                "R2_ACCOUNT_ID"
            )
        found["endpoint"] = named
    for name in ("access_key_id", "secret_access_key"):
        value = os.environ.get(f"R2_{name.upper()}")
        if name not in options and value:
            found[name] = value
    return found


def _gcs(_address: Address, options: dict[str, str]) -> tuple[Any, dict[str, str]]:
    from obstore.store import GCSStore

    if "endpoint" in options:
        options["base_url"] = options.pop("endpoint")
    return GCSStore, options


def _azure(_address: Address, options: dict[str, str]) -> tuple[Any, dict[str, str]]:
    from obstore.store import AzureStore

    found = {
        "account_name": _first(os.environ, "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"),
        "account_key": _first(os.environ, "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY"),
        **_connection(os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "")),
    }
    if options.get("sas_key"):
        found.pop("account_key")
    return AzureStore, {name: value for name, value in found.items() if value} | options


def _connection(text: str) -> dict[str, str]:
    """A connection string as Azure's portal gives it."""
    pairs = dict(part.partition("=")[::2] for part in text.split(";") if "=" in part)
    names = {
        "AccountName": "account_name", "AccountKey": "account_key", "BlobEndpoint": "endpoint",
        "SharedAccessSignature": "sas_key",
    }  # fmt: skip
    return {names[name]: value for name, value in pairs.items() if name in names}


def _first(variables: Mapping[str, str], *names: str) -> str | None:
    return next((variables[name] for name in names if variables.get(name)), None)
