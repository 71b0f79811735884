"""Where a worker puts large texts: the project's store, or, with an address and a key alone, the server."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from ..config import Config
from ..errors import ConfigError
from ..objects import open_store

__all__ = ["object_place"]

Put = Callable[[str, str], str]
Get = Callable[[str], str]


def object_place(config: Config, api_url: str | None, env: str | None) -> tuple[Put, Get]:
    """How to put a text under a key, which gives the name that it can be had by, and how to get it.

    Parameters:
      api_url: of a server far away, whose key is in ``DETENT_SECRET_KEY``. A store that ``DETENT_OBJECT_STORE_URL``
        names is used all the same: it is the server's, and nearer.
      env: the id of the environment whose runs the worker executes.

    Errors: `ConfigError`.
    """
    if api_url is None or env is None or os.environ.get("DETENT_OBJECT_STORE_URL"):
        store = open_store(config.object_store_url)

        def put(key: str, text: str) -> str:
            store.put(key, text.encode())
            return key

        return put, lambda key: store.get(key).decode()
    if config.secret_key is None:
        raise ConfigError("DETENT_SECRET_KEY is not set, so that this worker cannot reach its objects")
    # An HTTP client is two fifths of what a worker would import; those beside their store need none.
    from ..objects.remote import RemoteObjects

    # It says every request.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    remote = RemoteObjects(api_url, config.secret_key, project=config.project_slug, environment=env)

    def put_far(key: str, text: str) -> str:
        remote.put(key, text.encode())
        return key

    return put_far, lambda key: remote.get(key).decode()
