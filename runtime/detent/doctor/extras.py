"""Whether what the URLs of the settings need is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

from ..config import Config
from .finding import Finding, failed, good

__all__ = ["check_extras", "install_command"]

#: By scheme of a URL: the module that is imported for it, and the extra that brings it.
_BY_SCHEME = {
    "postgresql": ("psycopg", "postgres"),
    "postgres": ("psycopg", "postgres"),
    "amqp": ("pika", "rabbitmq"),
    "amqps": ("pika", "rabbitmq"),
}


def install_command(config: Config, extra: str) -> str:
    """What brings `extra` into this project."""
    if (config.root / "uv.lock").is_file() or os.environ.get("UV"):
        return f"uv add 'detent[{extra}]'"
    return f"pip install 'detent[{extra}]'"


def check_extras(config: Config) -> Iterator[Finding]:
    """One finding for each URL that needs more than detent itself."""
    urls = {"DETENT_DATABASE_URL": config.database_url, "DETENT_BROKER_URL": config.broker_url}
    needs = [(name, _BY_SCHEME.get(urlsplit(url or "").scheme)) for name, url in urls.items()]
    for name, need in needs:
        if need is None:
            continue
        module, extra = need
        if find_spec(module) is None:
            told = f"{name} needs {module}, which is not installed"
            yield failed(f"extras.{extra}", told, install_command(config, extra), module=module)
        else:
            yield good(f"extras.{extra}", f"{name} needs {module}, which is installed", module=module)
    if not any(need for _, need in needs):
        yield good("extras", "the URLs need nothing more than is installed")
